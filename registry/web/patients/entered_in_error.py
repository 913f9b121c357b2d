"""Pages on which a site marks a record as entered in error, and takes that back."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue
from registry.models import AdverseEvent, Assessment, EnteredInError, OwnRecord
from registry.services.entry import entered_in_error
from registry.services.entry.entered_in_error import Kind
from registry.services.follow_up import schedule
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.tasks import start_patient_outcomes
from registry.web.shared import identified, questions, wording
from registry.web.shared.lookup import number_in, patient_of
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can
from sites.tenancy.scope import with_errors

PAGE = 50
NUMBERED = {"event": AdverseEvent, "own": OwnRecord}


@require_http_methods(["GET", "POST"])
def mark_in_error(request, patient_id, record):
    """Mark the patient (`patient`), a visit (its code), an event (`event-17`) or an own record (`own-5`)."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.ENTER, patient.site_id):
        raise Http404
    row = _row(patient, record)
    errors, conflict = {}, False
    if request.method == "POST":
        errors, conflict = _mark(request, row)
        if not errors and not conflict:
            start_patient_outcomes(patient.pk)
            messages.success(request, _("Marked as entered in error: %(record)s.") % {"record": _title(row)})
            return redirect("entered_in_error") if row is patient else redirect("patient", patient.pk)
    return render(
        request,
        "patients/mark_in_error.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "title": _title(row),
            "whole": row is patient,
            "hangs_on": entered_in_error.hangs_on(row),
            "version": row.version,
            "reason": request.POST.get("reason", ""),
            "longest": entered_in_error.LONGEST,
            "conflict": conflict,
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
        },
        status=409 if conflict else 422 if errors else 200,
    )


def _row(patient, record):
    if record == "patient":
        return patient
    kind, _dash, number = record.partition("-")
    if kind in NUMBERED and (number := number_in(number)) is not None:
        return get_object_or_404(NUMBERED[kind], site_id=patient.site_id, patient_id=patient.pk, pk=number)
    return get_object_or_404(Assessment, site_id=patient.site_id, patient_id=patient.pk, timepoint_id=record)


def _mark(request, row):
    """(errors by field, whether the record is another one by now)."""
    version = questions.version_in(request.POST)
    if version is None:
        return {}, True  # a page that does not say what it showed
    try:
        entered_in_error.mark(access=request.access, row=row, version=version, reason=request.POST.get("reason", ""))
    except ReasonRequired:
        return {"reason": [_("Say why this was entered in error.")]}, False
    except Locked:
        return {"": [_("A form of it is signed. It must be unlocked first.")]}, False
    except Conflict:
        return {}, True
    return {}, False


def _title(row):
    """What a record is called: “S01-0012 · 1 month”."""
    if isinstance(row, Assessment):
        return f"{row.patient_id} · {wording.words(schedule.labels()[row.timepoint_id])}"
    if isinstance(row, AdverseEvent):
        kind = wording.shown(catalogue.item("kind"), row.kind)
        return f"{row.patient_id} · {_('Adverse event')}: {kind}, {wording.day(row.onset_date)}"
    if isinstance(row, OwnRecord):
        return f"{row.patient_id} · {_own_title(row.form)} {row.pk}"
    return row.pk


def _own_title(code):
    titles = {instrument.code: wording.words(instrument.title) for instrument in catalogue.current().repeats}
    return titles.get(code, code)


@require_safe
def entries_in_error(request):
    """What was marked as entered in error at the sites that one may read, newest first; taken back ones too."""
    request.access.require(Can.READ)
    rows = EnteredInError.objects.filter(site_id__in=request.access.sites_for(Can.READ))
    page = Paginator(rows.select_related("site", "marked_by", "taken_back_by"), PAGE).get_page(request.GET.get("page"))
    enters = set(request.access.sites_for(Can.ENTER))
    labels = titles_of(page.object_list)
    return render(
        request,
        "patients/entered_in_error.html",
        {
            "page": page,
            "identified": identified.beside(request, [entry.patient_id for entry in page]),
            "lines": [
                {"entry": entry, "what": labels[entry.pk], "may_take_back": entry.site_id in enters} for entry in page
            ],
        },
    )


def titles_of(entries):
    """Number of each entry to what the marked record is called."""
    visits, kinds = schedule.labels(), _kinds_of_events(entries)

    def title(entry):
        if entry.form == Kind.ASSESSMENT:
            return wording.words(visits[entry.code])
        if entry.form == Kind.ADVERSE_EVENT:
            return f"{_('Adverse event')}: {kinds.get(entry.record, wording.NOTHING)}"
        return _own_title(entry.code) if entry.form == Kind.OWN_RECORD else _("The whole patient")

    return {entry.pk: title(entry) for entry in entries}


def _kinds_of_events(entries):
    keys = [entry.record for entry in entries if entry.form == Kind.ADVERSE_EVENT]
    if not keys:
        return {}
    item = catalogue.item("kind")
    with with_errors():
        events = AdverseEvent.objects.filter(pk__in=keys).values_list("pk", "kind", "onset_date")
        return {str(pk): f"{wording.shown(item, kind)}, {wording.day(onset)}" for pk, kind, onset in events}


@require_http_methods(["GET", "POST"])
def take_back(request, entry_id):
    """Let a marked record count again, for a reason."""
    own = EnteredInError.objects.filter(site_id__in=request.access.sites_for(Can.ENTER))
    entry = get_object_or_404(own.select_related("site", "marked_by"), pk=entry_id)
    errors, status = {}, 200
    if request.method == "POST":
        errors, status = _take_back(request, entry)
        if not errors:
            start_patient_outcomes(entry.patient_id)
            messages.success(request, _("It counts again."))
            return redirect("patient", entry.patient_id)
    return render(
        request,
        "patients/take_back_error.html",
        {
            "entry": entry,
            "what": titles_of([entry])[entry.pk],
            "reason": request.POST.get("reason", ""),
            "longest": entered_in_error.LONGEST,
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
        },
        status=status,
    )


def _take_back(request, entry):
    try:
        entered_in_error.take_back(access=request.access, entry=entry, reason=request.POST.get("reason", ""))
    except ReasonRequired:
        return {"reason": [_("Say why it counts again.")]}, 422
    except InvalidAnswers as error:
        return {name: [wording.words(reason) for reason in reasons] for name, reasons in error.errors.items()}, 422
    except Conflict:
        return {"": [_("This was taken back already.")]}, 409
    return {}, 200
