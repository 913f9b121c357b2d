"""Utilities and changes from baseline, computed by PostgreSQL in whole sets; doing it twice changes nothing."""

from django.db import connection, transaction

from registry.instruments import value_sets

BASELINE = "preop"
CHANGES = ("pain_vas_mm", "barthel_total", "eq_vas")  # columns of an assessment; the HSUV comes from its utility

_ALL = "true"
_OF_PATIENT = "a.patient_id = %(patient)s"


def _utilities_sql(which):
    return f"""
        WITH value AS (
            SELECT * FROM unnest(%(states)s::integer[], %(values)s::double precision[]) AS value (state, hsuv)
        ), gone AS (
            DELETE FROM registry_utility AS u USING registry_assessment AS a
            WHERE u.assessment_id = a.id AND u.value_set = %(value_set)s AND a.eq5d_state IS NULL AND {which}
        )
        INSERT INTO registry_utility (site_id, assessment_id, value_set, eq5d_state, hsuv)
        SELECT a.site_id, a.id, %(value_set)s, a.eq5d_state, value.hsuv
        FROM registry_assessment AS a
        JOIN value ON value.state = a.eq5d_state
        LEFT JOIN registry_utility AS u ON u.assessment_id = a.id AND u.value_set = %(value_set)s
        WHERE (u.eq5d_state, u.hsuv) IS DISTINCT FROM (a.eq5d_state, value.hsuv) AND {which}
        ON CONFLICT (assessment_id, value_set) DO UPDATE
            SET site_id = excluded.site_id, eq5d_state = excluded.eq5d_state, hsuv = excluded.hsuv
    """


def _changes_sql(which):
    deltas = {f"delta_{name}": f"a.{name} - b.{name}" for name in CHANGES}
    deltas["delta_hsuv"] = "ua.hsuv - ub.hsuv"
    columns = ", ".join(deltas)
    return f"""
        WITH gone AS (
            DELETE FROM registry_change AS c USING registry_assessment AS a
            WHERE c.assessment_id = a.id AND c.value_set = %(value_set)s AND {which} AND NOT EXISTS (
                SELECT FROM registry_assessment AS b
                WHERE b.patient_id = a.patient_id AND b.timepoint_id = %(baseline)s
            )
        )
        INSERT INTO registry_change (site_id, assessment_id, value_set, {columns})
        SELECT * FROM (
            SELECT a.site_id, a.id AS assessment_id, %(value_set)s AS value_set,
                   {", ".join(f"{sql} AS {name}" for name, sql in deltas.items())}
            FROM registry_assessment AS a
            JOIN registry_assessment AS b ON b.patient_id = a.patient_id AND b.timepoint_id = %(baseline)s
            LEFT JOIN registry_utility AS ua ON ua.assessment_id = a.id AND ua.value_set = %(value_set)s
            LEFT JOIN registry_utility AS ub ON ub.assessment_id = b.id AND ub.value_set = %(value_set)s
            WHERE a.timepoint_id <> %(baseline)s AND {which}
        ) AS fresh
        WHERE NOT EXISTS (
            SELECT FROM registry_change AS c
            WHERE c.assessment_id = fresh.assessment_id AND c.value_set = fresh.value_set
              AND ({", ".join(f"c.{name}" for name in deltas)})
                  IS NOT DISTINCT FROM ({", ".join(f"fresh.{name}" for name in deltas)})
        )
        ON CONFLICT (assessment_id, value_set) DO UPDATE
            SET site_id = excluded.site_id, {", ".join(f"{name} = excluded.{name}" for name in deltas)}
    """


def _execute(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def _parameters(value_set, patient):
    table = value_sets.get(value_set).table()
    return {
        "value_set": value_set,
        "states": list(table),
        "values": list(table.values()),
        "patient": patient,
        "baseline": BASELINE,
    }


@transaction.atomic
def compute_utilities(value_set, patient_id=None):
    """Bring the HSUV of every assessment in scope, or of one patient's, up to date; returns how many rows changed.

    Two computations at once wait for each other, so that neither meets the other's half-written rows.
    Raises KeyError for an unknown value set.
    """
    parameters = _parameters(value_set, patient_id)
    if patient_id is None:
        _execute("SELECT pg_advisory_xact_lock(hashtext('compute_utilities'))", None)
    return _execute(_utilities_sql(_OF_PATIENT if patient_id else _ALL), parameters)


@transaction.atomic
def compute_changes(value_set, patient_id=None):
    """Bring the changes from the preoperative assessment up to date; returns how many rows changed.

    Needs the utilities of the same value set. Raises KeyError for an unknown value set.
    """
    parameters = _parameters(value_set, patient_id)
    return _execute(_changes_sql(_OF_PATIENT if patient_id else _ALL), parameters)
