"""Own instruments in the browser: the list, the editor, what a file brings, try-out, publishing and retirement."""

import json
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.instruments import catalogue, value_sets
from registry.models import OwnInstrument
from registry.protocol import definitions, questionnaires, redcap
from registry.services import current_protocol as current
from registry.services.protocol import bringing, publishing
from registry.services.records.cleaning import InvalidAnswers, clean
from registry.web.shared import questions, wording
from registry.web.shared.lookup import number_in
from registry.web.study import documents
from registry.web.study.publishing import published
from sites.confirming import confirmed
from sites.tenancy.access import Can

RECORDS = {
    "baseline": gettext_lazy("Baseline of the patient"),
    "surgery": gettext_lazy("Surgery of the patient"),
    "follow_up": gettext_lazy("Follow-up of the patient"),
    "assessment": gettext_lazy("Visit"),
    "repeat": gettext_lazy("A form of its own, as often as needed"),
}
KINDS = {
    "whole": gettext_lazy("Whole number"),
    "decimal": gettext_lazy("Decimal number"),
    "code": gettext_lazy("One answer of several"),
    "codes": gettext_lazy("Several answers"),
    "yes_no": gettext_lazy("Yes or no"),
    "date": gettext_lazy("Date"),
    "partial_date": gettext_lazy("Date, or only month or year"),
    "time": gettext_lazy("Time of day"),
    "text": gettext_lazy("Text"),
    "calculated": gettext_lazy("Calculated"),
}


@dataclass(frozen=True)
class Line:
    """An own instrument as the list shows it: what is published of it, and what is being changed."""

    code: str
    document: dict
    version: int | None = None
    retired: bool = False
    draft: OwnInstrument | None = None

    @property
    def title(self):
        return title_of(self.document)

    @property
    def record(self):
        return RECORDS.get(self.document.get("record"), "")

    @property
    def items(self):
        return len(self.document.get("items") or ())


def title_of(document):
    return wording.words(definitions._label(document.get("title"), str(document.get("code") or "?")))


def _may(request):
    request.access.require(Can.ADMINISTER)


def _draft(code, must=True):
    """The draft, or None; where there `must` be something to edit, one is made of what is published."""
    draft = OwnInstrument.objects.filter(code=code, is_draft=True).first()
    return draft or (_published(code) if must else None)


def _published(code):
    entry = next((entry for entry in bringing.published() if entry["document"]["code"] == code), None)
    if entry is None:
        raise Http404
    return OwnInstrument(code=code, version=entry["version"] + 1, document=entry["document"])


@require_safe
def own_instruments(request):
    """Every own instrument, and those that the product brings along."""
    _may(request)
    drafts = {own_instrument.code: own_instrument for own_instrument in OwnInstrument.objects.filter(is_draft=True)}
    lines = {
        entry["document"]["code"]: Line(
            entry["document"]["code"],
            entry["document"],
            entry["version"],
            bool(entry.get("retired")),
            drafts.get(entry["document"]["code"]),
        )
        for entry in bringing.published()
    }
    for code, draft in drafts.items():
        lines.setdefault(code, Line(code, draft.document, draft=draft))
    ready = [
        {"code": code, "title": title_of(document), "document": document, "record": RECORDS[document["record"]]}
        for code, document in bringing.library().items()
        if code not in lines
    ]
    return render(
        request,
        "study/own_instruments.html",
        {"lines": sorted(lines.values(), key=lambda line: str(line.title)), "library": ready, "records": RECORDS},
    )


@require_POST
def own_instrument_new(request):
    """Begin a form with its code, title and what it is asked with; or take one from the library."""
    _may(request)
    if code := request.POST.get("library"):
        document = bringing.library().get(code)
        if document is None:
            raise Http404
    else:
        document = documents.new(request.POST)
        document["code"] = document["code"] or definitions.naming.fitting(document["title"].get("en", "form"), (), 20)
        known = {entry["document"]["code"] for entry in bringing.published()}
        if document["code"] in known or _draft(document["code"], must=False):
            messages.error(request, _("There is an instrument “%(code)s” already.") % {"code": document["code"]})
            return redirect("own_instruments")
    publishing.keep_draft(access=request.access, document=document)
    return redirect("own_instrument", document["code"])


@require_http_methods(["GET", "POST"])
def own_instrument_upload(request):
    """Read a REDCap dictionary, a FHIR Questionnaire or our own JSON; the report of what could not be carried."""
    _may(request)
    if request.method != "POST" or "file" not in request.FILES:
        return redirect("own_instruments")
    record = request.POST.get("record") if request.POST.get("record") in RECORDS else "assessment"
    upload = request.FILES["file"]
    carried = bringing.bring(access=request.access, content=upload.read(bringing.LARGEST + 1), record=record)
    return render(
        request,
        "study/carried.html",
        {
            "carried": carried,
            "name": upload.name,
            "titles": [(document["code"], title_of(document)) for document in carried.documents.values()],
        },
        status=422 if carried.faults else 200,
    )


@require_http_methods(["GET", "POST"])
def own_instrument(request, code):
    """The editor: the form as a whole, its items in order, and everything that is wrong with it."""
    _may(request)
    draft = _draft(code)
    if request.method == "POST":
        document = _edited(draft.document, request.POST)
        publishing.keep_draft(access=request.access, document=document)
        messages.success(request, _("Saved as a draft."))
        return redirect("own_instrument", code)
    reading = publishing.read(draft.document)
    faults = {}
    for fault in reading.faults:
        faults.setdefault(fault.row, []).append(fault)
    items = [
        {"row": row, "item": item, "kind": KINDS.get(item.get("kind"), ""), "faults": faults.get(row, ()),
         "label": wording.words(definitions._label(item.get("label"), item.get("name", "")))}
        for row, item in enumerate(draft.document.get("items") or (), start=1)
    ]  # fmt: skip
    checks = list(draft.document.get("checks") or ())
    return render(
        request,
        "study/own_instrument.html",
        {
            "draft": draft,
            "document": draft.document,
            "title": title_of(draft.document),
            "items": items,
            "checks": [*checks, *([{}] * documents.MORE_CHECKS)],
            "faults": reading.faults,
            "records": RECORDS,
            "published": _entry(code),
        },
    )


def _entry(code):
    return next((entry for entry in bringing.published() if entry["document"]["code"] == code), None)


def _edited(document, post):
    """The document after the editor's act: an item moved or removed, or the form's own fields saved."""
    items = list(document.get("items") or ())
    for act in ("up", "down", "remove"):
        if 0 < (row := number_in(post.get(act)) or 0) <= len(items):
            place = row - 1
            item = items.pop(place)
            if act != "remove":
                items.insert(max(place - 1, 0) if act == "up" else place + 1, item)
            return document | {"items": items}
    return documents.with_head(document, post)


@require_http_methods(["GET", "POST"])
def own_item(request, code, row):
    """One item: what is asked, of which kind, what it accepts, and when it is asked. Row 0 is a new one."""
    _may(request)
    draft = _draft(code)
    items = list(draft.document.get("items") or ())
    if row > len(items):
        raise Http404
    item, faults = (items[row - 1] if row else {"kind": "whole", "required": True}), ()
    if request.method == "POST":
        item = documents.item_in(request.POST)
        changed = [*items, item] if row == 0 else [*items[: row - 1], item, *items[row:]]
        document = draft.document | {"items": changed}
        place = row or len(changed)
        faults = [fault for fault in publishing.read(document).faults if fault.row == place]
        if not faults or "anyway" in request.POST:
            publishing.keep_draft(access=request.access, document=document)
            if "another" in request.POST:
                return redirect("own_item", code, 0)
            return redirect("own_instrument", code)
    elif row:
        faults = [fault for fault in publishing.read(draft.document).faults if fault.row == row]
    names = [item.get("name") for place, item in enumerate(items, start=1) if place != row]
    return render(
        request,
        "study/own_item.html",
        {
            "code": code,
            "title": title_of(draft.document),
            "row": row,
            "item": item,
            "choices": documents.choices_text(item),
            "kinds": KINDS,
            "faults": faults,
            "wrong": {fault.column for fault in faults},
            "names": names,
        },
        status=422 if request.method == "POST" else 200,
    )


@require_http_methods(["GET", "POST"])
def own_instrument_preview(request, code):
    """The form as those who fill it in will see it, to be tried out: what would be refused, and what is calculated."""
    _may(request)
    draft = _draft(code)
    reading = publishing.read(draft.document)
    if reading.faults:
        messages.error(request, _("It can be tried out once nothing is wrong with it."))
        return redirect("own_instrument", code)
    instrument = reading.instrument
    raw, missing, errors, tried = {}, {}, {}, False
    entry = {"document": draft.document}
    conditions = definitions.expressions_of([instrument], current.known_to(entry, bringing.published()))
    if request.method == "POST":
        raw, missing = questions.submitted(request.POST, (instrument,))
        tried = True
        try:
            clean(instrument.items, raw, missing, complete=True, conditions=conditions)
        except InvalidAnswers as error:
            errors = {
                name: [wording.said(instrument.item(name), reason) for reason in reasons]
                for name, reasons in error.errors.items()
            }
    values = value_sets.get("JP")
    cards = questions.sections((instrument,), raw, missing, errors, value_set=values)
    return render(
        request,
        "study/preview.html",
        {
            "draft": draft,
            "title": title_of(draft.document),
            "sections": cards,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
            "tried": tried and not errors,
            "live": questions.live((instrument,), values, conditions=conditions),
        },
        status=422 if errors else 200,
    )


@require_http_methods(["GET", "POST"])
@confirmed
def own_instrument_publish(request, code):
    """What publishing changes, and doing it, with the reason that the protocol's version keeps."""
    _may(request)
    draft = _draft(code, must=False)
    if draft is None:
        raise Http404
    reading = publishing.read(draft.document)
    faults, note = list(reading.faults), request.POST.get("note", "").strip()
    if request.method == "POST":
        success = _("Published. Forms ask it from now on; forms that are complete stay so.")
        refused = published(request, publishing.publish, success, note=note, code=code)
        if refused is None:
            return redirect("own_instruments")
        faults = refused or faults
    record = draft.document.get("record")
    before = next(
        (instrument for instrument in catalogue.current().own.get(record, ()) if instrument.code == code), None
    )
    effects = publishing.effects(reading.instrument, record, before) if reading.instrument and before else []
    return render(
        request,
        "study/publish.html",
        {"draft": draft, "title": title_of(draft.document), "faults": faults, "effects": effects,
         "record": RECORDS.get(record), "note": note},
        status=422 if request.method == "POST" else 200,
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
@confirmed
def own_instrument_retire(request, code):
    """Ask an instrument no more, or again; its answers stay."""
    _may(request)
    entry = _entry(code)
    if entry is None:
        raise Http404
    back = bool(entry.get("retired"))
    if request.method == "POST" and (note := request.POST.get("note", "").strip()):
        publishing.retire(access=request.access, code=code, note=note, back=back)
        messages.success(request, _("It is asked again.") if back else _("It is asked no more; its answers stay."))
        return redirect("own_instruments")
    return render(request, "study/retire.html", {"title": title_of(entry["document"]), "code": code, "back": back})


@require_POST
def own_instrument_discard(request, code):
    """Forget a draft."""
    _may(request)
    publishing.discard_draft(access=request.access, code=code)
    messages.success(request, _("The draft was discarded."))
    return redirect("own_instruments")


@require_safe
def own_instrument_file(request, code, form):
    """The declaration as a file: our JSON, a REDCap dictionary or a FHIR Questionnaire."""
    _may(request)
    document = _draft(code).document
    if form == "redcap":
        content, kind, ending = redcap.write([document], "en")[0], "text/csv", "csv"
    elif form == "fhir":
        resource = questionnaires.write(document, request.build_absolute_uri("/fhir/Questionnaire/") + code)
        content, kind, ending = _json(resource), "application/fhir+json", "json"
    else:
        content, kind, ending = _json(document), "application/json", "json"
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{code}-{form}.{ending}"'
    return response


def _json(data):
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
