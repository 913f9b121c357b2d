"""Forms of a patient: a `Sheet` of each says what it is made of and how it is stored, and `edit` does the rest."""

from django.contrib import messages
from django.http import Http404, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue, value_sets
from registry.instruments.base import Choice, InvalidValue
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, QueryForm, State
from registry.services.entry import own_records, patients
from registry.services.entry.assessments import looked_at, save_assessment
from registry.services.follow_up import ends, schedule, visits
from registry.services.records import extras, identity
from registry.services.records.storing import Conflict
from registry.services.review.soft_checks import Form
from registry.web.entry.editing import edit, stores
from registry.web.entry.sheet import Sheet
from registry.web.shared import questions as forms
from registry.web.shared import wording
from registry.web.shared.lookup import (
    assessments_of,
    form_state,
    patient_of,
    visit_label,
)
from sites.tenancy.access import Can


@require_http_methods(["GET", "POST"])
def assessment(request, patient_id, timepoint):
    """The assessment of a patient at one timepoint."""
    patient = patient_of(request, patient_id, looked_at() if stores(request) else None)
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
            items = catalogue.current().items_of_assessment
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
