"""The start page: what waits to be done at the own site, and how enrolment stands."""

from django.db.models import Count, Q
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.models import Assessment, Patient, State
from registry.web import visits
from registry.web.reading import form_state
from sites.access import Can
from sites.models import Site

SHOWN = 30  # lines of each list; beyond that the patients' list is the better place


@require_safe
def home(request):
    access = request.access
    if not access.may(Can.READ):
        return render(request, "registry/home_admin.html")
    plan, today = visits.schedule(), timezone.localdate()
    context = {"enrolment": _enrolment(access), "central": access.is_central}
    if access.may(Can.ENTER):
        context |= {"work": _visits_to_do(access, plan, today), "drafts": _drafts(access, plan), "enters": True}
    return render(request, "registry/home.html", context)


def _enrolment(access):
    """One line a site: patients enrolled, operated, followed for a month, and the target; and the sum of all."""
    counts = {
        line["site_id"]: line
        for line in Patient.objects.visible_to(access)
        .order_by()
        .values("site_id")
        .annotate(enrolled=Count("pk"), operated=Count("surgery_date"), died=Count("pk", Q(vital_status="dead")))
    }
    nothing = {"enrolled": 0, "operated": 0, "died": 0}
    lines = [
        {"site": site, "target": site.enrolment_target} | counts.get(site.pk, nothing)
        for site in Site.objects.filter(pk__in=access.sites_for(Can.READ))
    ]
    for line in lines:
        line["percent"] = round(100 * line["enrolled"] / line["target"]) if line["target"] else None
    targets = [line["target"] for line in lines]
    total = {key: sum(line[key] for line in lines) for key in nothing}
    total["target"] = sum(targets) if targets and all(targets) else None
    total["percent"] = round(100 * total["enrolled"] / total["target"]) if total["target"] else None
    return {"lines": lines, "total": total}


def _visits_to_do(access, plan, today):
    """Visits that are due or overdue, the longest overdue first: {"lines": [...], "due": n, "overdue": n}."""
    patients = list(
        visits.awaiting(access, plan, today).only(
            "patient_id", "site_id", "surgery_date", "vital_status", "death_date"
        )[:2000]
    )
    recorded = {}
    for one in Assessment.objects.filter(patient_id__in=[row.pk for row in patients]).only(
        "id", "patient_id", "timepoint_id", "state"
    ):
        recorded.setdefault(one.patient_id, {})[one.timepoint_id] = one
    lines = [
        {"patient": patient, "visit": visit, "days": (today - visit.last).days}
        for patient in patients
        for visit in visits.visits(patient, plan, recorded.get(patient.pk, {}), today)
        if visit.state in ("due", "overdue")
    ]
    lines.sort(key=lambda line: (line["visit"].last, line["patient"].pk))
    overdue = sum(line["visit"].state == "overdue" for line in lines)
    return {"lines": lines[:SHOWN], "overdue": overdue, "due": len(lines) - overdue, "more": len(lines) > SHOWN}


def _drafts(access, plan):
    """Forms that were begun and not completed, the last touched first."""
    sites = access.sites_for(Can.ENTER)
    labels = {one.code: one.label for one in plan}
    lines = [
        {
            "patient_id": one.patient_id,
            "label": labels[one.timepoint_id],
            "url_name": "assessment",
            "timepoint": one.timepoint_id,
            "at": one.updated_at,
        }
        for one in Assessment.objects.filter(site_id__in=sites, state=State.DRAFT).order_by("-updated_at")[: SHOWN + 1]
    ]
    own = Patient.objects.filter(site_id__in=sites).filter(Q(baseline_state=State.DRAFT) | Q(surgery_state=State.DRAFT))
    for patient in own.order_by("-updated_at")[: SHOWN + 1]:
        for form, label in (("baseline", _("Baseline")), ("surgery", _("Surgery"))):
            if form_state(patient, form) in ("draft", "empty"):
                lines.append(
                    {
                        "patient_id": patient.pk,
                        "label": label,
                        "url_name": f"patient_{form}",
                        "state": form_state(patient, form),
                        "at": patient.updated_at,
                    }
                )
    lines.sort(key=lambda line: line["at"], reverse=True)
    return {"lines": lines[:SHOWN], "more": len(lines) > SHOWN}
