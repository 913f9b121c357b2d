"""One's own account: password, second factor, sessions."""

from allauth.account.views import PasswordChangeView, PasswordResetFromKeyView, PasswordResetView
from allauth.core.internal.ratelimit import respond_429
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.services.operations import digests
from sites import attempts, audit
from sites.people.sign_ins import end_sessions, needs_second_factor
from sites.tenancy.scope import Scope, entered


@require_safe
def account(request):
    """What one may change about one's own account, and where one is signed in."""
    sessions = UserSession.objects.purge_and_list(request.user)
    context = {
        "factors": Authenticator.objects.filter(user=request.user).exclude(type=Authenticator.Type.RECOVERY_CODES),
        "needs_second_factor": needs_second_factor(request.access),
        "sessions": sorted(sessions, key=lambda session: session.last_seen_at, reverse=True),
        "here": request.session.session_key,
        "may_be_told": bool(digests.TOLD & request.access.roles),
    }
    return render(request, "account/account.html", context)


@require_POST
def digest(request):
    """Have the daily e-mail, or not."""
    request.user.digest = request.POST.get("digest") == "start"
    request.user.save(update_fields=["digest"])
    message = _("You get the daily e-mail.") if request.user.digest else _("You get no daily e-mail any more.")
    messages.success(request, message)
    return redirect("account")


@require_POST
def entry(request):
    """Have long forms in steps, or on one page."""
    request.user.entry_in_steps = request.POST.get("entry") == "steps"
    request.user.save(update_fields=["entry_in_steps"])
    messages.success(request, _("Saved."))
    return redirect("account")


@csrf_exempt  # a mail program that stops e-mails for its reader sends the signed address alone (RFC 8058)
@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_stop(request, token):
    """The link in each daily e-mail, which works without signing in. Opening it asks, because scanners open links."""
    person = digests.person_of(token)
    if person is None:
        raise Http404
    if request.method == "POST" and person.digest:
        with entered(Scope(user_id=person.pk, request_id=request.id, reason="link in the daily e-mail")):
            person.digest = False
            person.save(update_fields=["digest"])
    language = get_language() if settings.LANGUAGE_COOKIE_NAME in request.COOKIES else person.language
    with override(language):
        page = render(request, "account/digest_stop.html", {"email": person.email, "wanted": person.digest})
    page["Referrer-Policy"] = "no-referrer"  # the address is the person's alone
    return page


@require_POST
def session_end(request, session_id):
    """End one of one's own sessions."""
    session = get_object_or_404(UserSession, pk=session_id, user=request.user)
    audit.record("session_ended", table="study_sites_user", row_id=request.user.pk)
    session.end()
    messages.success(request, _("That session is ended."))
    return redirect("account")


@require_POST
def sign_out_everywhere(request):
    """End all of one's own sessions, this one too."""
    end_sessions(request.user)
    logout(request)
    return redirect("login")


class ForgottenPassword(PasswordResetView):
    """Ask for a link by mail. Without a mail server none is made: the page says whom to ask."""

    def post(self, request, *args, **kwargs):
        if not settings.MAIL:
            return self.render_to_response(self.get_context_data(form=self.form_class()))
        return super().post(request, *args, **kwargs)

    def form_valid(self, form):
        try:
            attempts.take("forgotten_password", self.request, person=form.cleaned_data["email"])
        except attempts.TooMany:
            return respond_429(self.request)
        return super().form_valid(form)

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"mail": settings.MAIL, "contact": settings.CONTACT}


forgotten_password = ForgottenPassword.as_view()


class NewPassword(PasswordResetFromKeyView):
    """What a link for a password opens. A link that does not hold is one page, whatever is wrong with it."""

    def dispatch(self, request, uidb36, key, **kwargs):
        try:
            taken = attempts.take("password_link", request, guess=f"{uidb36}-{key}")
        except attempts.TooMany:
            return respond_429(request)
        page = super().dispatch(request, uidb36, key, **kwargs)
        if page.status_code == 302 or self.reset_user:
            taken.undo()
        else:
            page.status_code = 404
        return page


new_password = login_not_required(NewPassword.as_view())


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
