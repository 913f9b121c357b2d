"""Signing in, and the language that a person reads."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.utils.translation import check_for_language, override
from django.utils.translation import gettext_lazy as _
from django.views import i18n
from django.views.decorators.http import require_POST


class SignInForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": _("The e-mail address or the password is not right. Check both and try again."),
    }

    def __init__(self, request=None, *args, **kwargs):
        super().__init__(request, *args, **kwargs)
        self.fields["username"].widget.attrs["inputmode"] = "email"
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control form-control-lg"


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
