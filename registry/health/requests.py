"""Request middleware, the outermost: gives each request its id, times it, counts it, and tells what was slow or failed.

The log names the view, never the address: addresses hold patients' numbers.
"""

import logging
import time

from django.conf import settings

from registry.health import metrics
from sites.logs import request_id

log = logging.getLogger("registry.requests")


class RequestMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.id = request_id.new()
        request_id.begin(request.id)
        began = time.monotonic()
        response = self.get_response(request)
        response[request_id.HEADER] = request.id
        if not request.path_info.startswith("/health/"):
            _told(request, response.status_code, time.monotonic() - began)
        return response


def _told(request, status, seconds):
    view = request.resolver_match.view_name if request.resolver_match else ""
    metrics.count(view, request.method, status, seconds)
    slow = seconds > settings.SLOW_REQUEST_SECONDS
    if slow or status >= 500 or settings.LOG_REQUESTS:
        facts = {"view": view, "method": request.method, "status": status, "milliseconds": round(1000 * seconds)}
        level = logging.WARNING if slow or status >= 500 else logging.INFO
        words = "%s %s: %d in %d ms", request.method, view or "no view", status, facts["milliseconds"]
        log.log(level, *words, extra={"facts": facts})
