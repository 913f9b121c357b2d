"""Sessions: how long they last, what a page may ask about its own, who needs a second factor, and the language."""

import time
from urllib.parse import urlsplit, urlunsplit

from allauth.account.views import LoginView
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from sites import audit
from sites.people.sign_ins import has_second_factor, needs_second_factor
from sites.tenancy.scope import Scope, entered

# What a page asks by itself is no sign that somebody is there.
PASSIVE = frozenset({"session", "comparison_progress"})
# What someone who must set up a second factor can still open.
OPEN_WITHOUT_FACTOR = frozenset(
    {"account", "account_reauthenticate", "logout", "account_logout", "set_language", "session", "session_stay"}
)


class SignIn(LoginView):
    """Sign in with e-mail address and password, then with the second factor where there is one."""

    template_name = "registration/login.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"mail": settings.MAIL, "single_sign_on": _single_sign_on()}


sign_in = SignIn.as_view()


def _single_sign_on():
    """Name of the single sign-on, or None."""
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    return apps[0]["name"] if apps else None


def signed_in_at(request):
    """When this session's person signed in, in seconds since 1970; 0 where that is not known."""
    return request.session.get("signed_in_at", 0)


def _ends_in(session, now):
    """Seconds until the session ends: by doing nothing, and whatever happens."""
    idle = session.get("seen_at", 0) + settings.SESSION_IDLE_SECONDS - now
    return idle, session.get("signed_in_at", 0) + settings.SESSION_COOKIE_AGE - now


def seconds_left(session):
    """Whole seconds until this session ends if nothing more is done, and not below zero."""
    return max(0, int(min(_ends_in(session, time.time()))))


class SessionLimits:
    """Ends a session that nobody used for a while, or that is too old; what is asked by a person keeps it alive."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.user.is_authenticated and min(_ends_in(request.session, time.time())) <= 0:
            with entered(Scope(user_id=request.user.pk)), transaction.atomic():
                audit.record("session_expired", table="study_sites_user", row_id=request.user.pk)
            request.session.flush()
            request.user = AnonymousUser()
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        by_session = request.user.is_authenticated and request.token is None
        if by_session and request.resolver_match.url_name not in PASSIVE:
            touch(request.session)


class SignInFirst(LoginRequiredMiddleware):
    """As Django's, but whoever sent something comes back to the page that it was sent from.

    Many addresses take only what a form sends; opened after signing in, they would be no page.
    """

    def handle_no_permission(self, request, view_func):
        if request.method in ("GET", "HEAD"):
            return super().handle_no_permission(request, view_func)
        sent_from = request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(sent_from, {request.get_host()}, request.is_secure()):
            sent_from = ""
        page = urlsplit(sent_from)
        back = urlunsplit(("", "", page.path or "/", page.query, ""))
        return redirect_to_login(back, f"{reverse('login')}?not_sent=1")


class NotAPage:
    """An address that only takes what a form sends, opened as a page, says so instead of nothing."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if response.status_code != 405 or response.content or "text/html" not in request.headers.get("Accept", ""):
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page


def touch(session):
    """Note that the person is there; not more often than needed, because each note is a write."""
    now = time.time()
    if now - session.get("seen_at", 0) > min(60, settings.SESSION_IDLE_SECONDS / 20):
        session["seen_at"] = now
        UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=timezone.now())


class SecondFactorRequired:
    """Whoever must have a second factor and has none gets no further than to the pages that set one up."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        # A token was made by somebody who had signed in with all that is needed.
        if not request.user.is_authenticated or request.token or not needs_second_factor(request.access):
            return None
        if has_second_factor(request.user):
            return None
        request.second_factor_missing = True
        name = request.resolver_match.url_name or ""
        return None if name in OPEN_WITHOUT_FACTOR or name.startswith("mfa_") else redirect("mfa_index")


@never_cache
@login_not_required
@require_safe
def session(request):
    """What a page asks by itself: whose session this is, how long it lasts, and the token that its forms need."""
    if not request.user.is_authenticated:
        return JsonResponse({"person": None, "csrf": get_token(request)})
    return JsonResponse(_state(request))


@require_POST
def session_stay(request):
    """The person is there. That a request came says it all."""
    request.session["seen_at"] = time.time()
    return JsonResponse(_state(request))


def _state(request):
    idle, rest = _ends_in(request.session, time.time())
    left = {"left": int(min(idle, rest)), "extends": idle < rest}
    return {"person": request.user.pk, "csrf": get_token(request)} | left


@require_safe
def session_back(request):
    """Where somebody lands who signed in again beside a page that is still open."""
    return render(request, "account/back.html")


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
