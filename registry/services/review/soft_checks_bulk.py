"""The soft checks over every form in scope, in whole sets: after imports, and now and then.

A check is a function of a few columns, so PostgreSQL hands over each combination of their values once, Python says
which are unlikely, and one statement brings the queries in line (`queries.reconcile`).
"""

import hashlib
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from registry import __version__
from registry.instruments import catalogue, checks
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import QueryForm, State
from registry.services import watermarks
from registry.services.follow_up import schedule
from registry.services.review.queries import reconcile
from registry.services.review.soft_checks import (
    answer_of,
    field_of,
    kind_of,
    patient_names,
    soft_checks,
    stand_in_birth_date,
)

ANCHOR = date(2000, 6, 15)
SOURCES = {
    QueryForm.ASSESSMENT: "registry_assessment AS r JOIN registry_patient AS p ON p.patient_id = r.patient_id",
    QueryForm.ADVERSE_EVENT: "registry_adverseevent AS r JOIN registry_patient AS p ON p.patient_id = r.patient_id",
    QueryForm.OWN_RECORD: "registry_ownrecord AS r JOIN registry_patient AS p ON p.patient_id = r.patient_id",
}
PATIENTS = "registry_patient AS p"


# What the checks read, and the queries that they raise and close.
READ = ("registry_patient", "registry_assessment", "registry_adverseevent", "registry_ownrecord", "registry_query")
NOTHING = (0, 0, 0)


def sweep_changed() -> Any:
    """`sweep` over the forms of whoever has one, or a query, that was stored since this was last done.

    The first time, and where checks, schedule or version of the product are others, over every form.
    """
    with watermarks.since_last("soft checks", _fingerprint(), READ, often=True) as changed:
        return sweep(changed.patients) if changed else NOTHING


def _fingerprint() -> str:
    asked = [check.name for check in soft_checks()], list(schedule.plans().spans()), __version__
    return hashlib.sha256(repr(asked).encode()).hexdigest()


@transaction.atomic(savepoint=False)
def sweep(patients: Any = None) -> Any:
    """Bring the queries of rules in line with every form in scope; returns how many were raised, raised again, closed.

    Forms that are drafts are not asked about, but a query about them closes when they are mended.
    patients  ids of those whose forms are looked at; None for everybody
    """
    plans = schedule.plans()
    soft = soft_checks()
    rules = [check.name for check in (*soft, *checks.of_visits(plans))]
    some = None if patients is None else list(patients)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('sweep queries'))")
        cursor.execute("DROP TABLE IF EXISTS swept")
        cursor.execute(
            "CREATE TEMP TABLE swept (site_id bigint, patient_id text, form text, timepoint_id text, event_id bigint, "
            "own_record_id bigint, field text, rule text, seen jsonb, is_draft boolean) ON COMMIT DROP"
        )
        for check in soft:
            _find(cursor, check, patients=some)
        for start, end, plan in plans.spans():
            for check in checks.of_visits(plan):
                _find(cursor, check, start, end, some)
    query = """
        SELECT site_id, patient_id, form, timepoint_id, event_id, own_record_id, field, rule, seen FROM swept AS f
        WHERE NOT is_draft OR EXISTS (SELECT FROM registry_query AS q WHERE q.patient_id = f.patient_id
            AND q.rule = f.rule AND q.timepoint_id IS NOT DISTINCT FROM f.timepoint_id
            AND q.own_record_id IS NOT DISTINCT FROM f.own_record_id)"""
    which = "q.rule = ANY (%(rules)s::varchar[])"
    if some is not None:
        which += " AND q.patient_id = ANY (%(patients)s::varchar[])"
    return reconcile(query, which, {"rules": rules, "patients": some})


def _column(kind: Any, name: str) -> str:
    """SQL of an answer, as the checks take it: of the record itself, or of its patient."""
    if name in patient_names() or kind not in SOURCES:
        return f"p.{name}"
    return "r.timepoint_id" if name == "timepoint" else f"r.{name}"


def _is_date(name: str) -> Any:
    return name != "timepoint" and name in _DATES


_DATES = frozenset(item.name for item in catalogue.ALL_ITEMS if item.kind == "date")


def _grouped(kind: Any, check: Any) -> tuple:
    """(SQL expressions, function from a row of them to the check's values).

    Two dates are looked at by the days between them, and the date of birth by the age: a check of the product's means
    nothing else. One that an own instrument declares may mean anything.
    """
    dates = [] if check.some else [name for name in check.items if _is_date(name)]
    others = [name for name in check.items if name not in dates]
    if "birth_date" in dates:
        return ["p.age_at_surgery"], lambda row: {
            "birth_date": stand_in_birth_date(ANCHOR, row[0]),
            "surgery_date": ANCHOR,
        }
    expressions = [_column(kind, name) for name in others]
    if dates:
        first, second = dates if len(dates) == 2 else dates * 2  # of one date alone it counts that there is one
        expressions.append(f"{_column(kind, first)} - {_column(kind, second)}")

    def values(row: Any) -> dict[Any, tuple[str, ...] | Any | str]:
        answers = {name: answer_of(name, value) for name, value in zip(others, row, strict=False)}
        if dates:
            answers |= {first: ANCHOR + timedelta(days=row[-1]), second: ANCHOR}
        return answers

    return expressions, values


def _find(cursor: Any, check: Any, start: Any = None, end: Any = None, patients: Any = None) -> None:
    """Add the forms that a check finds unlikely; of patients operated from `start` and before `end`, or of some, where
    given.
    """
    kind = kind_of(check)
    source = SOURCES.get(kind, PATIENTS)
    expressions, values = _grouped(kind, check)
    known = (" OR " if check.some else " AND ").join(f"{expression} IS NOT NULL" for expression in expressions)
    span = (
        "(%(start)s::date IS NULL OR p.surgery_date >= %(start)s) "
        "AND (%(end)s::date IS NULL OR p.surgery_date < %(end)s)"
    )
    if patients is not None:
        span += " AND p.patient_id = ANY (%(patients)s::varchar[])"
    days = {"start": start, "end": end, "patients": patients}
    cursor.execute(f"SELECT DISTINCT {', '.join(expressions)} FROM {source} WHERE ({known}) AND {span}", days)
    unlikely = [row for row in cursor.fetchall() if check.applies(values(row))]
    if not unlikely:
        return
    arrays = {
        f"c{place}": [None if row[place] is None else str(row[place]) for row in unlikely]
        for place in range(len(expressions))
    }
    unnested = ", ".join(f"%({name})s::text[]" for name in arrays)
    equals = "IS NOT DISTINCT FROM" if check.some else "="  # the first may be a missing answer, and takes no hash join
    met = " AND ".join(
        f"({expression})::text {equals} u.{name}" for expression, name in zip(expressions, arrays, strict=True)
    )
    record = "r" if kind in SOURCES else "p"
    shown = [name for name in check.items if name != "birth_date"]
    seen = ", ".join(f"'{name}', {_column(kind, name)}" for name in shown)
    cursor.execute(
        f"""
        INSERT INTO swept
        SELECT {record}.site_id, {record}.patient_id, %(form)s,
               {"r.timepoint_id" if kind == QueryForm.ASSESSMENT else "NULL"},
               {"r.id" if kind == QueryForm.ADVERSE_EVENT else "NULL"}::bigint,
               {"r.id" if kind == QueryForm.OWN_RECORD else "NULL"}::bigint,
               %(field)s, %(rule)s, jsonb_build_object({seen}), {_draft(kind)}
        FROM {source} JOIN unnest({unnested}) AS u({", ".join(arrays)}) ON {met}
        WHERE {span}
        """,
        days | {"form": str(kind), "field": field_of(check), "rule": check.name} | arrays,
    )


def _draft(kind: Any) -> str:
    column = {
        QueryForm.ASSESSMENT: "r.state",
        QueryForm.OWN_RECORD: "r.state",
        **{code: f"p.{form.state_column}" for code, form in FINISHED_FORMS.items()},
    }.get(kind)
    return f"{column} = '{State.DRAFT}'" if column else "false"
