"""Errors as problem documents (RFC 9457), whoever raises them: a view, a middleware or the address itself.

{"type": "about:blank", "title": …, "status": …, "detail": …, "errors": {field: [reason, …]}}; `errors` stands only
where fields are at fault, and then names all of them.
"""

import json
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.views import set_rollback

from registry.imports.files import uploads
from registry.instruments.base import Label
from registry.services.records.storing import Conflict, Locked
from registry.services.review.queries import WrongState

MEDIA_TYPE = "application/problem+json"
FHIR = "application/fhir+json"  # the FHIR server says what is wrong in its own way
PREFIX = "/api/"
FHIR_PREFIX = "/api/fhir/"


class Problem(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status, detail="", *, errors=None, headers=None):
        self.status, self.detail, self.errors, self.headers = status, detail, errors or {}, headers or {}
        super().__init__(detail)


def refused(errors):
    """422 for fields at fault: {name ("" for the whole): [Label or text, …]}."""
    return Problem(422, _("Some fields cannot be stored."), errors=errors)


def document(status, detail="", *, errors=None, headers=None):
    """The response with a problem document."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        content["detail"] = detail
    if errors:
        content["errors"] = {name: [_said(label) for label in labels] for name, labels in errors.items()}
    body = json.dumps(content, ensure_ascii=False)
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE, headers=headers or {})


def outcome(status, detail="", *, headers=None):
    """The response with FHIR's own document of an error, where none of its views has said what is wrong."""
    issue = {"severity": "error", "code": "processing", "details": {"text": str(detail or HTTPStatus(status).phrase)}}
    content = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}, ensure_ascii=False)
    return HttpResponse(content, status=status, content_type=FHIR, headers=headers or {})


def _said(reason):
    return reason.in_language(get_language()) if isinstance(reason, Label) else str(reason)


def handler(error, context):
    """What Django REST framework asks for every exception of a view; None for a defect, which stays one."""
    answer = _answer(error, context)
    if answer is not None:
        set_rollback()
    return answer


def _answer(error, context):
    if isinstance(error, Problem):
        return document(error.status, error.detail, errors=error.errors, headers=error.headers)
    if isinstance(error, Http404):
        return document(404, _("There is no such thing here."))
    if isinstance(error, PermissionDenied):
        return document(403, _("You may not do this."))
    if isinstance(error, Conflict):
        return document(412, _("Somebody else has changed this since it was read. Read it again."))
    if isinstance(error, Locked):
        return document(409, _("This form is signed. It must be unlocked before it can change."))
    if isinstance(error, WrongState):
        state = error.query.get_state_display().lower()
        return document(409, _("This query is %(state)s in the meantime. Nothing was stored.") % {"state": state})
    if isinstance(error, exceptions.APIException):
        return document(error.status_code, _told(error), headers=_headers(error))
    return None


def _told(error):
    return error.detail if isinstance(error.detail, str) else ""


def _headers(error):
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return headers


class ProblemMiddleware:
    """Makes a problem document of every error under the API that is none yet (an OperationOutcome under FHIR), and
    refuses bodies that are too large.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        said = outcome if request.path_info.startswith(FHIR_PREFIX) else document
        largest = LARGEST_FILES if request.path_info == IMPORTS else LARGEST_BODY
        if _length(request) > largest:
            return said(413, _("A request has at most %(n)s bytes.") % {"n": largest})
        response = self.get_response(request)
        if response.status_code < 400 or response.headers.get("Content-Type", "").startswith((MEDIA_TYPE, FHIR)):
            return response
        headers = {name: response[name] for name in KEPT if name in response}
        answer = said(response.status_code, headers=headers)
        answer.cookies = response.cookies
        return answer


LARGEST_BODY = 1_000_000
IMPORTS, LARGEST_FILES = "/api/v1/imports", uploads.MOST_FILES * uploads.LARGEST  # each file has a limit of its own
KEPT = ("Allow", "Content-Range", "Retry-After", "WWW-Authenticate")


def _length(request):
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
