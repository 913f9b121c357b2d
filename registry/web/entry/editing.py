"""The editing of a form, one way through for every form: shown, looked at, worked out, checked, stored."""

from dataclasses import replace

from django.db import transaction
from django.http import JsonResponse
from django.shortcuts import render

from registry.instruments.base import InvalidValue
from registry.services.review.queries import Unlikely, unlikely
from registry.services.review.soft_checks import Form
from registry.web.entry import drafts, page, storing
from registry.web.entry.sheet import Sent
from registry.web.review import on_form
from registry.web.shared import questions as forms
from registry.web.shared import wording
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can


def stores(request):
    """Whether a request stores a form: not one that shows it, nor one that only asks about what is in its fields."""
    return request.method == "POST" and request.POST.keys().isdisjoint(("look", "check", "work_out"))


def edit(request, sheet):
    """Show a form, or store what was sent and go on to where the person wants to be."""
    request_is_reader = not request.access.may(Can.ENTER, sheet.patient.site_id)
    if request.method == "POST" and not request_is_reader:
        if "look" in request.POST:
            return _look(request, sheet)
        if "check" in request.POST:
            return _check(request, sheet)
        return _work_out(request, sheet) if "work_out" in request.POST else storing.store(request, sheet)
    request.access.require(Can.READ if request.method != "POST" else Can.ENTER, sheet.patient.site_id)
    sheet = sheet.shown()
    values, missing = sheet.stored(sheet.row)
    draft, drafted = drafts.shown(request, sheet, values, missing)
    if draft is None:
        return page.show(request, sheet, values, missing, drafted=drafted)
    version = {"version": draft.row.based_on} if draft.is_laid_over else {}
    return page.show(
        request, sheet, draft.raw, draft.missing, reason=draft.reason, draft=draft, drafted=drafted, **version
    )


def _look(request, sheet):
    """What would be asked about the answers as they are in the fields now, for the page's script. Stores nothing."""
    raw, missing = forms.submitted(request.POST, sheet.instruments, sheet.leading, sheet.without)
    typed = {item.name: _readable(item, raw, missing) for item in sheet.items}
    form = sheet.form or Form("adverse_event")
    doubts = on_form.doubts(unlikely(sheet.patient, form, typed), form, list(typed))
    return JsonResponse({"doubts": [{"name": doubt.name, "text": doubt.text} for doubt in doubts]})


def _work_out(request, sheet):
    """The form with what was sent in its fields and the values derived from that: without a script, the only way to
    see them before saving. Stores nothing."""
    drafted = request.POST.get("drafted", "")
    return page.again(request, sheet, Sent.of(request, sheet), drafted=drafted, worked_out=True)


def _check(request, sheet):
    """Every answer on one screen before the form is completed: what completing would refuse or ask comes first.

    Completing is tried and undone, so that this page finds what that finds; saving itself costs nothing more.
    """
    sent = replace(Sent.of(request, sheet), complete=True)
    errors, asked = {}, ()
    try:
        with transaction.atomic():
            errors, _row, _saved = storing.attempt(sheet, sent)
            transaction.set_rollback(True)
    except Unlikely as unlikely_answers:
        asked = (unlikely_answers.findings, sent.said)
    if errors or asked:
        return page.again(request, sheet, sent, errors=errors, asked=asked, status=422)
    context = {
        "sheet": sheet,
        "patient": sheet.patient,
        "facts": facts(sheet.patient),
        "parts": list(_answers(sheet, sent.raw, sent.missing)),
        "sent": [(name, value) for name, values in request.POST.lists() if name not in NOT_SENT for value in values],
    }
    return render(request, "entry/check.html", context)


NOT_SENT = frozenset(("csrfmiddlewaretoken", "check", "save", "complete", "work_out"))


def _answers(sheet, raw, missing):
    """(code, title, [(label, answer in words, whether it lacks)]) of each part of the form."""
    if sheet.leading:
        yield "", "", [_answer(item, raw, missing) for item in sheet.leading]
    for instrument in sheet.instruments:
        items = [item for item in instrument.items if item.name not in sheet.without]
        yield instrument.code, wording.words(instrument.title), [_answer(item, raw, missing) for item in items]


def _answer(item, raw, missing):
    value = _readable(item, raw, missing)
    return wording.words(item.label), wording.answer(item, value, missing.get(item.name)), value is None


def _readable(item, raw, missing):
    """A clean value, or None for one that is missing or not finished yet."""
    try:
        return None if item.name in missing else item.clean(raw[item.name])
    except InvalidValue:
        return None
