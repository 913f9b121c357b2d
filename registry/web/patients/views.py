"""Patients: the list, enrolment, the page of one patient, and the identifiers that stay with the site."""

import uuid
from datetime import date
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import caches
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue, levels, spelling
from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.instruments.keys import LOCAL_NUMBERS
from registry.instruments.patient_forms import FINISHED_FORMS, PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, Patient, QueryForm, ScreeningEntry, State
from registry.services.attachments import files as attachments
from registry.services.current_protocol import minimum_age
from registry.services.entry import entered_in_error, merging, own_records, patients, transfers
from registry.services.follow_up import ends as follow_up
from registry.services.follow_up import schedule, visits
from registry.services.operations import erasure
from registry.services.records import drafts, identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.services.review import signing
from registry.services.review.forms import forms_of
from registry.services.review.queries import unsettled_by_form as queries_by_form
from registry.services.study import consents, screening
from registry.web.patients import extra_answers, list_rows, next_step
from registry.web.patients.entered_in_error import titles_of as record_titles
from registry.web.reading import timeline, written
from registry.web.shared import cells, identified, questions, tags, wording
from registry.web.shared.filters import Filter, chips, codes
from registry.web.shared.lookup import (
    COUNTED,
    assessments_of,
    counted,
    form_state,
    identifying_patient_of,
    last_page,
    names_of,
    number_in,
    page_in,
    patient_of,
)
from registry.web.shared.patient_head import facts
from sites import audit
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50
LEGEND = ("empty", "due", "overdue", "missed", "draft", "complete", "verified", "locked")
ORDERS = {
    "patient_id": gettext_lazy("Patient"),
    "surgery_date": gettext_lazy("Surgery"),
}


def _filters(request, sites):
    def declared(name):
        item = catalogue.item(name)
        return [(str(choice.code), capfirst(wording.words(choice.label))) for choice in item.choices]

    offered = [
        ("tumour", _("Primary tumour"), declared("primary_tumour")),
        ("segment", _("Segment group"), [(group.code, wording.words(group.label)) for group in levels.SEGMENT_GROUPS]),
        ("vital", _("Vital status"), declared("vital_status")),
        ("state", _("Forms"), [("draft", _("With a draft")), ("incomplete", _("Baseline or surgery open"))]),
    ]
    if len(sites) > 1:
        offered.insert(0, ("site", _("Site"), [(site.code, str(site)) for site in sites]))
    return [Filter(name, label, options, request.GET.get(name, "")) for name, label, options in offered]


def _narrowed(rows, chosen, query, by_identifier):
    """The rows that the filters let through, with `query` in their number or among those found `by_identifier`."""
    if query:
        rows = rows.filter(Q(patient_id__contains=query) | Q(pk__in=by_identifier))
    if code := chosen.get("site"):
        rows = rows.filter(site__code=code)
    if code := chosen.get("tumour"):
        rows = rows.filter(primary_tumour=code)
    if code := chosen.get("segment"):
        rows = rows.filter(segment_group=code)
    if code := chosen.get("vital"):
        rows = rows.filter(vital_status=code)
    if code := chosen.get("state"):
        open_own = Q(baseline_state=State.DRAFT) | Q(surgery_state=State.DRAFT)
        drafts = Assessment.objects.filter(site_id=OuterRef("site_id"), patient=OuterRef("pk"), state=State.DRAFT)
        rows = rows.filter(Exists(drafts)) if code == "draft" else rows.filter(open_own)
    return rows


@require_safe
def patient_list(request):
    """The patients that the person may see, 50 a page; the number of queries does not depend on how many.

    A search that finds one alone opens it: by the whole number or an identifier, or by any part where it says `find`.
    """
    request.access.require(Can.READ)
    sites = Site.of(request.access.sites_for(Can.READ))
    query = spelling.as_code(request.GET.get("q", "")).strip().upper()
    filters = _filters(request, sites)
    chosen = codes(filters)
    by_identifier = identified.search(request, request.GET.get("q", "").strip())
    matching = _narrowed(Patient.objects.visible_to(request.access), chosen, query, by_identifier)
    count = counted(matching)
    if count == 1 and query and ("find" in request.GET or matching.filter(pk__in=[query, *by_identifier]).exists()):
        return redirect("patient", matching.get().pk)

    order = request.GET.get("sort", "patient_id")
    order = order if order.lstrip("-") in ORDERS else "patient_id"
    last = last_page(count, PAGE)
    number = page_in(request.GET.get("page"), last)
    ordering = [order] if order.lstrip("-") == "patient_id" else [order, "patient_id"]
    shown = list(matching.order_by(*ordering).values_list("pk", flat=True)[(number - 1) * PAGE : number * PAGE])
    rows = list_rows.patients(shown)

    plans = schedule.plans()
    ends, recorded = follow_up.ends_of(shown), visits.recorded(shown)
    lines = list_rows.Lines(sites if len(sites) > 1 else (), identified.beside(request, shown))
    on_day, columns, written = visits.OnDay(plans, timezone.localdate()), plans.timepoints, []
    for row in rows:
        planned = on_day.states(row, recorded.get(row.patient_id, {}), ends.get(row.patient_id))
        own = [form_state(row, form) for form in FINISHED_FORMS]
        states = tags.state_cells(own + [planned.get(timepoint.code, (None,))[0] for timepoint in columns])
        written.append(lines.line(row, states))

    parameters = chosen | ({"q": query} if query else {})
    return render(
        request,
        "patients/patient_list.html",
        {
            "rows": rows,
            "written": cells.joined(written),
            "plan": columns,
            "several_sites": len(sites) > 1,
            "query": query,
            "filters": filters,
            "chips": chips(filters, parameters),
            "any_filter": bool(parameters),
            "count": count,
            "many": count > COUNTED,
            "counted": COUNTED,
            "order": order,
            "headings": {name: _heading(name, order, parameters) for name in ORDERS},
            "number": number,
            "last": last,
            "first_row": (number - 1) * PAGE + 1 if rows else 0,
            "last_row": (number - 1) * PAGE + len(rows),
            "legend": LEGEND,
            "in_error": entered_in_error.patient_marked(query) if query and not rows else None,
            "page_query": urlencode(parameters | ({"sort": order} if order != "patient_id" else {})),
        },
    )


def _heading(name, order, parameters):
    """A heading to sort by: its words, where a click leads, and how the list is sorted now."""
    ascending, descending = order == name, order == f"-{name}"
    return {
        "label": ORDERS[name],
        "query": urlencode(parameters | {"sort": f"-{name}" if ascending else name}),
        "sorted": "ascending" if ascending else "descending" if descending else "",
    }


def _criteria():
    """(name, text) of what everybody confirms before enrolling; the age is looked at by the date of birth."""
    return (
        ("eligible_surgery", _("Surgery for a spinal metastasis is scheduled.")),
        ("eligible_consent", _("The patient has given written informed consent.")),
        ("eligible_no_dementia", _("The patient does not have dementia (exclusion criterion).")),
    )


CRITERION_OPEN = gettext_lazy("Confirm this, or do not enrol the patient.")


@require_http_methods(["GET", "POST"])
def enrol(request):
    """Check eligibility, take the identifiers, give the patient a number."""
    request.access.require(Can.ENTER)
    line = _screened(request)
    sites = [line.site] if line else Site.of(request.access.sites_for(Can.ENTER))
    post = request.POST
    errors = {}
    if request.method == "POST":
        patient, errors = _try_to_enrol(request, sites, line)
        if patient:
            messages.success(request, _("Enrolled. The patient's number is %(number)s.") % {"number": patient.pk})
            return redirect("patient", patient.pk)
    values = {item.name: post.get(item.name, "") for item in catalogue.ENROLMENT.items}
    if line and request.method != "POST":
        values["sex"] = line.screen_sex or ""
    versions = consents.versions()
    named = (*values, *LOCAL_NUMBERS, *CONSENT_AT_ENROLMENT)
    texts = wording.all_said({name: faults for name, faults in errors.items() if name in named}, _item)
    return render(
        request,
        "patients/enrol.html",
        {
            "sites": sites,
            "site_id": post.get("site", ""),
            "line": line,
            "consent_versions": [
                (version.code, f"{version.code}: {wording.words(version.label)}") for version in versions
            ],
            "consent_questions": _consent_questions(request, versions, texts),
            "consent_version": post.get("agreed_version", versions[-1].code if versions else ""),
            "criteria": [
                {
                    "name": name,
                    "text": text,
                    "checked": name in post,
                    "error": CRITERION_OPEN if errors and name not in post else "",
                }
                for name, text in _criteria()
            ],
            "minimum_age": minimum_age(),
            "questions": [questions.question(item, values, {}, texts) for item in catalogue.ENROLMENT.items],
            "summary": _enrol_summary(errors, texts, post),
            "hospital_number": post.get("hospital_number", ""),
            "initials": post.get("initials", ""),
            "local_errors": texts,
            "site_error": errors.get("site"),
            "alike": errors.get("alike", []),
            "submission": post.get("submission") or uuid.uuid4().hex,
        },
        status=422 if errors else 200,
    )


CONSENT_AT_ENROLMENT = ("agreed_version", "agreed_language", "agreed_taken_by")


def _consent_questions(request, versions, errors):
    """What is asked of the consent at enrolment beside its version, where the protocol has versions of the form."""
    if not versions:
        return []
    typed = {"agreed_language": get_language(), "agreed_taken_by": str(request.user)}
    values = {name: request.POST.get(name, typed[name]) for name in typed}
    return [questions.question(catalogue.item(name), values, {}, errors) for name in typed]


def _item(name):
    return LOCAL_NUMBERS.get(name) or catalogue.item(name)


def _enrol_summary(errors, texts, post):
    if not errors:
        return []
    lines = [(name, f"{text} {CRITERION_OPEN}") for name, text in _criteria() if name not in post]
    if "site" in errors:
        lines.append(("site", errors["site"]))
    if "screening" in errors:
        lines.append(("screening", " ".join(wording.words(reason) for reason in errors["screening"])))
    if "alike" in errors:
        lines.append(("alike", _("Somebody at this hospital may be the same person: please look.")))
    return lines + [(name, text) for name, reasons in texts.items() for text in reasons]


def _screened(request):
    """The line of the screening log that somebody is enrolled from, None for none."""
    number = number_in(request.POST.get("screening") or request.GET.get("screening"))
    if number is None:
        return None
    own = ScreeningEntry.objects.filter(site_id__in=request.access.sites_for(Can.ENTER)).select_related("site")
    return own.filter(pk=number).first()


def _try_to_enrol(request, sites, line):
    """(Patient, {}) or (None, errors). The same submission twice enrols one patient."""
    post = request.POST
    open_criteria = [name for name, _text in _criteria() if name not in post]
    site = (
        sites[0]
        if len(sites) == 1
        else next((own_site for own_site in sites if str(own_site.pk) == post.get("site")), None)
    )
    raw = {item.name: post.get(item.name, "").strip() for item in catalogue.ENROLMENT.items}
    sent = {
        "raw": raw,
        "consented": not open_criteria,
        "hospital_number": post.get("hospital_number", "")[:40].strip(),
        "initials": post.get("initials", "")[:10].strip(),
        "today": timezone.localdate(),
    }
    if site is None:
        try:
            patients.may_be_enrolled(**sent)
        except InvalidAnswers as error:
            return None, {"site": _("Choose the site.")} | _without_consent(error.errors, open_criteria, raw)
        return None, {"site": _("Choose the site.")}
    submission = f"enrol:{request.user.pk}:{post.get('submission', '')[:64]}"
    with connection.cursor() as cursor:
        # The second of two equal submissions waits here until the first is committed, and then finds its patient.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [submission])
    earlier = caches["durable"].get(submission)
    if earlier and (patient := Patient.objects.visible_to(request.access).filter(pk=earlier).first()):
        return patient, {}
    try:
        with transaction.atomic():
            others = post.getlist("alike") if "another_person" in post else []
            patient = patients.enrol(access=request.access, site=site, other_than=others, **sent)
            consents.first_of(
                patient, {name: post.get(name, "").strip() for name in CONSENT_AT_ENROLMENT}, sent["today"]
            )
            if line:
                screening.enrolled(line, patient)
    except patients.AlreadyEnrolled as exception:
        return None, {"alike": exception.known}
    except InvalidAnswers as error:
        return None, _without_consent(error.errors, open_criteria, raw) or {"criteria": True}
    caches["durable"].set(submission, patient.pk, 3600)
    return patient, {}


def _without_consent(errors, open_criteria, raw):
    """The errors of an enrolment without what the criteria that are open say in their own place."""
    if open_criteria and raw["consent_date"]:
        said = [fault for fault in errors.get("consent_date", []) if fault != patients.NO_CONSENT]
        errors = errors | {"consent_date": said}
    return {name: faults for name, faults in errors.items() if faults}


@require_safe
def patient_page(request, patient_id):
    """One patient at a glance: who, which forms, how it went."""
    patient = patient_of(request, patient_id)
    recorded = assessments_of(patient)
    plans, today = schedule.plans(), timezone.localdate()
    plan, end = plans.of(patient, today), follow_up.end_of(patient)
    planned = visits.visits(patient, plan, recorded, today, end)
    others = (
        visits.others(plan, recorded, schedule.labels())
        if set(recorded) - {timepoint.code for timepoint in plan}
        else []
    )
    course = in_order(planned, others)
    events = list(AdverseEvent.objects.filter(site_id=patient.site_id, patient=patient))
    names = names_of([patient.updated_by_id, *(assessment.updated_by_id for assessment in recorded.values())])
    unsettled = queries_by_form(patient) if _discusses(request.access, patient) else {}
    rows = forms_of(patient, [visit.assessment for visit in planned if visit.assessment], events)
    own_forms = [
        {
            "form": form,
            "label": QueryForm(form).label,
            "state": form_state(patient, form),
            "url": f"patient_{form}",
            "queries": unsettled.get(form, 0),
        }
        for form in PATIENT_FORMS
    ]
    may_enter = request.access.may(Can.ENTER, patient.site_id)
    measures = timeline.of(patient, course)
    return render(
        request,
        "patients/patient.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "visits": planned,
            "others": others,
            "closed_states": (visits.DEAD, *FOLLOW_UP_END.item("end_kind").codes),
            "next_unscheduled": schedule.next_unscheduled(recorded),
            "end": end,
            "end_words": end_in_words(end) if end else "",
            "may_erase": request.access.may(Can.ERASE, patient.site_id),
            "erased": erasure.erased(patient.pk) if end else [],
            "course": course,
            "names": names,
            "events": [_event_line(event, unsettled) for event in events],
            "unsettled": unsettled,
            "queries_count": sum(unsettled.values()),
            "may_ask": request.access.may(Can.QUERY, patient.site_id),
            "may_sign": request.access.may(Can.SIGN, patient.site_id)
            and any(row.state in (State.COMPLETE, State.VERIFIED) for row in rows),
            "signatures": signing.checked(patient, rows),
            "timeline": measures,
            "written_course": written.course(measures),
            "extra": extra_answers.of(patient, course),
            "own_records": [_own_records(*record) for record in own_records.records_of(patient)],
            "may_enter": may_enter,
            "may_identify": request.access.may(Can.IDENTIFY, patient.site_id),
            "own_forms": own_forms,
            "steps": next_step.missing(patient, own_forms, planned) if may_enter else [],
            "own_drafts": drafts.codes_of(request.access, patient),
            "in_error": _in_error(patient),
            "may_reconcile": request.access.may(Can.RECONCILE, patient.site_id),
            "transfers": transfers.of_patient(patient.pk),
            "merges": merging.merges_of(patient),
            "consent": consents.standing(patient, today, ended=end is not None),
            "attachments": attachments.number_of(patient),
            "identified": identified.beside(request, [patient.pk]).get(patient.pk, ""),
        },
    )


def _in_error(patient):
    """(entry, what it is called) of the patient's records that were entered in error."""
    entries = entered_in_error.of_patient(patient)
    titles = record_titles(entries)
    return [(entry, titles[entry.pk]) for entry in entries]


def _own_records(instrument, rows):
    """A repeating form of the study's own on a patient's page: its records with what each answers in a line."""
    return {
        "code": instrument.code,
        "title": wording.words(instrument.title),
        "asked": catalogue.current().asks(instrument.code),
        "rows": [(row, wording.listed(_told(instrument, row))) for row in rows],
    }


def _told(instrument, row):
    for item in instrument.items:
        value = getattr(row, item.name)
        if value is not None:
            yield f"{wording.words(item.label)} {wording.shown(item, value)}"


def in_order(planned, others):
    """The first planned visit, which changes are counted from, and then every other one by its day."""
    if not others:
        return planned
    last = date.max

    def day(visit):
        return (visit.assessment and visit.assessment.assessment_date) or visit.target or last

    return [planned[0], *sorted([*planned[1:], *others], key=day)]


def end_in_words(end):
    """“Consent withdrawn from 3 Mar 2026: moved away”."""
    answers = {item.name: wording.shown(item, getattr(end, item.name)) for item in FOLLOW_UP_END.items}
    return _("%(kind)s from %(day)s: %(reason)s") % {
        "kind": answers["end_kind"],
        "day": answers["end_date"],
        "reason": answers["end_reason"],
    }


def _discusses(access, patient):
    return access.may(Can.ENTER, patient.site_id) or access.may(Can.QUERY, patient.site_id)


def _event_line(event, unsettled):
    return {
        "queries": unsettled.get(f"event-{event.pk}", 0),
        "event": event,
        "kind": wording.shown(catalogue.item("kind"), event.kind),
        "grade": wording.shown(catalogue.item("clavien_dindo"), event.clavien_dindo) if event.clavien_dindo else "–",
        "seriousness": wording.shown(catalogue.item("ae_seriousness"), event.ae_seriousness),
        "outcome": wording.shown(catalogue.item("ae_outcome"), event.ae_outcome),
    }


@require_http_methods(["GET", "POST"])
def identifiers(request, patient_id):
    """Birth date, hospital number and initials, for the site's own people; opening them is on record."""
    patient = identifying_patient_of(request, patient_id)
    birth_date = catalogue.item("birth_date")
    errors, reason_wanted = {}, patient.baseline_state != State.DRAFT
    if request.method == "POST":
        errors = _save_identifiers(request, patient)
        if not errors:
            messages.success(request, _("Saved."))
            return redirect("patient_identifiers", patient.pk)
    audit.record("identifiers_viewed", site_id=patient.site_id, table="registry_identity", row_id=patient.pk)
    known, gone = identity.read(patient) or {}, erasure.erased(patient.pk)
    values = request.POST if errors else {name: questions.typed(value) for name, value in known.items()}
    return render(
        request,
        "patients/identifiers.html",
        {
            "patient": patient,
            "question": questions.question(birth_date, {"birth_date": values.get("birth_date", "")}, {}, errors),
            "hospital_number": values.get("hospital_number") or "",
            "initials": values.get("initials") or "",
            "reason": request.POST.get("reason", ""),
            "reason_wanted": reason_wanted,
            "errors": errors,
            "summary": [(name, text) for name, reasons in errors.items() for text in reasons],
            "may_enter": request.access.may(Can.ENTER, patient.site_id) and not gone,
            "gone": gone,
        },
        status=422 if errors else 200,
    )


def _save_identifiers(request, patient):
    post = request.POST
    try:
        with transaction.atomic():
            patients.save_form(
                access=request.access,
                patient=patient,
                form="baseline",
                raw={"birth_date": post.get("birth_date", "").strip()},
                reason=post.get("reason", "").strip(),
                today=timezone.localdate(),
            )
            identity.write(
                patient,
                hospital_number=post.get("hospital_number", "").strip()[:40],
                initials=post.get("initials", "").strip()[:10],
            )
    except InvalidAnswers as error:
        return wording.all_said(error.errors, _item)
    except ReasonRequired:
        return {"reason": [_("Say why this is corrected.")]}
    except (Locked, Conflict):
        return {"": [_("The patient's forms are signed. They must be unlocked first.")]}
    return {}
