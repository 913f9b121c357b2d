"""Utilities and changes from baseline, computed by PostgreSQL in whole sets; doing it twice changes nothing.

Each computation removes the rows that are no longer right and then inserts the ones that are lacking. That is several
times faster than an upsert, which checks every policy for every row.
"""

import hashlib
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection, transaction

from registry.instruments import catalogue, value_sets
from registry.models import Patient
from registry.services import watermarks

BASELINE = "preop"
CHANGES = ("pain_vas_mm", "barthel_total", "eq_vas")  # columns of an assessment; the HSUV comes from its utility

# The place of a state among all of them in ascending order, from 0: the levels are the digits of a number to base 5.
# Looking the value up in an array keeps the rows in the order of the table, which a join does not, and the index likes.
_PLACE = " + ".join(
    f"(a.{item.name} - 1) * {len(item.choices) ** power}"
    for power, item in enumerate(reversed(catalogue.instrument("eq5d5l").items))
)
UTILITIES = f"""
    SELECT a.site_id, a.id AS assessment_id, %(value_set)s::varchar AS value_set, a.eq5d_state,
           (%(values)s::double precision[])[1 + {_PLACE}] AS hsuv
    FROM registry_assessment AS a
    WHERE a.eq5d_state IS NOT NULL AND {{which}}
"""
DELTAS = {f"delta_{name}": f"a.{name} - b.{name}" for name in CHANGES} | {"delta_hsuv": "ua.hsuv - ub.hsuv"}
FROM_BASELINE = f"""
    SELECT a.site_id, a.id AS assessment_id, %(value_set)s::varchar AS value_set,
           {", ".join(f"{sql} AS {name}" for name, sql in DELTAS.items())}
    FROM registry_assessment AS a
    JOIN registry_assessment AS b ON b.patient_id = a.patient_id AND b.timepoint_id = %(baseline)s
    LEFT JOIN registry_utility AS ua ON ua.assessment_id = a.id AND ua.value_set = %(value_set)s
    LEFT JOIN registry_utility AS ub ON ub.assessment_id = b.id AND ub.value_set = %(value_set)s
    WHERE a.timepoint_id <> %(baseline)s AND {{which}}
"""


# What utilities and changes are computed from; with the value set, all that they depend on.
SOURCES = ("registry_assessment",)


@transaction.atomic
def compute_utilities(value_set: Any, patients: Any = None) -> Any:
    """Bring the HSUV of every assessment in scope, or of some patients', up to date; returns how many were computed.

    patients  ids; None for everybody. Raises KeyError for an unknown value set.
    """
    return _bring_up_to_date("registry_utility", UTILITIES, ("eq5d_state", "hsuv"), value_set, patients)


@transaction.atomic
def compute_changes(value_set: Any, patients: Any = None) -> Any:
    """Bring the changes from the preoperative assessment up to date; returns how many were computed.

    Needs the utilities of the same value set. patients  ids; None for everybody. Raises KeyError for an unknown value
    set.
    """
    return _bring_up_to_date("registry_change", FROM_BASELINE, tuple(DELTAS), value_set, patients)


def compute_outcomes(patients: Any) -> None:
    """Utilities and changes of some patients, each by the value set of the patient's site: four statements a set."""
    by_value_set = Patient.objects.order_by().filter(pk__in=patients).values_list("site__value_set", "pk")
    for value_set, some in groupby(sorted(by_value_set), key=itemgetter(0)):
        ids = [patient_id for _, patient_id in some]
        compute_utilities(value_set, ids)
        compute_changes(value_set, ids)


@transaction.atomic
def compute_changed(value_set: Any, *, anew: bool = False) -> None:
    """Utilities and changes, by one value set, of whoever has a form that was stored since this was last done.

    The first time, after a value set was revised, and `anew`, that is everybody.
    """
    with watermarks.since_last(
        f"outcomes {value_set}", _fingerprint(value_set), SOURCES, often=True, anew=anew
    ) as changed:
        if changed:
            compute_utilities(value_set, changed.patients)
            compute_changes(value_set, changed.patients)


@transaction.atomic
def compute_changed_utilities(value_set: Any, *, anew: bool = False) -> Any:
    """`compute_utilities` of whoever has a form that was stored since this was last done; how many were computed."""
    with watermarks.since_last(
        f"utilities {value_set}", _fingerprint(value_set), SOURCES, often=True, anew=anew
    ) as changed:
        return compute_utilities(value_set, changed.patients) if changed else 0


@transaction.atomic
def compute_lately() -> bool:
    """Utilities and changes of whoever had a form stored since this was last done; False where it was not done yet."""
    with watermarks.since_last("outcomes lately", "", SOURCES, often=True, lately=True) as changed:
        if changed.patients:
            compute_outcomes(changed.patients)
    return changed.patients is not None


@cache
def _values(value_set: Any) -> str:
    """The HSUV of every state in ascending order as PostgreSQL reads an array: written once, not at each save."""
    valued = value_sets.get(value_set).table()
    return "{" + ",".join(repr(float(valued[state])) for state in sorted(valued)) + "}"


def _fingerprint(value_set: Any) -> str:
    return hashlib.sha256((_values(value_set) + FROM_BASELINE).encode()).hexdigest()


def _bring_up_to_date(table: Any, select: Any, columns: Any, value_set: Any, patients: Any) -> Any:
    parameters = {
        "value_set": value_set,
        "values": _values(value_set),
        "patients": None if patients is None else sorted(patients),
        "baseline": BASELINE,
    }
    which, of_patients = "true", ""
    if patients is not None:
        which = "a.patient_id = ANY (%(patients)s::varchar[])"
        of_patients = f"AND assessment_id IN (SELECT id FROM registry_assessment AS a WHERE {which})"
    fresh = select.format(which=which)
    _wait_for_others(table, parameters["patients"])
    right, stored = (", ".join(f"{alias}.{column}" for column in columns) for alias in ("fresh", "stored"))
    with connection.cursor() as cursor:
        # The first computation of a value set has nothing to compare with.
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table} WHERE value_set = %(value_set)s)", parameters)
        lacking = ""
        if cursor.fetchone()[0]:
            cursor.execute(
                f"""DELETE FROM {table} AS stored WHERE value_set = %(value_set)s {of_patients} AND NOT EXISTS (
                    SELECT FROM ({fresh}) AS fresh
                    WHERE fresh.assessment_id = stored.assessment_id
                      AND ({right}) IS NOT DISTINCT FROM ({stored}))""",
                parameters,
            )
            lacking = f"""WHERE NOT EXISTS (
                SELECT FROM {table} AS stored
                WHERE stored.assessment_id = fresh.assessment_id AND stored.value_set = %(value_set)s)"""
        cursor.execute(
            f"""INSERT INTO {table} (site_id, assessment_id, value_set, {", ".join(columns)})
            SELECT * FROM ({fresh}) AS fresh {lacking}""",
            parameters,
        )
        return cursor.rowcount


def _wait_for_others(table: Any, patients: Any) -> None:
    """One computation of everything, or many of some patients, at a time; of one patient one at a time.

    patients  ids in order, so that two computations never wait for each other; None for everybody
    """
    with connection.cursor() as cursor:
        if patients is None:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table])
            # A table just filled has no statistics yet, and a nested loop over it would take minutes, not seconds.
            cursor.execute("SET LOCAL enable_nestloop = off")
        else:
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtext(%(table)s)), "
                "(SELECT count(pg_advisory_xact_lock(hashtext(%(table)s), place)) FROM ("
                "SELECT DISTINCT hashtext(patient) AS place FROM unnest(%(patients)s::varchar[]) AS patient "
                "ORDER BY place) AS places)",
                {"table": table, "patients": patients},
            )
