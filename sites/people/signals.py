"""Sign-ins, failures and second factors belong to the audit trail; only signals tell of them."""

import time
from typing import Any

from allauth.mfa import signals as second_factor
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from sites import audit
from sites.tenancy.scope import Scope, entered


def _record(action: Any, request: Any, user: Any, detail: Any = None) -> None:
    request_id = getattr(request, "id", "")
    with entered(Scope(user_id=user.pk if user else None, request_id=request_id)):
        audit.record(action, table="study_sites_user", row_id=user.pk if user else "", detail=detail)


@receiver(user_logged_in)
def signed_in(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    if hasattr(request, "session"):
        request.session["signed_in_at"] = request.session["seen_at"] = time.time()
    _record("sign_in", request, user)


@receiver(user_logged_out)
def signed_out(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    if user:
        _record("sign_out", request, user)


@receiver(user_login_failed)
def sign_in_failed(sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
    # The address is not stored: what someone types there may be a password.
    _record("sign_in_failed", request, None)


@receiver(second_factor.authentication_failed)
def second_factor_failed(sender: Any, request: Any, user: Any, authenticator: Any, **kwargs: Any) -> None:
    # The password was right: whose account it is about is known.
    audit.record(
        "second_factor_failed", table="study_sites_user", row_id=user.pk, detail={"factor": authenticator.type}
    )


@receiver(post_save, sender=Authenticator)
def second_factor_added(sender: Any, instance: Any, created: Any, **kwargs: Any) -> None:
    if created:
        audit.record(
            "second_factor_added", table="study_sites_user", row_id=instance.user_id, detail={"factor": instance.type}
        )


@receiver(post_delete, sender=Authenticator)
def second_factor_removed(sender: Any, instance: Any, **kwargs: Any) -> None:
    audit.record(
        "second_factor_removed", table="study_sites_user", row_id=instance.user_id, detail={"factor": instance.type}
    )
