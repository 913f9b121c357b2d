"""Bundles: what searches answer, and transactions and batches, each entry by the view of its own address."""

import re
from http import HTTPStatus

from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language
from rest_framework.response import Response

from registry.api.shared.idempotency import repeatable
from registry.api.shared.inner_requests import Answer, carried_out
from registry.fhir.mapping import elements
from registry.fhir.mapping.faults import Fault, InvalidResource, outcome
from registry.fhir.server.resource import MEDIA_TYPE, Refused, Resource
from registry.instruments.base import Label
from sites.people.tokens import TokenScope

MOST = 200
NO_BUNDLE = Label(
    "must be a Bundle of the type transaction or batch", "種類がtransactionまたはbatchのBundleではありません"
)
NO_ENTRIES = Label("has 1 to 200 entries", "entryは1～200件です")
NO_REQUEST = Label(
    "needs request.method (GET, POST, PUT) and request.url on this server",
    "request.method（GET・POST・PUT）と、このサーバーのrequest.urlが必要です",
)
NOT_UNDERSTOOD = Label("{v} is not understood here", "{v}には対応していません")
NO_ADDRESS = Label("must be an address", "アドレスではありません")
UNKNOWN_REFERENCE = Label("refers to an entry that there is not: {v}", "存在しないentryへの参照です：{v}")
ORDER = {"POST": 0, "PUT": 1, "GET": 2}  # of a transaction, as FHIR has it
HEADERS = {"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist"}
KINDS = ("Patient", "Questionnaire", "QuestionnaireResponse", "Observation")


def searchset(request, resources, *, total=None, following=None, included=()):
    """A searchset of resources; `following`: the query of the next page."""
    here = request.build_absolute_uri()
    links = [{"relation": "self", "url": here}]
    if following:
        links.append({"relation": "next", "url": f"{request.build_absolute_uri(request.path)}?{following}"})
    base = request.build_absolute_uri(reverse("fhir:metadata")).rpartition("/")[0]
    bundled = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if total is not None:
        bundled["total"] = total
    bundled["entry"] = [
        {
            "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": mode},
        }
        for mode, some in (("match", resources), ("include", included))
        for resource in some
    ]
    return {name: value for name, value in bundled.items() if value != []}


class Transactions(Resource):
    """The server's own address: a Bundle of requests."""

    @repeatable
    def post(self, request):
        """Carry out a transaction (all of it, or nothing) or a batch (each entry for itself)."""
        kind, entries = _read(self.sent)
        whole = kind == "transaction"
        order = range(len(entries))
        if whole:
            order = sorted(order, key=lambda place: _rank(entries[place]))
        answers, given = {}, {}
        with transaction.atomic():
            for place in order:
                answers[place] = self._answer(entries[place], place, given if whole else {}, whole)
                if whole and answers[place].is_refused:
                    transaction.set_rollback(True)
                    return Response(_located(answers[place].body, place), status=answers[place].status)
                _remember(given, entries[place], answers[place])
        shown = [_entry(answers[place]) for place in range(len(entries))]
        return Response({"resourceType": "Bundle", "type": f"{kind}-response", "entry": shown})

    def _answer(self, entry, place, given, whole):
        """What an entry is answered; an entry of a batch that is not understood is refused by itself."""
        if whole:
            return self._carried_out(entry, place, given)
        faults = list(_faults(entry, f"Bundle.entry[{place}]"))
        try:
            return _refused(422, faults) if faults else self._carried_out(entry, place, given)
        except Refused as error:
            return _refused(error.status, error.faults)

    def _carried_out(self, entry, place, given):
        asked = entry["request"]
        headers = {HEADERS[name]: asked[name] for name in HEADERS if name in asked}
        resource = _resolved(entry.get("resource"), given, place) if asked["method"] != "GET" else None
        root = reverse("fhir:metadata").rpartition("/")[0]
        return carried_out(
            self.request._request,
            asked["method"],
            f"{root}/{asked['url']}",
            resource,
            headers=headers | {"Accept": MEDIA_TYPE},
            content_type=MEDIA_TYPE,
        )


def _refused(status, faults):
    return Answer(status, outcome(faults, get_language()), "", "")


def _read(resource):
    """(transaction or batch, entries) of a Bundle; InvalidResource names every entry of a transaction that is not
    understood.
    """
    kind = resource.get("type")
    if resource.get("resourceType") != "Bundle" or kind not in ("transaction", "batch"):
        raise InvalidResource([Fault("Bundle.type", "structure", NO_BUNDLE)])
    entries = resource.get("entry")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST:
        raise InvalidResource([Fault("Bundle.entry", "structure", NO_ENTRIES)])
    faults = [*elements.misplaced(resource, elements.BUNDLE, "Bundle")]
    if kind == "transaction":
        faults += [fault for place, entry in enumerate(entries) for fault in _faults(entry, f"Bundle.entry[{place}]")]
    if faults:
        raise InvalidResource(faults)
    return kind, entries


def _faults(entry, path):
    asked = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(asked, dict):
        yield Fault(f"{path}.request", "required", NO_REQUEST)
        return
    url = asked.get("url")
    named = isinstance(url, str) and re.fullmatch(r"(\w+)(/[A-Za-z0-9.$-]+)*(\?[!-~]*)?", url)
    if asked.get("method") not in ORDER or not named or named[1] not in KINDS:
        yield Fault(f"{path}.request", "not-supported", NO_REQUEST)
    others = [*(entry.keys() - {"fullUrl", "resource", "request"}), *(asked.keys() - {"method", "url", *HEADERS})]
    for name in sorted(others):
        yield Fault(f"{path}.{name[:40]}", "not-supported", NOT_UNDERSTOOD.format(v=name[:40]))
    if not isinstance(entry.get("fullUrl", ""), str):
        yield Fault(f"{path}.fullUrl", "value", NO_ADDRESS)
    if not all(isinstance(asked.get(name, ""), str) and "\n" not in asked.get(name, "") for name in HEADERS):
        yield Fault(f"{path}.request", "value", NO_REQUEST)
    if asked.get("method") in ("POST", "PUT") and not isinstance(entry.get("resource"), dict):
        yield Fault(f"{path}.resource", "required", NO_REQUEST)
    if asked.get("method") == "GET" and "resource" in entry:
        yield Fault(f"{path}.resource", "not-supported", NOT_UNDERSTOOD.format(v="resource"))


def _rank(entry):
    """Patients come before what is about them."""
    return ORDER[entry["request"]["method"]], not entry["request"]["url"].startswith("Patient")


def _remember(given, entry, answer):
    """What an entry's own address stands for, once it has one here."""
    if isinstance(entry.get("fullUrl"), str) and isinstance(answer.body, dict) and "id" in answer.body:
        given[entry["fullUrl"]] = f"{answer.body['resourceType']}/{answer.body['id']}"


def _resolved(part, given, place):
    """A resource with its references to other entries (urn:uuid:…) as what these have become."""
    if isinstance(part, list):
        return [_resolved(entry, given, place) for entry in part]
    if not isinstance(part, dict):
        return part
    resolved = {name: _resolved(value, given, place) for name, value in part.items()}
    reference = resolved.get("reference")
    if isinstance(reference, str) and reference.startswith("urn:"):
        if reference not in given:
            reason = UNKNOWN_REFERENCE.format(v=reference[:80])
            raise Refused(422, reason, "not-found", f"Bundle.entry[{place}].resource")
        resolved["reference"] = given[reference]
    return resolved


def _located(outcome, place):
    """The outcome of an entry as one of the whole transaction."""
    for issue in outcome.get("issue", ()) if isinstance(outcome, dict) else ():
        issue["expression"] = [f"Bundle.entry[{place}].resource", *issue.get("expression", ())]
    return outcome


def _entry(answer):
    response = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if answer.location:
        response["location"] = answer.location
    if answer.etag:
        response["etag"] = answer.etag
    if answer.is_refused:
        return {"response": response | {"outcome": answer.body}}
    return {"resource": answer.body, "response": response} if answer.body else {"response": response}


class Search(Resource):
    """`POST [kind]/_search`: a search whose parameters stand in a form, so that no log of addresses has them."""

    scopes = {"POST": TokenScope.READ}
    kind, searches = "", True

    def post(self, request):
        content_type = request.content_type.partition(";")[0].strip().lower()
        if content_type != "application/x-www-form-urlencoded":
            raise Refused(415, FORM_WANTED, "not-supported")
        asked = request._request.GET.copy()
        for name, values in request._request.POST.lists():
            asked.setlist(name, asked.getlist(name) + values)
        address = request.path.rpartition("/_search")[0]
        headers = {"Accept": MEDIA_TYPE, "Prefer": request.headers.get("Prefer", "")}
        answer = carried_out(request._request, "GET", f"{address}?{asked.urlencode()}", headers=headers)
        return Response(answer.body, status=answer.status)


FORM_WANTED = Label(
    "Send the parameters as application/x-www-form-urlencoded.",
    "検索条件はapplication/x-www-form-urlencodedで送ってください。",
)
