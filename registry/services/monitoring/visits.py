"""A monitoring visit in numbers: what was compared, asked and closed at a site between two days, and what is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Count

from registry.models import Patient, Query, QueryMessage
from registry.services.monitoring import sampling
from registry.services.monitoring.verified_share import MARKED, ROWS
from registry.services.review import to_sign
from sites.models import Site, User
from sites.tenancy.scope import current

MARKS = """SELECT patient_id, {form} AS form, count(*), string_agg(DISTINCT mark.value->>'by', ','),
    count(*) FILTER (WHERE mark.value ? 'changed_at')
    FROM {table} CROSS JOIN jsonb_each(verified) AS mark
    WHERE site_id = %(site)s AND {marked} AND mark.key = ANY (%(names_{kind})s)
      AND ((mark.value->>'at')::timestamptz AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s
    GROUP BY patient_id, 2"""
FORMS = {"assessment": "timepoint_id::text", "adverse_event": "'event-' || id::text"}


@dataclass(frozen=True)
class Compared:
    """A form of which fields were compared in the time: how many, by whom, and how many changed again since."""

    patient_id: str
    form: str
    fields: int
    by: str
    changed: int


@dataclass(frozen=True)
class Standing:
    """Where a site stands: patients enrolled, forms that the plan still asks about, of `left` not verified, and
    patients with forms to sign. `at`: when that was counted; None for now."""

    enrolled: int
    asked: int
    left: int
    unsigned: int
    at: datetime | None = None


@dataclass(frozen=True)
class Visit:
    """What there is to report of a site."""

    site: Site
    first: date
    last: date
    standing: Standing
    compared: list[Compared]
    steps: dict[str, int]
    open_queries: list[Query]
    plan: sampling.Plan


def visit(site: Site, first: date, last: date, zone: str, standing: Standing | None = None) -> Visit:
    """The `Visit` at a site from `first` to `last`, days of `zone`. Without `standing` it is counted now."""
    declared = sampling.plan()
    unsettled = Query.objects.unsettled().filter(site_id=site.pk)
    return Visit(
        site,
        first,
        last,
        standing or _counted(site, declared),
        list(_compared(site, first, last, zone)),
        _steps(site, first, last),
        list(unsettled.order_by("raised_at", "pk")),
        declared,
    )


def _counted(site: Site, declared: sampling.Plan) -> Standing:
    asked, left = sampling.forms_left(declared, [site]).get(site.pk, (0, 0))
    enrolled = Patient.objects.filter(site_id=site.pk).count()
    return Standing(enrolled, asked, left, to_sign.unsigned([site.pk], limit=1).total)


def _compared(site: Site, first: date, last: date, zone: str) -> Iterable[Compared]:
    parts: list[str] = []
    wanted: dict[str, Any] = {"site": site.pk, "first": first, "last": last, "zone": zone}
    for kind, (table, _finished) in ROWS.items():
        parts.append(MARKS.format(form=FORMS.get(kind, f"'{kind}'"), table=table, kind=kind, marked=MARKED))
        wanted[f"names_{kind}"] = list(sampling.candidates(kind))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts) + " ORDER BY 1, 2", wanted)
        rows = cursor.fetchall()
    people = {str(key): name for key, name in User.objects.filter(pk__in=_people(rows)).values_list("pk", "name")}
    for patient_id, form, fields, by, changed in rows:
        names = ", ".join(people.get(key, key) for key in by.split(","))
        yield Compared(patient_id, form, fields, names, changed)


def _people(rows: Any) -> set[int]:
    return {int(key) for row in rows for key in row[3].split(",") if key.isdecimal()}


def _steps(site: Site, first: date, last: date) -> dict[str, int]:
    """Kind of a query's step to how many there were in the time."""
    steps = QueryMessage.objects.filter(site_id=site.pk, at__date__range=(first, last)).order_by()
    return dict(steps.values_list("kind").annotate(Count("pk")))


def reporter() -> str:
    """Who makes the report."""
    person = User.objects.filter(pk=current().user_id or 0).first()
    return str(person or "")
