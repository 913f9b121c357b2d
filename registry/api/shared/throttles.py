"""How often one may ask: so often a minute for each token (or person), and for each address."""

import time
from math import ceil

from django.conf import settings
from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle

WINDOW = 60  # seconds


def address_of(request):
    """Where a request comes from: behind our proxies, what the outermost of them has added, as for sign-ins."""
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return request.META.get("REMOTE_ADDR", "")


def check(request):
    """Raise Throttled where an address asks more often than it may, or a token does: both are counted in one round.

    It comes before anybody is signed in, so that guesses count; the middleware knows the token by then.
    """
    who = {"address": address_of(request)}
    if token := getattr(request._request, "token", None):
        who["token"] = f"t{token.pk}"
    _count(request, who)


class BySession(BaseThrottle):
    """Whoever asks by a session is counted as a token is, once it is certain that the person sent the request."""

    def allow_request(self, request, view):
        if request.auth is None and request.user.is_authenticated:
            _count(request, {"token": f"u{request.user.pk}"})
        return True


def _count(request, who):
    """Count one more of each, in windows that begin with the minute; Throttled where that is too often.

    who  kind of limit to who is counted
    """
    asked = request._request
    if getattr(asked, "is_part", False):  # a batch is one request
        return
    now = time.time()
    keys = [f"api-rate:{kind}:{counted}:{int(now) // WINDOW}" for kind, counted in who.items()]
    for kind, used in zip(who, cache.count(keys, 2 * WINDOW), strict=True):
        most = settings.API_RATES[kind]
        _remember(asked, most, most - used)
    if asked.rate_left[1] < 0:
        raise Throttled(WINDOW - now % WINDOW)


def _remember(request, most, left):
    """Keep with the request the limit that is nearer."""
    if left < getattr(request, "rate_left", (0, most + 1))[1]:
        request.rate_left = most, left


def with_limits(request, response):
    """The response with how often one may ask a minute, how often still, and when the next minute begins."""
    if (rate := getattr(request, "rate_left", None)) is not None:
        most, left = rate
        response["RateLimit-Limit"] = str(most)
        response["RateLimit-Remaining"] = str(max(left, 0))
        response["RateLimit-Reset"] = str(ceil(WINDOW - time.time() % WINDOW))
    return response
