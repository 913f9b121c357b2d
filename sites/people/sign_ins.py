"""What is done about a person's sessions and second factors, by themselves or by an administrator."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from sites import audit
from sites.models import ApiToken, User
from sites.tenancy.access import CENTRAL_ROLES, Access, Can


def _tell_nobody(notice: str, user: Any, address: str) -> None:
    """What there is before notices are provided."""


_notify: Callable[[str, Any, str], None] = _tell_nobody


def provide_notices(notify: Callable[[str, Any, str], None]) -> None:
    """Let `notify(notice, user, address)` tell somebody at an address what changed about how they sign in."""
    global _notify
    _notify = notify


def needs_second_factor(access: Access) -> Any:
    """Whether people with this access must have a second factor, as settings.SECOND_FACTOR has it."""
    of_central_role = bool(access.roles & CENTRAL_ROLES)
    match settings.SECOND_FACTOR:
        case "none":
            return False
        case "all":
            return True
        case "central":
            return of_central_role
    return of_central_role or access.may(Can.IDENTIFY) or len(access.sites_for(*Can)) > 1


NO_FACTOR = Authenticator.Type.RECOVERY_CODES  # alone; they stand in for a factor that there is


def second_factors(user_id: Any) -> Any:
    """The Authenticators of a person, of which each is a second factor; recovery codes alone are none."""
    return Authenticator.objects.filter(user_id=user_id).exclude(type=NO_FACTOR)


def has_second_factor(user: Any) -> bool:
    return second_factors(user.pk).exists()


def end_sessions(user: Any) -> None:
    """End every session and API token of a person at once, wherever it is; a new sign-in is all that helps."""
    User.objects.filter(pk=user.pk).update(sign_in_epoch=F("sign_in_epoch") + 1)
    for session in UserSession.objects.filter(user_id=user.pk):
        session.end()
    ApiToken.objects.filter(user_id=user.pk, revoked_at=None).update(revoked_at=timezone.now())
    audit.record("sessions_ended", table="study_sites_user", row_id=user.pk)


def reset_second_factor(user: Any) -> None:
    """Take away every second factor of a person, for somebody who lost theirs, and end their sessions."""
    Authenticator.objects.filter(user_id=user.pk).delete()
    audit.record("second_factor_reset", table="study_sites_user", row_id=user.pk)
    end_sessions(user)


def address_changed(user: Any, before: str) -> None:
    """An administrator gave a person another address: all their sessions and tokens end, and both addresses are told.

    Whoever reads the new mailbox can be sent a link for a password, so nobody becomes somebody else unnoticed.
    """
    end_sessions(user)
    for address in (before, user.email):
        _notify("address_changed", user, address)


def password_given(user: Any) -> None:
    """An administrator set a person's password, which ends their sessions: the person is told."""
    _notify("account/email/password_set", user, user.email)
