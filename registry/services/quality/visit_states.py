"""Visits whose window has opened: in it, early, late, missed, waiting, or unknown and why; by site and visit."""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from registry.services.follow_up.visits import ENDS, PLANNED, visits_sql, when

STATES = ("in_window", "early", "late", "undated", "draft", "waiting", "missed", "dead", "withdrawn", "lost")
DONE = STATES[:4]  # with a form that was completed
CLOSED = STATES[7:]  # nobody waits for them: not of those that could have been made

STATE = """CASE
    WHEN a.state = 'draft' THEN 'draft'
    WHEN a.id IS NOT NULL AND a.assessment_date IS NULL THEN 'undated'
    WHEN a.assessment_date < p.surgery_date + v.first THEN 'early'
    WHEN a.assessment_date > p.surgery_date + v.last THEN 'late'
    WHEN a.id IS NOT NULL THEN 'in_window'
    WHEN p.vital_status = 'dead' AND (p.death_date IS NULL OR p.death_date < p.surgery_date + v.last)
         AND (e.end_date IS NULL OR p.death_date IS NULL OR p.death_date <= e.end_date) THEN 'dead'
    WHEN e.end_date < p.surgery_date + v.last THEN e.end_kind
    WHEN {missed} THEN 'missed'
    ELSE 'waiting' END"""


def _from(plans: Any, today: Any) -> str:
    return (
        f"FROM {visits_sql(plans, today)} JOIN registry_patient AS p ON {PLANNED} AND {when('reached')} {ENDS} "
        "LEFT JOIN registry_assessment AS a ON a.patient_id = p.patient_id AND a.timepoint_id = v.code "
        "WHERE p.site_id = ANY (%(sites)s)"
    )


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, dict[str, dict[str, int]]]:
    """Site id to {visit's code: {state: patients}}."""
    state = STATE.format(missed=when("missed"))
    states: dict[int, dict[str, dict[str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.site_id, v.code, {state}, count(*) {_from(plans, today)} GROUP BY 1, 2, 3",
            {"sites": list(site_ids)},
        )
        for site_id, code, of_state, n in cursor.fetchall():
            states.setdefault(site_id, {}).setdefault(code, {})[of_state] = n
    return states


def rows(site_ids: Iterable[int], plans: Any, today: Any, *, code: str, state: str, limit: int) -> list[tuple]:
    """(patient's number, visit, its day or None) behind a number of `by_site`; `code` "" for any visit."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.patient_id, v.code, a.assessment_date {_from(plans, today)} AND %(code)s IN ('', v.code) "
            f"AND {STATE.format(missed=when('missed'))} = %(state)s ORDER BY p.patient_id, v.first LIMIT %(limit)s",
            {"sites": list(site_ids), "code": code, "state": state, "limit": limit},
        )
        return cursor.fetchall()
