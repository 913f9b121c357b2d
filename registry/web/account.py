"""One's own account: password, second factor, sessions."""

from allauth.account.views import PasswordChangeView
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.web.session import has_second_factor, needs_second_factor
from sites import audit
from sites.sign_ins import end_sessions


@require_safe
def account(request):
    """What one may change about one's own account, and where one is signed in."""
    sessions = UserSession.objects.purge_and_list(request.user)
    context = {
        "factors": Authenticator.objects.filter(user=request.user).exclude(type=Authenticator.Type.RECOVERY_CODES),
        "has_second_factor": has_second_factor(request.user),
        "needs_second_factor": needs_second_factor(request.access),
        "sessions": sorted(sessions, key=lambda one: one.last_seen_at, reverse=True),
        "here": request.session.session_key,
    }
    return render(request, "account/account.html", context)


@require_POST
def session_end(request, session_id):
    """End one of one's own sessions."""
    one = get_object_or_404(UserSession, pk=session_id, user=request.user)
    audit.record("session_ended", table="study_sites_user", row_id=request.user.pk)
    one.end()
    messages.success(request, _("That session is ended."))
    return redirect("account")


@require_POST
def sign_out_everywhere(request):
    """End all of one's own sessions, this one too."""
    end_sessions(request.user)
    logout(request)
    return redirect("login")


class ChangePassword(PasswordChangeView):
    """The other sessions end with the password; a person of the single sign-on has none to change."""

    template_name = "account/password_change.html"
    success_url = reverse_lazy("account")

    def dispatch(self, request, *args, **kwargs):
        if not request.user.has_usable_password():
            return redirect("account")
        return super().dispatch(request, *args, **kwargs)

    def get_default_success_url(self):
        return reverse_lazy("account")


change_password = ChangePassword.as_view()
