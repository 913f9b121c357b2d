"""Invitations: the only way in for somebody new, apart from what operators do on the server and its screens."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites import audit
from sites.models import Invitation, Membership, User
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import Scope, current, entered, everything


class NotInvited(Exception):
    """The link is of no invitation that can still be accepted: unknown, used, revoked, replaced or too old."""


def invite(invitation: Any, *, access: Access) -> str:
    """Store a new `Invitation` and return the token of its link, which is nowhere else. Raises PermissionDenied."""
    access.require(Can.ADMINISTER)
    if User.objects.filter(email=invitation.email).exists():
        raise ValidationError({"email": _("This person has an account already: give it another role instead.")})
    invitation.invited_by_id = access.user_id
    return _with_new_token(invitation)


def renew(invitation: Any, *, access: Access) -> str:
    """Give an invitation another link and another while; the link before it no longer works. Returns the token."""
    access.require(Can.ADMINISTER)
    if invitation.state in ("accepted", "revoked"):
        raise NotInvited(invitation.state)
    return _with_new_token(invitation)


def _with_new_token(invitation: Any) -> str:
    token = secrets.token_urlsafe(32)
    invitation.token_hash = _hash(token)
    invitation.expires_at = timezone.now() + timedelta(days=settings.INVITATION_DAYS)
    invitation.save()
    return token


def _hash(token: Any) -> str:
    # The token is 256 bits of chance: nothing slower is needed to keep it.
    return hashlib.sha256(token.encode()).hexdigest()


def revoke(invitation: Any, *, access: Access) -> None:
    """The link no longer works. Nothing happens to an account that came of it already."""
    access.require(Can.ADMINISTER)
    if invitation.state in ("open", "expired"):
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])


def invited(token: Any, *, lock: bool = False) -> Invitation:
    """The invitation that this link is of. Raises NotInvited. Call it in the scope of `everything`."""
    invitations = Invitation.objects.select_for_update(of=("self",)) if lock else Invitation.objects.all()
    invitation = invitations.select_related("site", "invited_by").filter(token_hash=_hash(token)).first()
    if invitation is None or invitation.state != "open":
        raise NotInvited(invitation.state if invitation else "unknown")
    if User.objects.filter(email=invitation.email).exists():
        raise NotInvited("account")
    return invitation


@transaction.atomic
def accept(token: Any, *, name: Any, language: str, password: str) -> User:
    """The new User, with the membership that the invitation gives; the link is used up. Raises NotInvited."""
    with everything(reason="invitation accepted"):
        invitation = invited(token, lock=True)
        user = User.objects.create_user(invitation.email, password, name=name, language=language)
        invitation.accepted_at, invitation.accepted_by = timezone.now(), user
        invitation.save(update_fields=["accepted_at", "accepted_by"])
    request_id = current().request_id
    # Who invited has granted the role: that is what the delegation log tells.
    with entered(Scope(user_id=invitation.invited_by_id, request_id=request_id, reason="invitation accepted")):
        Membership.objects.create(
            user=user,
            role=invitation.role,
            site=invitation.site,
            starts_on=max(invitation.starts_on, timezone.localdate()),
            ends_on=invitation.ends_on,
        )
    with entered(Scope(user_id=user.pk, request_id=request_id)):
        audit.record("invitation_accepted", table="study_sites_invitation", row_id=invitation.pk)
    return user
