"""Many records at once: a list of the requests that one would send singly, with a result for each."""

import re

from django.db import transaction
from django.urls import resolve, reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.api.records.reference import TEXT
from registry.api.shared import request_body
from registry.api.shared.idempotency import repeatable
from registry.api.shared.inner_requests import carried_out, within
from registry.api.shared.item_fields import Declared, represent, serializer
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from sites.tenancy.access import Can

MOST = 500
CREATING = ("patients", "assessments", "adverse_events", "own_records")
CHANGING = (
    "patient_baseline", "patient_surgery", "patient_follow_up", "patient_identifiers", "assessment", "adverse_event",
    "own_record",
)  # fmt: skip
ALLOWED = {"POST": CREATING, "PATCH": CHANGING}

PART = {
    "type": "object",
    "properties": {
        "method": {"type": "string", "enum": list(ALLOWED)},
        "path": TEXT | {"description": "Address behind /api/v1/, such as assessments/S07-0012/1m."},
        "if_match": TEXT | {"description": "The ETag of the version that a change is of; a PATCH needs it."},
        "body": {"type": "object"},
    },
    "required": ["method", "path", "body"],
    "additionalProperties": False,
}
BatchNew = serializer(
    "Batch",
    {
        "requests": Declared({"type": "array", "items": PART, "minItems": 1, "maxItems": MOST}),
        "all_or_nothing": Declared(
            {"type": "boolean", "default": False, "description": "Whether one that is refused undoes all."}
        ),
    },
    "Requests that create or change records, carried out in their order.",
)
RESULT = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        "location": TEXT,
        "etag": TEXT,
        "body": {"type": ["object", "null"], "description": "As the request would be answered by itself."},
    },
}
BatchShown = serializer(
    "BatchResult",
    {
        "stored": serializers.IntegerField(help_text="Requests that were carried out."),
        "refused": serializers.IntegerField(),
        "results": Declared({"type": "array", "items": RESULT, "description": "One for each request, in order."}),
    },
)


class Batch(Resource):
    tag = "Batch"
    needs = {"POST": Can.ENTER}

    @extend_schema(request=BatchNew, responses=BatchShown)
    @repeatable
    def post(self, request):
        """Create and change many records, each by its own rules; a refused one leaves the others, unless all must hold.

        With `all_or_nothing`, one that is refused is answered by 422, names every fault and leaves nothing stored.
        """
        parts, whole = _read(dict(request.data))
        with transaction.atomic():
            results = [self._result(part) for part in parts]
            faults = _faults(results) if whole else {}
            if faults:
                transaction.set_rollback(True)
        if faults:
            raise Problem(422, _("Nothing was stored: all of it had to hold."), errors=faults)
        refused = sum(result["status"] >= 400 for result in results)
        shown = {"stored": len(results) - refused, "refused": refused, "results": results}
        return Response(represent(BatchShown, shown))

    def _result(self, part):
        headers = {"If-Match": part["if_match"]} if "if_match" in part else {}
        address = reverse("api:root") + part["path"]
        answer = carried_out(self.request._request, part["method"], address, part["body"], headers=headers)
        return {"status": answer.status, "location": answer.location, "etag": answer.etag, "body": answer.body}


def _read(given):
    """(parts, whether all must hold) of a body; Problem 422 names every part that is none."""
    errors = {name[:80]: [_("is not a field of this request")] for name in given if name not in BatchNew().fields}
    parts, whole = given.get("requests"), given.get("all_or_nothing", False)
    if not isinstance(whole, bool):
        errors["all_or_nothing"] = [_("must be true or false")]
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST:
        errors["requests"] = [_("must be a list of 1 to %(most)s requests") % {"most": MOST}]
    else:
        for place, part in enumerate(parts):
            if fault := _fault(part):
                errors[f"requests[{place}]"] = [fault]
    if errors:
        raise request_body.refused(errors)
    return parts, whole


def _fault(part):
    """What is wrong with the shape of a part; empty for nothing."""
    if not isinstance(part, dict) or not part.keys() <= PART["properties"].keys():
        return _("must be an object of method, path, if_match and body")
    if part.get("method") not in ALLOWED:
        return _("the method must be POST or PATCH")
    if not isinstance(part.get("body"), dict) or not isinstance(part.get("if_match", ""), str):
        return _("body must be an object, and if_match a text")
    path = part.get("path")
    if not isinstance(path, str) or not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", path):
        return _("path must be an address behind /api/v1/")
    if resolve(within(reverse("api:root") + path)).url_name not in ALLOWED[part["method"]]:
        return _("this address takes no such request in a batch")
    return ""


def _faults(results):
    """{"requests[n].field": reasons} of the results that were refused."""
    faults = {}
    for place, result in enumerate(results):
        if result["status"] >= 400:
            problem = result["body"] or {}
            named = problem.get("errors") or {"": [problem.get("detail") or problem.get("title", "")]}
            faults |= {f"requests[{place}].{name}".rstrip("."): reasons for name, reasons in named.items()}
    return faults
