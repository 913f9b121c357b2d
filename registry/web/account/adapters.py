"""How signing in behaves here: what django-allauth asks of a project, answered."""

import time

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from registry import tasks
from registry.services.operations.field_keys import deployment_cipher
from registry.web.account.session import remember_language, signed_in_at
from sites import attempts, audit
from sites.email_addresses import canonical_or_none
from sites.models import User
from sites.tenancy.scope import Scope, entered

# What is told after an act; django-allauth's other messages say what the page shows anyway.
TOLD = {
    "account/messages/password_changed.txt": _("Your password is changed."),
    "mfa/messages/totp_activated.txt": _("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": _("The authenticator app is removed."),
    "mfa/messages/webauthn_added.txt": _("The key is added."),
    "mfa/messages/webauthn_removed.txt": _("The key is removed."),
    "mfa/messages/recovery_codes_generated.txt": _("Here are your recovery codes. Keep them where nobody else looks."),
}


# What a person is told by mail, whoever did it. The mail has the moment and nothing else: no address, no device.
NOTICES = {
    "account/email/password_changed": _("The password of your Metaspine account was changed."),
    "account/email/password_set": _("The password of your Metaspine account was changed."),
    "account/email/password_reset": _("The password of your Metaspine account was set anew with a link."),
    "mfa/email/totp_activated": _("An authenticator app was set up for your Metaspine account."),
    "mfa/email/totp_deactivated": _("The authenticator app of your Metaspine account was removed."),
    "mfa/email/webauthn_added": _("A security key or passkey was added to your Metaspine account."),
    "mfa/email/webauthn_removed": _("A security key or passkey was removed from your Metaspine account."),
    "mfa/email/recovery_codes_generated": _("New recovery codes were made for your Metaspine account."),
    "token_issued": _("An API token was issued for your Metaspine account."),
    "address_changed": _("An administrator changed the e-mail address of your Metaspine account."),
    "second_factor_reset": _("An administrator removed the second factor of your Metaspine account."),
}


def notify(notice, user, address=""):
    """Tell a person by mail, in their language, what changed about how they sign in; nothing without a mail server.

    address  another than the person has now
    """
    if not settings.MAIL or notice not in NOTICES:
        return
    with override(user.language):
        body = render_to_string("account/email/changed_message.txt", {"what": NOTICES[notice], "when": timezone.now()})
        tasks.start_mail(
            settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + _("your sign-in was changed"), body.strip(), address or user.email
        )


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("The e-mail address or the password is not right. Check both and try again."),
        "too_many_login_attempts": _("There were too many attempts. Wait a quarter of an hour and try again."),
        "incorrect_password": _("The password is not right."),
        "enter_current_password": _("The present password is not right."),
        "invalid_password_reset": _("The link is not valid any more."),
    }

    def is_open_for_signup(self, request):
        return False

    def authenticate(self, request, **credentials):
        """The User with this address and password, or None. At the limits no password is tried."""
        email = canonical_or_none(credentials.get("email", ""))
        user = User.objects.filter(email=email).first() if email else None
        taken = self.counted("login_failed", request, user, email)
        authenticated = super().authenticate(request, **credentials)
        if authenticated:
            taken.undo()
        return authenticated

    def pre_authenticate(self, request, **credentials):
        """Counted already, by person: django-allauth would count by what was typed."""

    def counted(self, kind, request, user, email=""):
        """The attempts.Taken of a guess at a person's secret. Raises ValidationError at the limits."""
        try:
            return attempts.take(kind, request, person=email or user.email, user=user)
        except attempts.TooMany:
            raise self.validation_error("too_many_login_attempts") from None

    def reauthenticate(self, user, password):
        """Whether this is the password of somebody signed in: counted with those of the sign-in."""
        taken = self.counted("login_failed", context.request, user)
        right = user.check_password(password)
        if right:
            taken.undo()
        else:
            audit.record("confirmation_failed", table="study_sites_user", row_id=user.pk)
        return right

    def is_reauthentication_required(self, *, app, **kwargs):
        """Not in the first minutes after signing in: that was authentication."""
        return time.time() - signed_in_at(context.request) > settings.ACCOUNT_REAUTHENTICATION_TIMEOUT

    def post_login(self, request, user, **kwargs):
        with override(user.language):
            response = super().post_login(request, user, **kwargs)
        return remember_language(response, user.language)

    def add_message(self, request, level, message_template=None, message_context=None, extra_tags="", message=None):
        if text := message or TOLD.get(message_template):
            messages.add_message(request, level, text, extra_tags=extra_tags)

    def send_mail(self, template_prefix, email, context):
        """Through the worker: nobody waits for a mail server, or can tell by the wait who has an account.

        To a person's stored address, whatever was typed.
        """
        user = context.get("user")
        to = user.email if user else email
        mail = self.render_mail(template_prefix, to, context)
        tasks.start_mail(mail.subject, mail.body, to)

    def send_notification_mail(self, template_prefix, user, context=None, email=None):
        """django-allauth would write to addresses that it keeps itself; here a person has one."""
        notify(template_prefix, user)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps and recovery codes are kept encrypted with the deployment's field keys."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": _("The code is not right. Try another.")}

    def encrypt(self, text):
        return deployment_cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text):
        return deployment_cipher().decrypt(encrypted_text.encode()).decode()


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """A provider says who somebody is; that the person has an account here comes from an invitation."""

    def is_open_for_signup(self, request, sociallogin):
        return False

    def pre_social_login(self, request, sociallogin):
        """Tie the provider's person to the account of the same address, once, if the provider has verified it."""
        if sociallogin.is_existing:
            return
        verified = [canonical_or_none(address.email) for address in sociallogin.email_addresses if address.verified]
        user = User.objects.filter(email__in=filter(None, verified), is_active=True).first()
        if user is None:
            audit.record("sign_in_failed", table="study_sites_user", detail={"by": "single sign-on"})
            raise ImmediateHttpResponse(render(request, "account/no_account.html", status=403))
        sociallogin.connect(request, user)
        with entered(Scope(user_id=user.pk, request_id=request.id)):
            audit.record("single_sign_on_connected", table="study_sites_user", row_id=user.pk)
