"""What every FHIR address has in common: media types, errors as OperationOutcome, the address of the server.

Who asks, by token or session, and how often one may, is as in the rest of the API.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import reverse
from django.utils.translation import get_language
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from registry.api.shared import throttles
from registry.api.shared.problems import Problem
from registry.api.shared.signing_in import Allowed
from registry.fhir.mapping.faults import Fault, InvalidResource, outcome, path_of
from registry.instruments.base import Label
from registry.instruments.spelling import Unfit, read_json
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired

MEDIA_TYPE = "application/fhir+json"
LARGEST = 1_000_000  # bytes of a body

NOT_JSON = Label("The body is no JSON object.", "本文がJSONオブジェクトではありません。")
TOO_LARGE = Label("The body is too large.", "本文が大きすぎます。")
NOT_FOUND = Label("There is no such resource.", "該当するリソースがありません。")
CONFLICT = Label(
    "Somebody else has changed this since it was read. Read it again.",
    "読み込んだ後に他の人が変更しました。もう一度読み込んでください。",
)
LOCKED = Label("This form is signed: it must be unlocked first.", "署名済みです。先に署名を解除してください。")
NEEDS_REASON = Label(
    "A completed form changes only with a reason: the extension urn:metaspine:reason-for-change.",
    "完了した書式の変更には理由が必要です（拡張urn:metaspine:reason-for-change）。",
)
FORBIDDEN = Label("You may not do this.", "この操作は許可されていません。")
SIGN_IN = Label("Sign in first.", "ログインしてください。")


# Where a fault is that belongs to no item of an instrument.
PATHS = {"": "QuestionnaireResponse", "assessment_date": "QuestionnaireResponse.authored"}


class Refused(Exception):
    """An answer that is not what was asked for: a status and its faults."""

    def __init__(self, status, reason, code="processing", path=""):
        self.status, self.faults = status, [Fault(path, code, reason)]
        super().__init__(reason.en)


class FHIRParser(BaseParser):
    """A JSON object of FHIR. Numbers that JSON has not (NaN) are refused."""

    media_type = MEDIA_TYPE

    def parse(self, stream, media_type=None, parser_context=None):
        body = stream.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise Refused(413, TOO_LARGE, "too-long")
        try:
            resource = read_json(body, parse_constant=_refuse)
        except Unfit as error:
            raise Refused(400, error.reason, "value") from None
        except ValueError:
            raise Refused(400, NOT_JSON, "structure") from None
        if not isinstance(resource, dict):
            raise Refused(400, NOT_JSON, "structure")
        return resource


def _refuse(name):
    raise ValueError(name)


class JSONParser(FHIRParser):
    media_type = "application/json"


class FHIRRenderer(JSONRenderer):
    media_type = MEDIA_TYPE
    charset = "utf-8"


class PlainRenderer(JSONRenderer):
    charset = "utf-8"


NO_PARAMETER = Label("{name} is not understood at this address.", "{name}はこのアドレスでは使えません。")
NO_FORMAT = Label("_format is json; there is no other.", "_formatはjsonのみです。")
FORMATS = ("json", MEDIA_TYPE, "application/fhir json", "application/json", "text/json")  # a plus sign that was lost


class Resource(APIView):
    """One address of the FHIR server.

    searches     whether it has parameters of its own, which it looks at itself
    conditional  whether it looks at If-None-Exist
    """

    searches = conditional = False

    renderer_classes = (FHIRRenderer, PlainRenderer)
    parser_classes = (FHIRParser, JSONParser)
    permission_classes: Sequence[type[BasePermission]] = (Allowed,)
    throttle_classes = (throttles.BySession,)
    needs: Mapping[str, Any] = {}
    scopes: Mapping[str, Any] = {}
    http_method_names = ("get", "head", "post", "put")
    schema = None  # FHIR describes itself: /metadata

    def initial(self, request, *args, **kwargs):
        throttles.check(request)
        super().initial(request, *args, **kwargs)
        if request.query_params.get("_format", "json") not in FORMATS:
            raise Refused(406, NO_FORMAT, "not-supported")
        others = [name for name in request.query_params if name not in ("_format", "_pretty")]
        if others and not self.searches:
            raise Refused(400, NO_PARAMETER.format(name=others[0][:40]), "not-supported")
        if "If-None-Exist" in request.headers and not (self.conditional and request.method == "POST"):
            raise Refused(400, NO_PARAMETER.format(name="If-None-Exist"), "not-supported")

    @property
    def access(self):
        return self.request._request.access

    @property
    def base(self):
        return self.request.build_absolute_uri(reverse("fhir:metadata")).rpartition("/")[0]

    @property
    def sent(self):
        """The resource in the body."""
        content_type = self.request.content_type.partition(";")[0].strip().lower()
        if content_type not in (MEDIA_TYPE, JSONParser.media_type):
            raise exceptions.UnsupportedMediaType(content_type[:80])  # of a form, Django has made something by now
        return self.request.data

    def get_exception_handler(self):
        return _handled

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return throttles.with_limits(request._request, response)


def shown(resource, status=200, **headers):
    """A resource with its version as ETag."""
    version = resource.get("meta", {}).get("versionId")
    if version:
        headers["ETag"] = f'W/"{version}"'
    return Response(resource, status=status, headers=headers)


def _handled(error, context):
    """Every exception as an OperationOutcome; None for a defect, which stays one."""
    status, faults, headers = _told(error)
    if status is None:
        return None
    set_rollback()
    return Response(outcome(faults, get_language()), status=status, headers=headers)


# What is said of faults that say nothing themselves: kind to (status, path, code of the issue, Label).
PLAIN = {
    Conflict: (412, "", "conflict", CONFLICT),
    Locked: (409, "", "business-rule", LOCKED),
    ReasonRequired: (422, "QuestionnaireResponse.extension", "business-rule", NEEDS_REASON),
    Http404: (404, "", "not-found", NOT_FOUND),
    PermissionDenied: (403, "", "forbidden", FORBIDDEN),
    exceptions.PermissionDenied: (403, "", "forbidden", FORBIDDEN),
}


def _told(error):
    """(status, Faults, headers) of an error; no status where it is a fault of our own."""
    for kind, (status, *fault) in PLAIN.items():
        if isinstance(error, kind):
            return status, [Fault(*fault)], {}
    match error:
        case Refused():
            return error.status, error.faults, {}
        case Problem():  # of what FHIR takes from the rest of the API, such as Idempotency-Key
            return error.status, [Fault("", "processing", Label(str(error.detail), str(error.detail)))], error.headers
        case InvalidResource():
            return 422, error.faults, {}
        case InvalidAnswers():
            faults = [
                Fault(PATHS.get(name) or path_of(name), "value", reason)
                for name, reasons in error.errors.items()
                for reason in reasons
            ]
            return 422, faults, {}
        case exceptions.APIException():
            return _told_by_rest_framework(error)
    return None, [], {}


def _told_by_rest_framework(error):
    match error:
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            challenge = getattr(error, "auth_header", None)
            return 401, [Fault("", "login", SIGN_IN)], {"WWW-Authenticate": challenge} if challenge else {}
        case exceptions.Throttled():
            headers = {"Retry-After": str(ceil(error.wait or 0))}
            return 429, [Fault("", "throttled", Label("Too Many Requests", "リクエストが多すぎます"))], headers
    phrase = HTTPStatus(error.status_code).phrase
    return error.status_code, [Fault("", "processing", Label(phrase, phrase))], {}
