"""Signing in, and the language that a person reads."""

import hashlib

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import check_for_language, override
from django.utils.translation import gettext_lazy as _
from django.views import i18n
from django.views.decorators.http import require_POST

ATTEMPTS = 10  # failed ones for one address
PAUSE = 15 * 60  # seconds from the first of them


class SignInForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": _("The e-mail address or the password is not right. Check both and try again."),
        "too_many": _("There were too many attempts with this address. Wait a quarter of an hour and try again."),
    }

    def __init__(self, request=None, *args, **kwargs):
        super().__init__(request, *args, **kwargs)
        self.fields["username"].widget.attrs["inputmode"] = "email"
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control form-control-lg"

    def clean(self):
        """Ten wrong passwords for one address, known or not, and no password is tried for a while."""
        address = self.cleaned_data.get("username", "").lower()
        failed = f"sign-in:{hashlib.sha256(address.encode()).hexdigest()}"
        if cache.get(failed, 0) >= ATTEMPTS:
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned = super().clean()
        except ValidationError:
            cache.add(failed, 0, PAUSE)
            cache.incr(failed)
            raise
        cache.delete(failed)
        return cleaned


class SignIn(LoginView):
    """Sign in with e-mail address and password; the person's own language holds from then on."""

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form):
        with override(form.get_user().language):
            response = super().form_valid(form)
        return remember_language(response, form.get_user().language)


sign_in = login_not_required(SignIn.as_view())


def remember_language(response, language):
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@login_not_required
@require_POST
def set_language(request):
    """Switch the language of the pages, and for someone signed in remember it."""
    response = i18n.set_language(request)
    language = request.POST.get("language", "")
    if not check_for_language(language):
        return response
    if request.user.is_authenticated and request.user.language != language:
        request.user.language = language
        request.user.save(update_fields=["language"])
    return remember_language(response, language)
