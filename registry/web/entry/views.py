"""Entering and correcting forms: one way through for every form, whatever its instruments.

A `Sheet` says what a form is made of and how it is stored; `edit` shows it, takes what was typed, and turns what the
services refuse into a page that keeps every typed value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue, value_sets
from registry.instruments.base import Choice, Instrument, InvalidValue, Item
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, QueryForm, State
from registry.services.entry import own_records, patients
from registry.services.entry.assessments import save_assessment
from registry.services.follow_up import ends, schedule, visits
from registry.services.records import changes, extras, identity
from registry.services.records.cleaning import REQUIRED, InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.services.review.queries import Unlikely, unlikely
from registry.services.review.soft_checks import Form, form_of_record
from registry.tasks import start_patient_outcomes
from registry.web.entry import conflicts, drafts
from registry.web.review import on_form
from registry.web.shared import questions as forms
from registry.web.shared import wording
from registry.web.shared.lookup import (
    assessments_of,
    form_state,
    names_of,
    patient_of,
    visit_label,
)
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can


@dataclass(kw_only=True)
class Sheet:
    """One form of one patient.

    form       which form it is, for queries and verification; None for an event that is not stored yet
    row        the stored record, or None for one not begun; its `version` guards against lost updates
    save       takes raw, missing, complete, version, reason and said, and returns the stored record
    reload     gives the stored record as it is now
    leading    items before the instruments, such as the date of an assessment
    without    names of items that this form does not show
    state      of the form; None for one that is never finished
    previous   answers of the visit before, by item name, and `previous_label` says which
    address_of  of the stored record, where each has an address of its own; None where `url` is that of all
    look       gives those of the fields above that only the page needs, so that storing does not read them
    """

    patient: Any
    title: str
    instruments: tuple[Instrument, ...]
    row: Any
    save: Callable
    reload: Callable
    url: str
    form: Form | None = None
    history_url: str = ""
    leading: tuple[Item, ...] = ()
    without: tuple[str, ...] = ()
    state: str | None = None
    state_column: str | None = "state"
    visit: visits.Visit | None = None
    previous: Mapping = field(default_factory=dict)
    previous_label: str = ""
    look: Callable[[], Mapping] = dict
    address_of: Callable | None = None

    def shown(self):
        """This form with everything that its page shows."""
        return replace(self, look=dict, **self.look())

    @property
    def items(self):
        own = tuple(item for item in catalogue.items(self.instruments) if item.name not in self.without)
        return self.leading + own

    def stored(self, row):
        """What `row` holds, as the fields of the page hold it: (values, reasons)."""
        if row is None:
            return {}, {}
        return {item.name: forms.typed(getattr(row, item.name)) for item in self.items}, dict(
            getattr(row, "missing", {})
        )

    @property
    def plain(self):
        """Whether the form is one short record: stored whole, without reasons for missing values."""
        return self.instruments == catalogue.ADVERSE_EVENTS

    @property
    def drafts(self):
        """Whether the form can be left half done."""
        return not self.plain

    @property
    def needs_reason(self):
        """Whether a change of this form asks why: once it was completed."""
        return self.state in (State.COMPLETE, State.VERIFIED)


def edit(request, sheet):
    """Show a form, or store what was sent and go on to where the person wants to be."""
    request_is_reader = not request.access.may(Can.ENTER, sheet.patient.site_id)
    if request.method == "POST" and not request_is_reader:
        if "look" in request.POST:
            return _look(request, sheet)
        if "check" in request.POST:
            return _check(request, sheet)
        return _work_out(request, sheet) if "work_out" in request.POST else _store(request, sheet)
    request.access.require(Can.READ if request.method != "POST" else Can.ENTER, sheet.patient.site_id)
    sheet = sheet.shown()
    values, missing = sheet.stored(sheet.row)
    draft, drafted = drafts.shown(request, sheet, values, missing)
    if draft is None:
        return _page(request, sheet, values, missing, drafted=drafted)
    version = {"version": draft.row.based_on} if draft.is_laid_over else {}
    return _page(request, sheet, draft.raw, draft.missing, reason=draft.reason, draft=draft, drafted=drafted, **version)


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
    raw, missing = forms.submitted(request.POST, sheet.instruments, sheet.leading, sheet.without)
    return _page(
        request,
        sheet,
        raw,
        missing,
        reason=request.POST.get("reason", "").strip(),
        drafted=request.POST.get("drafted", ""),
        version=forms.version_in(request.POST),
        worked_out=True,
    )


def _check(request, sheet):
    """Every answer on one screen before the form is completed: what completing would refuse or ask comes first.

    Completing is tried and undone, so that this page finds what that finds; saving itself costs nothing more.
    """
    raw, missing = forms.submitted(request.POST, sheet.instruments, sheet.leading, sheet.without)
    reason, version = request.POST.get("reason", "").strip(), forms.version_in(request.POST)
    acknowledged = on_form.said_in(request.POST)
    sent = {"raw": raw, "missing": missing, "complete": True, "reason": reason, "said": acknowledged}
    errors, asked = {}, ()
    try:
        with transaction.atomic():
            errors, _row, _saved = _attempt(sheet, sent, version)
            transaction.set_rollback(True)
    except Unlikely as unlikely_answers:
        asked = (unlikely_answers.findings, acknowledged)
    if errors or asked:
        told = _sentences(sheet, errors) if errors else None
        return _page(request, sheet, raw, missing, errors=told, asked=asked, reason=reason, version=version, status=422)
    context = {
        "sheet": sheet,
        "patient": sheet.patient,
        "facts": facts(sheet.patient),
        "parts": list(_answers(sheet, raw, missing)),
        "sent": [(name, value) for name, values in request.POST.lists() if name not in NOT_SENT for value in values],
    }
    return render(request, "entry/check.html", context)


NOT_SENT = frozenset(("csrfmiddlewaretoken", "check", "save", "complete", "work_out"))


def _answers(sheet, raw, missing):
    """(code, title, [(label, answer in words, whether it lacks)]) of each part of the form."""
    if sheet.leading:
        yield "", "", [_told(item, raw, missing) for item in sheet.leading]
    for instrument in sheet.instruments:
        items = [item for item in instrument.items if item.name not in sheet.without]
        yield instrument.code, wording.words(instrument.title), [_told(item, raw, missing) for item in items]


def _told(item, raw, missing):
    value = _readable(item, raw, missing)
    return wording.words(item.label), wording.answer(item, value, missing.get(item.name)), value is None


def _readable(item, raw, missing):
    """A clean value, or None for one that is missing or not finished yet."""
    try:
        return None if item.name in missing else item.clean(raw[item.name])
    except InvalidValue:
        return None


def _store(request, sheet):
    raw, missing = forms.submitted(request.POST, sheet.instruments, sheet.leading, sheet.without)
    complete = "complete" in request.POST
    version = forms.version_in(request.POST)
    reason = request.POST.get("reason", "").strip()
    acknowledged = on_form.said_in(request.POST)
    sent = {"raw": raw, "missing": missing, "complete": complete, "reason": reason, "said": acknowledged}
    try:
        return _try(request, sheet, sent, version)
    except Unlikely as unlikely_answers:
        return _page(
            request,
            sheet,
            sent["raw"],
            sent["missing"],
            reason=reason,
            asked=(unlikely_answers.findings, acknowledged),
            version=sent.get("version", version),
            status=422,
        )


def _try(request, sheet, sent, version):
    """Store what was sent; where somebody else stored the form first, only what nobody needs to be asked about.

    `sent` takes up what was chosen between two answers, and the version that it then is a change of.
    """
    answers = ("raw", "missing", "complete", "reason", "said")
    began, at = version, version
    errors, saved = {}, None
    row = sheet.reload() if "seen" in request.POST else None  # the answer to a page that showed both
    if row is None:
        errors, row, saved = _attempt(sheet, sent, version)
    while row is not None:
        conflict = conflicts.between(sheet, row, sent["raw"], sent["missing"], began, request.POST, request.user.pk)
        if conflict.open:
            return _page(
                request,
                sheet,
                sent["raw"],
                sent["missing"],
                reason=sent["reason"],
                conflict=conflict,
                version=began,
                status=409,
            )
        unfinished = sent["complete"] and getattr(row, sheet.state_column or "", "") == State.DRAFT
        if not conflict.differs and not unfinished:
            break
        sent |= {"raw": conflict.raw, "missing": conflict.missing, "version": row.version}
        at = row.version
        errors, row, saved = _attempt(sheet, {name: sent[name] for name in answers}, at)
    if errors:
        return _page(
            request,
            sheet,
            sent["raw"],
            sent["missing"],
            errors=_sentences(sheet, errors),
            reason=sent["reason"],
            version=at if sheet.reload() else None,
            status=422,
        )
    return _stored(request, sheet, saved or sheet.reload(), sent["complete"])


# As when an import that brought the form was taken back.
GONE = gettext_noop("This form was removed after you opened it. To store your answers as a new form, save once more.")


def _attempt(sheet, sent, version, again=True):
    """Save once: the errors by item name, the record as it is if someone else stored it first, and what was saved.

    A service refuses before it writes, or undoes what it wrote, so a refusal leaves the request's transaction usable.
    """
    try:
        return {}, None, sheet.save(version=version, **sent)
    except InvalidAnswers as error:
        lacks_reason = sheet.shown().needs_reason and not sent["reason"]
        return error.errors | (_reason_wanted() if lacks_reason else {}), None, None
    except ReasonRequired:
        return _reason_wanted(), None, None
    except Locked:
        return {"": [_("This form is signed. It must be unlocked before it can change.")]}, None, None
    except Conflict as error:
        return ({}, error.current, None) if error.current else ({"": [_(GONE)]}, None, None)
    except IntegrityError:
        # Two began the same form in the same instant; the database took the first.
        row = sheet.reload()
        if row is None and again:
            return _attempt(sheet, sent, version, again=False)  # an event: the service finds the other one by now
        if row is None or row.version == version:
            raise
        return {}, row, None


def _reason_wanted():
    return {"reason": [_("This form is complete. Say why it is corrected.")]}


def _stored(request, sheet, row, complete):
    left = drafts.forget(request, sheet)
    start_patient_outcomes(sheet.patient.pk)
    form = form_of_record(row) if isinstance(row, OwnRecord) else sheet.form
    may_leave_queries = form and getattr(row, "may_leave_queries", True)
    if may_leave_queries and (note := on_form.saved_note(sheet.patient, form)):
        messages.warning(request, note)
    message = _("%(form)s saved.") % {"form": sheet.title} if complete else _("Saved %(time)s.") % {"time": _time()}
    messages.success(request, message)
    if left:
        messages.info(request, _("What you typed in another window is kept as your draft of this form."))
    if complete:
        return redirect("patient", sheet.patient.pk)
    return redirect(sheet.address_of(row) if sheet.address_of else sheet.url)


def _time():
    return timezone.localtime().strftime("%H:%M")


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


PRESENT = object()  # the version of what is stored now


def _page(
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
    version  of the record that the fields began from, None where there was none
    worked_out  whether the page was asked to say first what follows from its fields
    """
    sheet = sheet.shown()
    errors = errors or {}
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
            "kept": _kept(sheet, row),
            "files": _files(request, sheet),
            "error_record": _record_in_address(row) if may_enter and sheet.state != State.LOCKED else "",
            "live": forms.live(sheet.instruments, local_values, known),
        },
        status=status,
    )


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


def _kept(sheet, row):
    """Answers to extras that are switched off by now, to be read: (title, [(label, answer in words)])."""
    instruments = extras.kept(sheet.form.kind, row, sheet.instruments) if sheet.form else []
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


def _summary(errors, sheet):
    """The error summary: (anchor of the field, sentence), in the order of the page."""
    order = [item.name for item in sheet.items]
    names = sorted(errors, key=lambda name: order.index(name) if name in order else len(order))
    return [(name, text) for name in names for text in errors[name]]


def _all_unanswered(errors, sheet):
    wanted = {item.name: wording.said(item, REQUIRED) for item in sheet.items}
    return all(text == wanted.get(name) for name, reasons in errors.items() for text in reasons)


@require_http_methods(["GET", "POST"])
def assessment(request, patient_id, timepoint):
    """The assessment of a patient at one timepoint."""
    patient = patient_of(request, patient_id)
    today = timezone.localdate()
    plan = schedule.plans().of(patient, today)
    planned = next((visit for visit in plan if visit.code == timepoint), None)
    label = visit_label(patient, timepoint, plan)

    def look():
        recorded = assessments_of(patient)
        own = visits.visits(patient, plan, recorded, today, ends.end_of(patient))
        if planned:
            visit = next(visit for visit in own if visit.code == timepoint)
        else:
            row = recorded.get(timepoint)
            visit = visits.Visit(Choice(timepoint, label), row.state if row else "empty", assessment=row)
            own = [visit for visit in own if visit.assessment]
        row = visit.assessment
        seen = {"row": row, "state": row.state if row else "empty", "visit": visit}
        seen["history_url"] = reverse("history", args=[patient.pk]) + f"?record={timepoint}"
        before = own[: own.index(visit)] if visit in own else own
        if before := next((visit for visit in reversed(before) if visit.assessment), None):
            items = catalogue.items(catalogue.current().of_assessment)
            seen["previous"] = {item.name: forms.typed(getattr(before.assessment, item.name)) for item in items}
            seen["previous_label"] = before.label
        return seen

    def save(**answers):
        return save_assessment(access=request.access, patient=patient, timepoint=timepoint, today=today, **answers)

    return edit(
        request,
        Sheet(
            patient=patient,
            title=label.in_language(get_language()),
            instruments=extras.core("assessment", timepoint) + extras.shown("assessment", timepoint),
            leading=(ASSESSMENT_DATE,),
            row=None,
            look=look,
            save=save,
            reload=lambda: Assessment.objects.filter(patient=patient, timepoint_id=timepoint).first(),
            url=request.path,
            form=Form("assessment", timepoint=timepoint),
        ),
    )


@require_http_methods(["GET", "POST"])
def own_form(request, patient_id, form):
    """Baseline, surgery or follow-up: the forms whose columns are the patient's own."""
    patient = patient_of(request, patient_id)
    instruments, column = PATIENT_FORMS[form].instruments, PATIENT_FORMS[form].state_column
    state = form_state(patient, form)

    def save(*, raw, missing, complete, **more):
        if more["version"] is None:
            raise Conflict(patient)  # a form that does not say what it changes may overwrite what it has not seen
        complete = complete or state not in ("empty", State.DRAFT)
        if form == "baseline" and complete:
            # The birth date is not on this page, but a complete baseline has one.
            raw = raw | {"birth_date": (identity.read(patient) or {}).get("birth_date")}
        elif form == "follow_up":
            complete = True
        return patients.save_form(
            access=request.access,
            patient=patient,
            form=form,
            raw=raw,
            missing=missing,
            complete=complete,
            today=timezone.localdate(),
            **more,
        )

    return edit(
        request,
        Sheet(
            patient=patient,
            title=str(QueryForm(form).label),
            instruments=extras.core_of(instruments) + extras.shown(form),
            without=("birth_date",),
            row=patient,
            state=state if column else None,
            state_column=column,
            save=save,
            reload=lambda: type(patient).objects.select_related("site").get(pk=patient.pk),
            url=reverse(f"patient_{form}", args=[patient.pk]),
            form=Form(form),
            history_url=reverse("history", args=[patient.pk]) + "?record=patient",
        ),
    )


@require_http_methods(["GET", "POST"])
def adverse_event(request, patient_id, event_id=None):
    """Record an adverse event, or correct one with a reason."""
    patient = patient_of(request, patient_id)
    events = AdverseEvent.objects.filter(patient=patient, site_id=patient.site_id)
    event = get_object_or_404(events, pk=event_id) if event_id is not None else None
    may_identify, items = request.access.may(Can.IDENTIFY, patient.site_id), catalogue.items(catalogue.ADVERSE_EVENTS)

    def save(*, raw, missing, complete, version, reason, said):
        if event is not None and event.version != version:
            raise Conflict(event)
        if event is None and _equal_event(events, raw):
            return  # the same form sent twice
        patients.save_adverse_event(
            access=request.access,
            patient=patient,
            raw=raw,
            event=event,
            reason=reason,
            said=said,
            today=timezone.localdate(),
        )

    return edit(
        request,
        Sheet(
            patient=patient,
            title=_("Adverse event"),
            instruments=catalogue.ADVERSE_EVENTS,
            # Free text may name someone: it is for the site's own people.
            without=() if may_identify else tuple(item.name for item in items if item.identifying),
            row=event,
            state=event.state if event else "empty",
            save=save,
            reload=lambda: events.filter(pk=event.pk).first() if event else _equal_event(events, request.POST),
            url=reverse("adverse_event", args=[patient.pk, event.pk])
            if event
            else reverse("adverse_event_new", args=[patient.pk]),
            form=Form("adverse_event", event=event.pk) if event else None,
            history_url=reverse("history", args=[patient.pk]) + f"?record=event-{event.pk}" if event else "",
        ),
    )


@require_http_methods(["GET", "POST"])
def own_record(request, patient_id, form, record_id=None):
    """A record of a repeating form of the study's own: a new one, or one to be corrected."""
    patient = patient_of(request, patient_id)
    try:
        instrument = own_records.instrument(form)
    except KeyError:
        raise Http404 from None
    records = OwnRecord.objects.filter(patient_id=patient.pk, site_id=patient.site_id, form=form)
    row = get_object_or_404(records, pk=record_id) if record_id is not None else None
    if request.method == "POST":  # what does not exist is not there for anybody
        request.access.require(Can.ENTER, patient.site_id)

    def save(*, version, **answers):
        if row is None and (sent := own_records.sent_already(request.access, patient, form, answers)):
            messages.info(request, _("This record was saved a moment ago: it was not stored twice."))
            return sent
        return own_records.save_own_record(
            access=request.access,
            patient=patient,
            form=form,
            record=record_id,
            version=version,
            today=timezone.localdate(),
            **answers,
        )

    def address(stored):
        return reverse("own_record", args=[patient.pk, form, stored.pk])

    return edit(
        request,
        Sheet(
            patient=patient,
            title=wording.words(instrument.title),
            instruments=(instrument,),
            row=row,
            state=row.state if row else "empty",
            save=save,
            reload=lambda: records.filter(pk=record_id).first() if record_id else None,
            url=address(row) if row else reverse("own_record_new", args=[patient.pk, form]),
            address_of=address,
            form=Form("own_record", own=form, record=record_id),
            history_url=reverse("history", args=[patient.pk]) + f"?record={form}.{row.pk}" if row else "",
        ),
    )


def _equal_event(events, raw):
    """The stored event that says exactly what is sent, if there is one."""
    items = catalogue.items(catalogue.ADVERSE_EVENTS)
    sent = {item.name: wording.meant(item, raw.get(item.name)) for item in items}
    alike = events.filter(kind=str(sent["kind"]))
    return next((event for event in alike if all(getattr(event, name) == value for name, value in sent.items())), None)


@require_safe
@cache_control(public=True, max_age=365 * 24 * 3600, immutable=True)
def value_set(request, code, version):
    """Every EQ-5D-5L state and its value, for the page that shows the HSUV while the answers are given."""
    try:
        country_set = value_sets.get(code)
    except KeyError:
        raise Http404 from None
    if country_set.version != version:
        raise Http404
    return JsonResponse(country_set.table())


@require_safe
def segment_group(request):
    """The segment group of some levels, in words: the rule itself answers while the levels are being ticked."""
    item = catalogue.item("lesion_levels")
    try:
        chosen = item.clean(request.GET.getlist("lesion_levels"))
    except InvalidValue:
        raise Http404 from None
    return render(request, "shared/segment_group.html", {"segment": forms.segment_of(chosen)})
