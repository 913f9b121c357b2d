"""Utilities and changes from baseline, computed by PostgreSQL in whole sets; doing it twice changes nothing.

Each computation removes the rows that are no longer right and then inserts the ones that are lacking. That is several
times faster than an upsert, which checks every policy for every row.
"""

from django.db import connection, transaction

from registry.instruments import catalogue, value_sets

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


@transaction.atomic
def compute_utilities(value_set, patient_id=None):
    """Bring the HSUV of every assessment in scope, or of one patient's, up to date; returns how many were computed.

    Raises KeyError for an unknown value set.
    """
    return _bring_up_to_date("registry_utility", UTILITIES, ("eq5d_state", "hsuv"), value_set, patient_id)


@transaction.atomic
def compute_changes(value_set, patient_id=None):
    """Bring the changes from the preoperative assessment up to date; returns how many were computed.

    Needs the utilities of the same value set. Raises KeyError for an unknown value set.
    """
    return _bring_up_to_date("registry_change", FROM_BASELINE, tuple(DELTAS), value_set, patient_id)


def patients_saved_lately(most):
    """Ids of up to `most` patients in scope with an assessment saved in the last five minutes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT patient_id FROM registry_assessment "
            "WHERE updated_at > statement_timestamp() - interval '5 minutes' LIMIT %s",
            [most],
        )
        return [patient_id for (patient_id,) in cursor.fetchall()]


def _bring_up_to_date(table, select, columns, value_set, patient_id):
    valued = value_sets.get(value_set).table()
    parameters = {
        "value_set": value_set,
        "values": [valued[state] for state in sorted(valued)],
        "patient": patient_id,
        "baseline": BASELINE,
    }
    fresh = select.format(which="a.patient_id = %(patient)s" if patient_id else "true")
    of_patient = (
        "AND assessment_id IN (SELECT id FROM registry_assessment WHERE patient_id = %(patient)s)" if patient_id else ""
    )
    _wait_for_others(table, patient_id)
    right, stored = (", ".join(f"{alias}.{column}" for column in columns) for alias in ("fresh", "stored"))
    with connection.cursor() as cursor:
        # The first computation of a value set has nothing to compare with.
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table} WHERE value_set = %(value_set)s)", parameters)
        lacking = ""
        if cursor.fetchone()[0]:
            cursor.execute(
                f"""DELETE FROM {table} AS stored WHERE value_set = %(value_set)s {of_patient} AND NOT EXISTS (
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


def _wait_for_others(table, patient_id):
    """One computation of everything, or many of single patients, at a time; of one patient one at a time."""
    with connection.cursor() as cursor:
        if patient_id is None:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table])
            # A table just filled has no statistics yet, and a nested loop over it would take minutes, not seconds.
            cursor.execute("SET LOCAL enable_nestloop = off")
        else:
            cursor.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtext(%(table)s)), "
                "pg_advisory_xact_lock(hashtext(%(table)s), hashtext(%(patient)s))",
                {"table": table, "patient": patient_id},
            )
