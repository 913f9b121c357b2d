"""The planned visits of a patient: what is done, due, overdue or missed on a given day."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import get_language

from registry.instruments import timepoints
from registry.instruments.base import Label
from registry.models import Assessment, Patient

LAST_VISIT_STAYS_OPEN = 180  # days for which the last visit is overdue before it counts as missed


@dataclass(frozen=True)
class Visit:
    """One planned visit of one patient. `state` is that of its form or, without one, of the schedule.

    first, target, last  days of the window; None before the date of surgery is known
    """

    timepoint: timepoints.Timepoint
    state: str
    first: date | None = None
    target: date | None = None
    last: date | None = None
    assessment: Assessment | None = None

    @property
    def code(self):
        return self.timepoint.code

    @property
    def label(self):
        return self.timepoint.label.in_language(get_language())


COLUMNS = "code, label, label_ja, target_day, days_before, days_after"


def schedule():
    """The timepoints of this registry, in order, as the declarations spell them."""
    with connection.cursor() as cursor:  # plain SQL: nearly every page asks, and composing it takes the ORM longer
        cursor.execute(f"SELECT {COLUMNS} FROM registry_timepoint ORDER BY position")
        rows = cursor.fetchall()
    return tuple(
        timepoints.Timepoint(code=code, label=Label(label, label_ja), day=day, before=before, after=after)
        for code, label, label_ja, day, before, after in rows
    )


def closes(plan):
    """Days after surgery on which each planned visit turns from overdue to missed, by code."""
    following = [one.day - one.before for one in plan[1:]] + [plan[-1].day + plan[-1].after + LAST_VISIT_STAYS_OPEN]
    return {one.code: max(day, one.day + one.after + 1) for one, day in zip(plan, following, strict=True)}


def visits(patient, plan, assessments, today):
    """The `Visit`s of a patient in order. `assessments` maps timepoint codes to what was recorded."""
    closing = closes(plan)
    return [_visit(patient, one, closing[one.code], assessments.get(one.code), today) for one in plan]


def _visit(patient, timepoint, closing, assessment, today):
    if patient.surgery_date is None:
        return Visit(timepoint, assessment.state if assessment else "empty", assessment=assessment)
    first, last = timepoint.window(patient.surgery_date)
    state = assessment.state if assessment else _planned_state(patient, first, last, closing, today)
    target = patient.surgery_date + timedelta(days=timepoint.day)
    return Visit(timepoint, state, first, target, last, assessment)


def _planned_state(patient, first, last, closing, today):
    if patient.vital_status == "dead" and (patient.death_date is None or patient.death_date < last):
        return "dead"
    if today < first:
        return "empty"
    if today <= last:
        return "due"
    return "overdue" if today < patient.surgery_date + timedelta(days=closing) else "missed"


def awaiting(access, plan, today):
    """Patients with a visit that is due or overdue, as a queryset."""
    closing = closes(plan)
    wanted = Q()
    for one in plan:
        recorded = Assessment.objects.filter(patient_id=OuterRef("pk"), timepoint_id=one.code)
        wanted |= Q(
            ~Exists(recorded),
            surgery_date__gt=today - timedelta(days=closing[one.code]),
            surgery_date__lte=today - timedelta(days=one.day - one.before),
        )
    oldest = today - timedelta(days=max(closing.values()))
    return (
        Patient.objects.visible_to(access)
        .filter(wanted, surgery_date__gt=oldest)
        .filter(Q(vital_status__isnull=True) | ~Q(vital_status="dead"))
    )
