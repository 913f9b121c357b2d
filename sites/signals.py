"""Sign-ins and failures belong to the audit trail; Django tells of them by signals only."""

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from sites import audit
from sites.scope import Scope, entered


def _record(action, request, user, detail=None):
    request_id = getattr(request, "id", "")
    with entered(Scope(user_id=user.pk if user else None, request_id=request_id)):
        audit.record(action, table="study_sites_user", row_id=user.pk if user else "", detail=detail)


@receiver(user_logged_in)
def signed_in(sender, request, user, **kwargs):
    _record("sign_in", request, user)


@receiver(user_logged_out)
def signed_out(sender, request, user, **kwargs):
    if user:
        _record("sign_out", request, user)


@receiver(user_login_failed)
def sign_in_failed(sender, credentials, request=None, **kwargs):
    # The address is not stored: what someone types there may be a password.
    _record("sign_in_failed", request, None)
