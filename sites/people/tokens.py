"""API tokens: how a program signs in for a person, with some of the person's abilities and for a while.

A token is 256 random bits, shown once; only its SHA-256 is stored. It may never do more than its owner may at that
moment, nor more than its owner could when it was issued: the owner's access is narrowed to the token's scopes and sites
and to the memberships of that day, and never holds administration or signing. It ends with the password, with signing
out everywhere, and with the second factor that identifiers ask for.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites import attempts, audit
from sites.database.fast_rows import rows_of
from sites.database.first_read import first_row
from sites.database.longest import longest
from sites.models import ApiAnswer, ApiToken, Membership, User
from sites.people.sign_ins import NO_FACTOR, has_second_factor, needs_second_factor
from sites.tenancy.access import Access, Can, Grant, Role, access_of, read_beside, running_beside
from sites.tenancy.scope import Scope, entered

PREFIX = "msp_"  # so that a token is recognised where it should not be, such as in a repository
SHOWN = len(PREFIX) + 4
LONGEST = timedelta(days=366)
ADDRESSES = "/api/"  # tokens mean nothing to the pages
ANSWERS_KEPT = timedelta(days=1)
USE_NOTED_EVERY = timedelta(minutes=1)
REFUSED, TOO_OFTEN = "refused", "too often"  # what becomes of a request whose token does not hold


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
OF_ALL_SITES = frozenset({Can.COMPARE, Can.FREEZE})

SCOPE_LABELS = {
    TokenScope.READ: _("Read records, without direct identifiers"),
    TokenScope.IDENTIFY: _("Read direct identifiers"),
    TokenScope.WRITE: _("Enter and correct"),
    TokenScope.EXPORT: _("Export"),
}


class InvalidToken(Exception):
    """Why a token signs nobody in, for the trail. `owner_id` where the token is known. Who asks is told one thing."""

    def __init__(self, why: Any, owner_id: Any = None) -> None:
        super().__init__(why)
        self.owner_id = owner_id


class SecondFactorNeeded(ValueError):
    """Direct identifiers go only into tokens of somebody who has a second factor."""


@dataclass(frozen=True)
class Issued:
    """A new token: its row, and the text that is shown once and stored nowhere."""

    token: ApiToken
    text: str


def _digest(text: str) -> str:
    # A plain hash is enough for 256 random bits: there is nothing to guess, as there is in a password.
    return hashlib.sha256(text.encode()).hexdigest()


def issue(*, access: Access, user: Any, name: Any, scopes: Any, expires_at: Any, site_ids: Any = None) -> Issued:
    """A new token of `user`, who issues it: `Issued`. Reading is part of every token.

    site_ids  sites to which it is limited, among those where the person works; None for all of them
    Raises ValueError for a name, scope, site or expiry that does not fit; PermissionDenied for somebody else's token.
    """
    if access.user_id != user.pk or not access.grants:
        raise PermissionDenied
    name, now = " ".join(name.split()), timezone.now()
    if not 0 < len(name) <= longest(ApiToken, "name"):
        raise ValueError("a token needs a name")
    if not now < expires_at <= now + LONGEST:
        raise ValueError("a token expires within a year")
    reach = set(access.sites_for(*Can))
    if site_ids is not None and (not site_ids or not reach.issuperset(site_ids)):
        raise ValueError("a token is limited to sites where its owner works")
    if _identifies(scopes) and not has_second_factor(user):
        raise SecondFactorNeeded("a token that reads direct identifiers needs a second factor")
    chosen = [
        scope.value for scope in TokenScope if scope == TokenScope.READ or scope in {TokenScope(s) for s in scopes}
    ]
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        start=text[:SHOWN],
        digest=_digest(text),
        scopes=chosen,
        site_ids=None if site_ids is None else sorted(site_ids),
        memberships=_running(user, timezone.localdate()),
        owner_state=User.objects.get(pk=user.pk).sign_in_state,
        expires_at=expires_at,
    )
    return Issued(token, text)


def _identifies(scopes: Any) -> Any:
    """Whether scopes ask for a second factor: those that read identifiers, unless nobody is asked for one here."""
    return TokenScope.IDENTIFY in {TokenScope(scope) for scope in scopes} and settings.SECOND_FACTOR != "none"


def _running(user: Any, day: date) -> Any:
    """[id, role, site id] of each membership that runs on a day."""
    memberships = Membership.objects.running(day).filter(user_id=user.pk).order_by("pk")
    return [list(membership) for membership in memberships.values_list("pk", "role", "site_id")]


def state_of(token: Any) -> str:
    """`running`, `revoked`, `expired`, or `ended` with what its owner was when it was issued; `token.user` is read."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= timezone.now():
        return "expired"
    return "running" if token.user.is_active and token.owner_state == token.user.sign_in_state else "ended"


def revoke(*, access: Access, token: Any) -> None:
    """End a token for good: its owner may, and an administrator. PermissionDenied for everybody else."""
    if access.user_id != token.user_id:
        access.require(Can.ADMINISTER)
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def signed_in(text: str) -> ApiToken:
    """The running ApiToken with this text, its owner at `token.user`. InvalidToken if there is none."""
    day, now = timezone.localdate(), timezone.now()
    token, running = _read(text, day)
    if token is None:
        raise InvalidToken("unknown")
    if why := _fault(token):
        raise InvalidToken(why, token.user_id)
    token.running = [[int(pk), role, site and int(site)] for pk, role, site in running]
    read_beside(token.user, day, [(role, site) for _pk, role, site in token.running])
    unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    return token


# Every request with a token begins with it: one statement, written out as `sites.backend.PERSON` is.
_TOKEN = f"""
    SELECT {rows_of(ApiToken).of("t")}, {rows_of(User).of("u")},
        EXISTS (SELECT FROM {Authenticator._meta.db_table} WHERE user_id = u.id AND type <> %(none)s),
        {running_beside("id::text, role, site_id::text", "u.id")}
    FROM {ApiToken._meta.db_table} t JOIN {User._meta.db_table} u ON u.id = t.user_id WHERE t.digest = %(digest)s
"""


def _read(text: str, day: date) -> tuple:
    """The ApiToken with this text, with `user` and `has_second_factor`, and its owner's memberships that run on a day,
    as texts; (None, ()) where there is none."""
    tokens, users = rows_of(ApiToken), rows_of(User)
    asked = {"digest": _digest(text), "day": day, "none": NO_FACTOR}
    row = first_row(_TOKEN, asked)
    if row is None:
        return None, ()
    *columns, has_second_factor, running = row
    token: Any = tokens.instance(columns[: len(tokens.fields)])
    token.user = users.instance(columns[len(tokens.fields) :])
    token.has_second_factor = has_second_factor
    return token, running


def _fault(token: Any) -> str:
    """Why a token that there is signs nobody in; empty where it does."""
    now = timezone.now()
    faults = {
        "revoked": token.revoked_at is not None,
        "expired": token.expires_at <= now,
        "owner inactive": not token.user.is_active,
        "signed out everywhere, or another password": token.owner_state != token.user.sign_in_state,
        "identifiers without a second factor": _identifies(token.scopes) and not token.has_second_factor,
    }
    return next((why for why, holds in faults.items() if holds), "")


def identify(request: Any) -> None:
    """Sets `request.token`, `request.token_fault` and, where there is a token, `request.user`.

    A token that does not hold signs in nobody, not even the person whose session comes with it.
    """
    request.token, request.token_fault = None, ""
    if not request.path_info.startswith(ADDRESSES):
        return
    scheme, _space, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        return
    try:
        request.token = signed_in(text.strip())
        request.user = request.token.user
        request.access = narrowed(access_of(request.user), request.token)
        if needs_second_factor(request.access) and not request.token.has_second_factor:
            raise InvalidToken("owner without the second factor that is asked of them", request.user.pk)
    except InvalidToken as error:
        request.token, request.user = None, AnonymousUser()
        request.token_fault = _refused(request, text.strip(), error)


def _refused(request: Any, text: str, error: Any) -> str:
    """Put a refused token on record, once for as long as the same one counts; returns REFUSED or TOO_OFTEN."""
    with entered(Scope(request_id=request.id)), transaction.atomic():
        try:
            if attempts.take("api_token", request, guess=text).new:
                detail = {"why": str(error)} | ({"begins": text[:SHOWN]} if error.owner_id else {})
                audit.record("token_refused", table="study_sites_user", row_id=error.owner_id or "", detail=detail)
        except attempts.TooMany:
            return TOO_OFTEN
    return REFUSED


def narrowed(access: Access, token: Any) -> Any:
    """What the owner's `access` leaves to a token."""
    within = frozenset().union(*(ABILITIES[TokenScope(scope)] for scope in token.scopes))
    # What was granted after the token was issued, or in place of what was, is no part of it.
    granted = {Grant(Role(role), site) for pk, role, site in token.running if [pk, role, site] in token.memberships}
    access = replace(access, grants=tuple(grant for grant in access.grants if grant in granted))
    if token.site_ids is None:
        return replace(access, within=within)
    grants = tuple(
        Grant(grant.role, site_id)
        for grant in access.grants
        for site_id in (access.all_site_ids if grant.site_id is None else (grant.site_id,))
        if site_id in token.site_ids
    )
    return replace(access, grants=grants, within=within - OF_ALL_SITES)


def forget_answers() -> None:
    """Delete the answers to idempotent requests that are too old to be given again. Call it in the system's scope."""
    ApiAnswer.objects.filter(answered_at__lt=timezone.now() - ANSWERS_KEPT).delete()
