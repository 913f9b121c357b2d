"""Sign-ins, failures and second factors belong to the audit trail; only signals tell of them."""

import time

from allauth.mfa import signals as second_factor
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from sites import audit
from sites.tenancy.scope import Scope, entered


def _record(action, request, user, detail=None):
    request_id = getattr(request, "id", "")
    with entered(Scope(user_id=user.pk if user else None, request_id=request_id)):
        audit.record(action, table="study_sites_user", row_id=user.pk if user else "", detail=detail)


@receiver(user_logged_in)
def signed_in(sender, request, user, **kwargs):
    if hasattr(request, "session"):
        request.session["signed_in_at"] = request.session["seen_at"] = time.time()
    _record("sign_in", request, user)


@receiver(user_logged_out)
def signed_out(sender, request, user, **kwargs):
    if user:
        _record("sign_out", request, user)


@receiver(user_login_failed)
def sign_in_failed(sender, credentials, request=None, **kwargs):
    # The address is not stored: what someone types there may be a password.
    _record("sign_in_failed", request, None)


@receiver(second_factor.authentication_failed)
def second_factor_failed(sender, request, user, authenticator, **kwargs):
    # The password was right: whose account it is about is known.
    audit.record(
        "second_factor_failed", table="study_sites_user", row_id=user.pk, detail={"factor": authenticator.type}
    )


@receiver(post_save, sender=Authenticator)
def second_factor_added(sender, instance, created, **kwargs):
    if created:
        audit.record(
            "second_factor_added", table="study_sites_user", row_id=instance.user_id, detail={"factor": instance.type}
        )


@receiver(post_delete, sender=Authenticator)
def second_factor_removed(sender, instance, **kwargs):
    audit.record(
        "second_factor_removed", table="study_sites_user", row_id=instance.user_id, detail={"factor": instance.type}
    )
