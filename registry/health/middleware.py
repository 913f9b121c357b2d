"""Health endpoints: /health/live and /health/ready, before every other middleware.

live   the process answers
ready  it can serve: 200, else 503. The body says for each part how it is; what works in the background and is silent
       does not take a web server out of service, because people go on working without it. `?all` counts that too.

metrics of Prometheus at /health/metrics, for who shows the token (`registry.health.metrics`).

None needs a session, a host name or TLS, and the first two tell no more than one word about a part.
"""

from django.conf import settings
from django.db import connection
from django.http import HttpResponse, JsonResponse

from registry.health import metrics
from registry.health.readiness import OK, readiness, serves


class HealthMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path_info == "/health/live":
            return _told({"process": OK}, 200)
        if request.path_info == "/health/ready":
            return ready(request)
        if request.path_info == "/health/metrics" and settings.METRICS_TOKEN:
            return _metrics(request)
        return self.get_response(request)


def _metrics(request):
    if not metrics.is_asked_by(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        content, kind = metrics.exposition()
    finally:
        connection.close_if_unusable_or_obsolete()
    return HttpResponse(content, content_type=kind, headers={"Cache-Control": "no-store"})


def ready(request):
    try:
        checks = readiness()
    finally:
        connection.close_if_unusable_or_obsolete()
    good = all(state == OK for state in checks.values()) if "all" in request.GET else serves(checks)
    return _told(checks, 200 if good else 503)


def _told(checks, status):
    overall = OK if all(state == OK for state in checks.values()) else "degraded" if status == 200 else "failed"
    response = JsonResponse({"status": overall} | checks, status=status)
    response["Cache-Control"] = "no-store"
    if status == 503:
        response["Retry-After"] = "5"
    return response
