"""How often one may ask: so often a minute for each token (or person), and for each address."""

import time
from math import ceil

from django.conf import settings
from django.core.cache import cache
from rest_framework.throttling import BaseThrottle

WINDOW = 60  # seconds


def address_of(request):
    """Where a request comes from: behind our proxies, what the outermost of them has added, as for sign-ins."""
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return request.META.get("REMOTE_ADDR", "")


class _Window(BaseThrottle):
    """Counts in the cache, in windows that begin with the minute: one round, whatever the rate."""

    def allow_request(self, request, view):
        who = self.who(request)
        if who is None or getattr(request._request, "is_part", False):  # a batch is one request
            return True
        key = f"api-rate:{self.kind}:{who}:{int(time.time()) // WINDOW}"
        used, most = cache.count(key, 2 * WINDOW), settings.API_RATES[self.kind]
        _remember(request._request, most, most - used)
        return used <= most

    def wait(self):
        return WINDOW - time.time() % WINDOW


def _remember(request, most, left):
    """Keep with the request the limit that is nearer."""
    if left < getattr(request, "rate_left", (0, most + 1))[1]:
        request.rate_left = most, left


def told(request, response):
    """The response with how often one may ask a minute, how often still, and when the next minute begins."""
    if (rate := getattr(request, "rate_left", None)) is not None:
        most, left = rate
        response["RateLimit-Limit"] = str(most)
        response["RateLimit-Remaining"] = str(max(left, 0))
        response["RateLimit-Reset"] = str(ceil(WINDOW - time.time() % WINDOW))
    return response


class ByAddress(_Window):
    kind = "address"

    def who(self, request):
        return address_of(request)


class ByToken(_Window):
    kind = "token"

    def who(self, request):
        if request.auth is not None:
            return f"t{request.auth.pk}"
        return f"u{request.user.pk}" if request.user.is_authenticated else None
