"""API tokens: how a program signs in for a person, with some of the person's abilities and for a while.

A token is 256 random bits, shown once; only its SHA-256 is stored. It may never do more than its owner may at that
moment: the owner's access is narrowed to the token's scopes and sites, and never holds administration or signing.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites.models import ApiAnswer, ApiToken
from sites.tenancy.access import Can, Grant

PREFIX = "msp_"  # so that a token is recognised where it should not be, such as in a repository
SHOWN = len(PREFIX) + 4
LONGEST = timedelta(days=366)
ADDRESSES = "/api/"  # tokens mean nothing to the pages
ANSWERS_KEPT = timedelta(days=1)
USE_NOTED_EVERY = timedelta(minutes=1)


class TokenScope(StrEnum):
    READ = "read"
    IDENTIFY = "identify"
    WRITE = "write"
    EXPORT = "export"


# Signing and erasing are a person's own acts, and nobody administers by token. What is entered is compared with the
# birth date, so writing reaches identifiers too; operations that show them ask for the scope `identify` by its name.
ABILITIES = {
    TokenScope.READ: {Can.READ, Can.COMPARE},
    TokenScope.IDENTIFY: {Can.IDENTIFY},
    TokenScope.WRITE: {Can.ENTER, Can.IDENTIFY, Can.VERIFY, Can.QUERY, Can.ADJUDICATE, Can.IMPORT, Can.FREEZE},
    TokenScope.EXPORT: {Can.EXPORT},
}
# What reaches every site at once, and so does not go with a token for some of them.
OF_ALL_SITES = frozenset({Can.COMPARE, Can.IMPORT, Can.FREEZE})

SCOPE_LABELS = {
    TokenScope.READ: _("Read records, without direct identifiers"),
    TokenScope.IDENTIFY: _("Read direct identifiers"),
    TokenScope.WRITE: _("Enter and correct"),
    TokenScope.EXPORT: _("Export"),
}


class InvalidToken(Exception):
    """Why a token signs nobody in."""


@dataclass(frozen=True)
class Issued:
    """A new token: its row, and the text that is shown once and stored nowhere."""

    token: ApiToken
    text: str


def _digest(text):
    # A plain hash is enough for 256 random bits: there is nothing to guess, as there is in a password.
    return hashlib.sha256(text.encode()).hexdigest()


def issue(*, access, user, name, scopes, expires_at, site_ids=None):
    """A new token of `user`, who issues it: `Issued`. Reading is part of every token.

    site_ids  sites to which it is limited, among those where the person works; None for all of them
    Raises ValueError for a name, scope, site or expiry that does not fit; PermissionDenied for somebody else's token.
    """
    if access.user_id != user.pk or not access.grants:
        raise PermissionDenied
    name, now = " ".join(name.split()), timezone.now()
    if not 0 < len(name) <= ApiToken._meta.get_field("name").max_length:
        raise ValueError("a token needs a name")
    if not now < expires_at <= now + LONGEST:
        raise ValueError("a token expires within a year")
    reach = set(access.sites_for(*Can))
    if site_ids is not None and (not site_ids or not reach.issuperset(site_ids)):
        raise ValueError("a token is limited to sites where its owner works")
    chosen = [one.value for one in TokenScope if one == TokenScope.READ or one in {TokenScope(s) for s in scopes}]
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        start=text[:SHOWN],
        digest=_digest(text),
        scopes=chosen,
        site_ids=None if site_ids is None else sorted(site_ids),
        expires_at=expires_at,
    )
    return Issued(token, text)


def revoke(*, access, token):
    """End a token for good: its owner may, and an administrator. PermissionDenied for everybody else."""
    if access.user_id != token.user_id:
        access.require(Can.ADMINISTER)
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def signed_in(text):
    """The running ApiToken with this text, its owner at `token.user`. InvalidToken if there is none."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(text)).first()
    now = timezone.now()
    if token is None:
        raise InvalidToken("there is no such token")
    if token.revoked_at is not None:
        raise InvalidToken("the token was revoked")
    if token.expires_at <= now:
        raise InvalidToken("the token has expired")
    if not token.user.is_active:
        raise InvalidToken("the token's owner is no longer active")
    unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    return token


def identify(request):
    """Sets `request.token`, `request.token_fault` and, where there is a token, `request.user`.

    A token that does not hold signs in nobody, not even the person whose session comes with it.
    """
    request.token, request.token_fault = None, ""
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not request.path.startswith(ADDRESSES):
        return
    try:
        request.token = signed_in(text.strip())
        request.user = request.token.user
    except InvalidToken as error:
        request.token_fault = str(error)
        request.user = AnonymousUser()


def narrowed(access, token):
    """What the owner's `access` leaves to a token."""
    within = frozenset().union(*(ABILITIES[TokenScope(one)] for one in token.scopes))
    if token.site_ids is None:
        return replace(access, within=within)
    grants = tuple(
        Grant(grant.role, site_id)
        for grant in access.grants
        for site_id in (access.all_site_ids if grant.site_id is None else (grant.site_id,))
        if site_id in token.site_ids
    )
    return replace(access, grants=grants, within=within - OF_ALL_SITES)


def forget_answers():
    """Delete the answers to idempotent requests that are too old to be given again. Call it in the system's scope."""
    ApiAnswer.objects.filter(answered_at__lt=timezone.now() - ANSWERS_KEPT).delete()
