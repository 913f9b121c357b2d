"""Confirming who one is: before an act that gives or takes rights, unless one has just signed in or confirmed."""

from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import (
    get_reauthentication_flows,
    is_reauthentication_required,
)
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal.httpkit import add_query_params
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseRedirect

SAFE = ("GET", "HEAD", "OPTIONS")


def require_confirmation(request: Any) -> None:
    """Go on only for somebody who has signed in or confirmed who they are in the last minutes; otherwise ask.

    What was sent waits in the session and is carried out afterwards, but for files and passwords: they are sent again.
    """
    if not get_reauthentication_flows(request.user):
        return _sign_in_again(request)
    if not is_reauthentication_required(request, app="registry"):
        return None
    if request.FILES or any("password" in name for name in request.POST):
        address = get_adapter().get_reauthentication_methods(request.user)[0]["url"]
        here = {REDIRECT_FIELD_NAME: request.get_full_path()}
        raise ImmediateHttpResponse(HttpResponseRedirect(add_query_params(address, here)))
    raise ReauthenticationRequired


def _sign_in_again(request: Any) -> None:
    """Somebody of the single sign-on alone has neither password nor second factor here: their provider asks them."""
    if get_adapter().is_reauthentication_required(app="registry"):
        here = request.get_full_path()
        logout(request)
        raise ImmediateHttpResponse(redirect_to_login(here))


def confirmed(view: Any) -> Any:
    """A view whose unsafe methods ask who one is."""

    @wraps(view)
    def asking(request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.method not in SAFE:
            require_confirmation(request)
        return view(request, *args, **kwargs)

    return asking
