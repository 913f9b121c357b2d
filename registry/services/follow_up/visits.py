"""The visits of a patient: what is done, due, overdue, missed or closed on a given day; and who has one waiting.

`visits` says it of one patient in Python, `awaited` of whole sites in SQL; a test holds the two together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import get_language

from registry.instruments.base import Choice
from registry.instruments.timepoints import Timepoint, closes, unscheduled_number
from registry.models import Assessment, Patient
from sites.database.fast_rows import rows_of

CLOSING_SOON = 7  # days left
DAY = timedelta(days=1)
# States of a visit without a form that nobody waits for any more.
DEAD = "dead"


@dataclass(frozen=True)
class Visit:
    """One visit of one patient. `state` is that of its form or, without one, of the schedule.

    first, target, last  days of the window; None outside the plan and before the date of surgery is known
    missed_from          the day from which the visit counts as missed
    """

    timepoint: Timepoint | Choice
    state: str
    first: date | None = None
    target: date | None = None
    last: date | None = None
    missed_from: date | None = None
    assessment: Assessment | None = None

    @property
    def code(self) -> str | int:
        return self.timepoint.code

    @property
    def label(self) -> str:
        return self.timepoint.label.in_language(get_language())


def visits(patient: Patient, plan: Any, assessments: Any, today: Any, end: Any = None) -> list[Visit]:
    """The planned `Visit`s of a patient in order.

    assessments  timepoint codes to what was recorded
    end          the patient's FollowUpEnd, if there is one
    """
    missed = closes(plan)
    return [
        _visit(patient, timepoint, missed[timepoint.code], assessments.get(timepoint.code), today, end)
        for timepoint in plan
    ]


def recorded(patient_ids: Any) -> dict[str, dict[str, Any]]:
    """{patient's number: {timepoint's code: what is recorded, with its state}} of some patients. One query."""
    by_patient: dict[str, dict[str, Any]] = {}
    columns = rows_of(Assessment).only(("patient_id", "timepoint_id", "state"))
    for row in columns.where("patient_id = ANY (%s)", [list(patient_ids)]):
        by_patient.setdefault(row.patient_id, {})[row.timepoint_id] = row
    return by_patient


class OnDay:
    """What `visits` says of many patients on one day: the bounds of each plan are worked out once."""

    def __init__(self, plans: Any, today: date) -> None:
        self.plans, self.today = plans, today
        self.bounds: dict[int, list[tuple]] = {}  # by the plan's identity: the plans hold it

    def states(self, patient: Any, recorded: Any, end: Any) -> dict[str, tuple[Any, date | None]]:
        """Code of each visit of the patient's plan to (state, last day of the window where it is due).

        recorded  timepoint codes to what was recorded; end: the patient's FollowUpEnd, if there is one
        """
        plan, operated = self.plans.of(patient, self.today), patient.surgery_date
        if operated is None or end is not None or patient.vital_status == DEAD:
            return {
                str(visit.code): (visit.state, visit.last if visit.state == "due" else None)
                for visit in visits(patient, plan, recorded, self.today, end)
            }
        if id(plan) not in self.bounds:
            self.bounds[id(plan)] = list(self._bounds(plan))
        states: dict[str, tuple[Any, date | None]] = {}
        for code, opens, closing, given_up, after in self.bounds[id(plan)]:
            if assessment := recorded.get(code):
                states[code] = assessment.state, None
            elif operated > opens:
                states[code] = "empty", None
            elif operated >= closing:
                states[code] = "due", operated + after
            else:
                states[code] = "overdue" if operated > given_up else "missed", None
        return states

    def _bounds(self, plan: Any) -> Iterable[tuple]:
        """(code, dates of surgery of whom the window opens, closes, and the visit counts as missed, days to the last)
        of each visit, as `visits_sql` has them."""
        missed = closes(plan)
        for visit in plan:
            first, last, given_up = (
                self.today - timedelta(days=days) for days in (visit.first_day, visit.last_day, missed[visit.code])
            )
            yield visit.code, first, last, given_up, timedelta(days=visit.last_day)


def _visit(patient: Patient, timepoint: Any, missed: Any, assessment: Any, today: Any, end: Any) -> Visit:
    if patient.surgery_date is None:
        state = assessment.state if assessment else _ended(patient, end, None) or "empty"
        return Visit(timepoint, state, assessment=assessment)
    first, last = timepoint.window(patient.surgery_date)
    missed_from = patient.surgery_date + timedelta(days=missed)
    state = assessment.state if assessment else _planned_state(patient, end, first, last, missed_from, today)
    target = patient.surgery_date + timedelta(days=timepoint.day)
    return Visit(timepoint, state, first, target, last, missed_from, assessment)


def _planned_state(patient: Patient, end: Any, first: Any, last: Any, missed_from: Any, today: Any) -> Any:
    if closed := _ended(patient, end, last):
        return closed
    if today < first:
        return "empty"
    if today <= last:
        return "due"
    return "overdue" if today < missed_from else "missed"


def _ended(patient: Patient, end: Any, last: Any) -> Any:
    """What closed a visit before the last day of its window: `dead`, `withdrawn`, `lost`; None if nothing did."""
    reasons = []
    if patient.vital_status == "dead":
        reasons.append((patient.death_date or date.min, DEAD))
    if end is not None:
        reasons.append((end.end_date, end.end_kind))
    return next((state for day, state in sorted(reasons) if last is None or day < last), None)


def others(plan: Any, assessments: Any, labels: Any) -> list[Visit]:
    """`Visit`s that were recorded though the patient's plan has none of them: unscheduled ones, by number.

    labels  code to `Label`
    """
    planned = {timepoint.code for timepoint in plan}
    codes = sorted(set(assessments) - planned, key=lambda code: (unscheduled_number(code) or 0, code))
    return [Visit(Choice(code, labels[code]), assessments[code].state, assessment=assessments[code]) for code in codes]


# -- Whole sites, in SQL ---------------------------------------------------------------------------------------------

# Needs `v` (of `visits_sql`), `p` and `e`. What `_ended` says, and that the date of surgery falls in the version.
PLANNED = "p.surgery_date >= v.starts AND p.surgery_date < v.ends"
OPEN = """(p.vital_status IS DISTINCT FROM 'dead' OR p.death_date >= p.surgery_date + v.last)
    AND (e.end_date IS NULL OR e.end_date >= p.surgery_date + v.last)"""
NOT_RECORDED = """NOT EXISTS (
    SELECT FROM registry_assessment AS a WHERE a.patient_id = p.patient_id AND a.timepoint_id = v.code)"""
ENDS = "LEFT JOIN registry_followupend AS e ON e.patient_id = p.patient_id AND e.site_id = p.site_id"
# By the date of surgery against days of `v` that were counted from the day of the question: under row-level security a
# condition with a sum of a date and a column is none that an index may be searched by.
WHEN = {
    "empty": ((">", "opens"),),
    "due": (("<=", "opens"), (">=", "closes")),
    "overdue": (("<", "closes"), (">", "given_up")),
    "missed": (("<=", "given_up"),),
    "awaited": (("<=", "opens"), (">", "given_up")),
    "reached": (("<=", "opens"),),
}


def when(state: Any) -> str:
    """SQL: whether the visit `v` of the patient `p`, if nothing is recorded, is in a state on the day of `v`."""
    return " AND ".join(f"p.surgery_date {sign} v.{bound}" for sign, bound in WHEN[state])


def surgery_spans(plans: Any, today: date, state: str, code: str = "") -> list[tuple[date, date]]:
    """First and last dates of surgery of whom a visit can be in a state today: in order, apart from each other.

    code  of the only timepoint that is asked about; any without one
    """
    spans = []
    for start, end, plan in plans.spans():
        missed = closes(plan)
        for visit in plan:
            if code in ("", visit.code):
                days = {"opens": visit.first_day, "closes": visit.last_day, "given_up": missed[visit.code]}
                bounds = [(sign, today - timedelta(days=days[bound])) for sign, bound in WHEN[state]]
                firsts = [day + (sign == ">") * DAY for sign, day in bounds if sign in (">", ">=")]
                lasts = [day - (sign == "<") * DAY for sign, day in bounds if sign in ("<", "<=")]
                spans.append((max([*firsts, start or date.min]), min([*lasts, end - DAY if end else date.max])))
    return _merged(sorted(span for span in spans if span[0] <= span[1]))


def _merged(spans: list[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans in order, those that overlap as one."""
    apart: list[tuple[date, date]] = []
    for first, last in spans:
        if apart and first <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(last, apart[-1][1])
        else:
            apart.append((first, last))
    return apart


def visits_sql(plans: Any, today: Any) -> Any:
    """SQL of the rows `v`: every planned visit of every version, as it stands on the day `today`.

    starts, ends               dates of surgery from and before which the version counts
    code                       of the timepoint
    first, last, missed        days after surgery
    opens, closes, given_up    dates of surgery of whom the window opens, closes, and the visit counts as missed, today
    """
    rows = []
    for start, end, plan in plans.spans():
        missed = closes(plan)
        for visit in plan:
            span = f"date '{start or '-infinity'}', date '{end or 'infinity'}'"
            after = (visit.first_day, visit.last_day, missed[visit.code])
            days = ", ".join(str(number) for number in after)
            dates = ", ".join(f"date '{today - timedelta(days=number)}'" for number in after)
            code = visit.code.replace("'", "''").replace("%", "%%")
            rows.append(f"({span}, '{code}', {days}, {dates})")
    return f"(VALUES {', '.join(rows)}) AS v (starts, ends, code, first, last, missed, opens, closes, given_up)"


def _awaited_sql(plans: Any, today: Any) -> str:
    return (
        f"FROM {visits_sql(plans, today)} JOIN registry_patient AS p ON {PLANNED} AND {when('awaited')} {ENDS} "
        f"WHERE p.site_id = ANY (%(sites)s) AND {OPEN} AND {NOT_RECORDED}"
    )


@dataclass(frozen=True)
class Awaited:
    """A visit without a form whose window has opened and that does not count as missed yet."""

    patient_id: str
    site_id: int
    code: str
    first: date
    last: date
    missed_from: date

    def state(self, today: Any) -> str:
        return "due" if today <= self.last else "overdue"

    def days_left(self, today: Any) -> Any:
        """Days until the window closes or, when it has, until the visit counts as missed: 0 on the last one."""
        return ((self.last if today <= self.last else self.missed_from - timedelta(days=1)) - today).days


def awaited(site_ids: Iterable[int], plans: Any, today: Any) -> list[Awaited]:
    """Every `Awaited` visit of some sites, in no order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.patient_id, p.site_id, v.code, p.surgery_date + v.first, p.surgery_date + v.last, "
            f"p.surgery_date + v.missed {_awaited_sql(plans, today)}",
            {"sites": list(site_ids)},
        )
        return [Awaited(*row) for row in cursor.fetchall()]


def awaited_by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[Any, tuple[Any, Any]]:
    """Site id to (visits due, visits overdue); a site without any is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.site_id, count(*) FILTER (WHERE {when('due')}), count(*) FILTER (WHERE {when('overdue')}) "
            f"{_awaited_sql(plans, today)} GROUP BY p.site_id",
            {"sites": list(site_ids)},
        )
        return {site_id: (due, overdue) for site_id, due, overdue in cursor.fetchall()}


@dataclass(frozen=True)
class Unknown:
    """How many of the patients who reached a timepoint have no value of one measure there."""

    measure: str
    unknown: int
    reached: int

    @property
    def share(self) -> float:
        return self.unknown / self.reached if self.reached else 0


# What the study compares, the first of equals first; columns of an assessment.
MEASURES = ("eq5d_state", "eq_vas", "pain_vas_mm", "barthel_total", "frankel", "ecog_ps")


def known_by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, dict[str, tuple[int, list[int]]]]:
    """Site id to {timepoint code: (patients who reached it, [of whom each of MEASURES is known])}.

    Counted are patients whose window has opened, unless death or the end of follow-up closed it unrecorded.
    """
    known = ", ".join(f"count(a.{name})" for name in MEASURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.site_id, v.code, count(*), {known} "
            f"FROM {visits_sql(plans, today)} JOIN registry_patient AS p ON {PLANNED} AND {when('reached')} {ENDS} "
            "LEFT JOIN registry_assessment AS a ON a.patient_id = p.patient_id AND a.timepoint_id = v.code "
            f"WHERE p.site_id = ANY (%(sites)s) AND (a.id IS NOT NULL OR ({OPEN})) GROUP BY p.site_id, v.code",
            {"sites": list(site_ids)},
        )
        by_site: dict[int, dict[str, tuple[int, list[int]]]] = {}
        for site_id, code, reached, *counts in cursor.fetchall():
            by_site.setdefault(site_id, {})[code] = reached, counts
        return by_site


def least_known(known: Any) -> Any:
    """Timepoint code to the `Unknown` of the measure that is known for the fewest at some sites.

    known  for each site, what `known_by_site` gives for it
    """
    sums: dict[str, tuple[int, list[int]]] = {}
    for of_site in known:
        for code, (reached, counts) in of_site.items():
            before = sums.get(code, (0, [0] * len(MEASURES)))
            sums[code] = before[0] + reached, [sum(pair) for pair in zip(before[1], counts, strict=True)]
    return {
        code: Unknown(MEASURES[counts.index(min(counts))], reached - min(counts), reached)
        for code, (reached, counts) in sums.items()
    }
