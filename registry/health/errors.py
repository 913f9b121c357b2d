"""Errors of the server: 503 while the database or the store is away, then with what was sent, and 500 for any other."""

import base64
import hashlib
import sys

from django.http import HttpResponse, HttpResponseServerError
from django.template import loader

from registry.services.files.shared_store import StoreAway
from registry.services.protocol import branding
from sites.logs.request_lines import is_database_away

RETRY_AFTER = "10"  # seconds
LARGEST = 500_000  # characters of what was sent that are given back
# What is typed anew: secrets do not travel in pages.
SECRET = ("password", "code", "token", "secret")


def server_error(request):
    """Django calls it, with the error at hand, for whatever no view and no middleware answered."""
    error = sys.exc_info()[1]
    if isinstance(error, StoreAway) or is_database_away(error):
        return database_away(request)
    return _branded(HttpResponseServerError, "500.html", {"request_id": _id(request)})


def database_away(request):
    """503: nothing was stored. A form that was sent comes back with the answer, to be sent again by one button."""
    context = {"path": request.get_full_path(), "sent": _sent(request), "request_id": _id(request)}
    headers = {"Retry-After": RETRY_AFTER, "Cache-Control": "no-store"}
    return _branded(HttpResponse, "503.html", context, status=503, headers=headers)


def _branded(kind, name, context, **more):
    """A page in the study's name and colours, without the database: the style sheet stands in the page, and the
    content security policy allows that one by its hash.
    """
    brand = branding.remembered()
    response = kind(loader.get_template(name).render(context | {"brand": brand}), **more)
    if brand.style:
        digest = base64.b64encode(hashlib.sha256(brand.style.encode()).digest()).decode()
        response._csp_update = {"style-src": f"'sha256-{digest}'"}
    return response


def _id(request):
    """What a person tells the operator, who finds it in the log."""
    return getattr(request, "id", "")


def _sent(request):
    """[(name, value)] of a form that was sent; None where there is none that could be sent again unseen."""
    if request.method != "POST" or not request.content_type.startswith(("application/x-www-form", "multipart/form")):
        return None
    if request.FILES or any(part in name.lower() for name in request.POST for part in SECRET if name != CSRF):
        return None
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    return fields if sum(len(value) for _name, value in fields) <= LARGEST else None


CSRF = "csrfmiddlewaretoken"
