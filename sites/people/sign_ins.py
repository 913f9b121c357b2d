"""What is done about a person's sessions and second factors, by themselves or by an administrator."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import F

from sites import audit
from sites.models import User


def end_sessions(user):
    """End every session of a person at once, wherever it is; a new sign-in is all that helps."""
    User.objects.filter(pk=user.pk).update(sign_in_epoch=F("sign_in_epoch") + 1)
    for one in UserSession.objects.filter(user_id=user.pk):
        one.end()
    audit.record("sessions_ended", table="study_sites_user", row_id=user.pk)


def reset_second_factor(user):
    """Take away every second factor of a person, for somebody who lost theirs, and end their sessions."""
    Authenticator.objects.filter(user_id=user.pk).delete()
    audit.record("second_factor_reset", table="study_sites_user", row_id=user.pk)
    end_sessions(user)
