"""The page of a form: what is in its fields, what is asked about them, and what a refusal says."""

from django.shortcuts import render

from registry.instruments import catalogue, value_sets
from registry.models import AdverseEvent, Assessment, OwnRecord, State
from registry.services.entry import patients
from registry.services.records import changes, extras
from registry.services.records.cleaning import REQUIRED
from registry.services.review.soft_checks import Form
from registry.web.entry import drafts
from registry.web.review import on_form
from registry.web.shared import questions as forms
from registry.web.shared import wording
from registry.web.shared.lookup import names_of
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can

PRESENT = object()  # the version of what is stored now


def show(
    request,
    sheet,
    values,
    missing,
    *,
    errors=None,
    reason="",
    conflict=None,
    asked=(),
    draft=None,
    drafted="",
    version=PRESENT,
    status=200,
    worked_out=False,
):
    """The form with what is in its fields.

    asked    findings to be confirmed or mended, and what was said so far
    drafted  the page's mark of the person's draft
    errors   reasons by item name, as the services give them
    version  of the record that the fields began from, None where there was none
    worked_out  whether the page was asked to say first what follows from its fields
    """
    sheet = sheet.shown()
    errors = _sentences(sheet, errors or {})
    row = conflict.row if conflict else sheet.row
    if version is PRESENT:
        version = row.version if row is not None else None
    if status != 200:
        drafted = drafts.keep_refused(request, sheet, values, missing, version)
    may_enter = request.access.may(Can.ENTER, sheet.patient.site_id)
    local_values = value_sets.get(sheet.patient.site.value_set)
    known = _known(sheet)
    cards = forms.sections(
        sheet.instruments, values, missing, errors, sheet.previous, sheet.without, local_values, known
    )
    leading = [forms.question(item, values, missing, errors) for item in sheet.leading]
    review, doubts = _review(request, sheet, row, leading, cards, asked)
    saved_by, saved_at = _saved(sheet, row)
    return render(
        request,
        "entry/form.html",
        {
            "sheet": sheet,
            "patient": sheet.patient,
            "facts": facts(sheet.patient),
            "leading": leading,
            "sections": cards,
            "derives": any(card.worked_out for card in cards),
            "worked_out": worked_out,
            "errors": errors,
            "summary": _summary(errors, sheet),
            "only_unanswered": bool(errors) and _all_unanswered(errors, sheet),
            "conflict": conflict,
            "review": review,
            "doubts": doubts,
            "asked": bool(asked),
            "may_enter": may_enter,
            "warnings": _draft_warnings(sheet) if status == 200 else [],
            "version": "" if version is None else version,
            "draft": draft,
            "drafted": drafted,
            "drafting": drafts.settings_of(request, sheet),
            "saved_by": saved_by,
            "saved_at": saved_at,
            "reason": reason,
            "read_only": not may_enter or sheet.state == State.LOCKED,
            "switched_off": _switched_off(sheet, row),
            "files": _files(request, sheet),
            "error_record": _record_in_address(row) if may_enter and sheet.state != State.LOCKED else "",
            "live": forms.live(sheet.instruments, local_values, known),
        },
        status=status,
    )


def again(request, sheet, sent, **more):
    """The form with what was sent in its fields."""
    return show(request, sheet, sent.raw, sent.missing, **{"reason": sent.reason, "version": sent.version} | more)


def _record_in_address(row):
    """How an address names a record that may be marked as entered in error; the forms of a patient's row are none."""
    if isinstance(row, Assessment):
        return row.timepoint_id
    kinds = {AdverseEvent: "event", OwnRecord: "own"}
    return f"{kinds[type(row)]}-{row.pk}" if type(row) in kinds else ""


def _files(request, sheet):
    """What files of this form belong to, in the address of their page; "" for who may not see them, or before the form
    is stored."""
    form = sheet.form
    if form is None or sheet.row is None or not request.access.may(Can.IDENTIFY, sheet.patient.site_id):
        return ""
    record = form.timepoint or form.event or form.record
    return f"{form.kind}:{record}" if record else form.kind


def _known(sheet):
    """Answers of the patient's own forms, where something of this form hangs on them."""
    if not any(instrument.own for instrument in sheet.instruments):
        return {}
    return patients.answers_of(sheet.patient)


def _saved(sheet, row):
    """(name, moment) of who last saved the answers. A form of its own that nobody signed or verified says it itself."""
    if row is None:
        return "", None
    by, at = row.updated_by_id, row.updated_at
    if row is sheet.patient or sheet.state in (State.VERIFIED, State.LOCKED) or getattr(row, "verified", None):
        names = [item.name for item in sheet.items]
        by, at = changes.last_answered(row, names, sheet.state_column) or (by, at)
    return names_of([by]).get(by, ""), at


def _switched_off(sheet, row):
    """Answers to extras that are switched off by now, to be read: (title, [(label, answer in words)])."""
    instruments = extras.stored(sheet.form.kind, row, sheet.instruments) if sheet.form else []
    return [
        (wording.words(instrument.title), [_read(item, row) for item in items]) for instrument, items in instruments
    ]


def _read(item, row):
    return wording.words(item.label), wording.stored(item, row)


def _review(request, sheet, row, leading, cards, asked):
    """Queries and verification of the form, put beside its questions too; and the doubts to settle."""
    if sheet.form is None or (sheet.form.own and sheet.row is None):
        form, review = sheet.form or Form("adverse_event"), on_form.Review()
    else:
        form, review = sheet.form, on_form.review(request, sheet.patient, sheet.form, row, sheet.state)
    names = [item.name for item in sheet.items]
    doubts = on_form.doubts(asked[0], form, names, asked[1]) if asked else []
    questions = [*leading, *(question for card in cards for question in card.questions)]
    on_form.attach(questions, review, sheet.patient, form, doubts)
    return review, doubts


def _draft_warnings(sheet):
    if sheet.form is None or sheet.state != State.DRAFT:
        return []
    return on_form.draft_doubts(sheet.patient, sheet.form, sheet.row, [item.name for item in sheet.items])


def _sentences(sheet, errors):
    """Errors by item name as sentences. Those of an item that the page does not show belong to the whole form."""
    shown = {item.name: item for item in sheet.items}
    sentences = {}
    for name, reasons in errors.items():
        for reason in reasons:
            if isinstance(reason, str):
                sentences.setdefault(name, []).append(reason)
            elif name in shown:
                may_lack = not sheet.plain and shown[name] not in sheet.leading
                sentences.setdefault(name, []).append(wording.said(shown[name], reason, may_lack))
            else:
                item = catalogue.item(name) if name else None
                sentences.setdefault("", []).append(wording.said(item, reason) if item else wording.words(reason))
    return sentences


def _summary(errors, sheet):
    """The error summary: (anchor of the field, sentence), in the order of the page."""
    order = [item.name for item in sheet.items]
    names = sorted(errors, key=lambda name: order.index(name) if name in order else len(order))
    return [(name, text) for name in names for text in errors[name]]


def _all_unanswered(errors, sheet):
    wanted = {item.name: wording.said(item, REQUIRED) for item in sheet.items}
    return all(text == wanted.get(name) for name, reasons in errors.items() for text in reasons)
