"""Patients of a site with forms that are finished and not signed, and what stands against signing them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

# By patient and in sets: an investigator's list is of hundreds of patients.
TO_SIGN = """
WITH visit AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           count(*) FILTER (WHERE state = 'draft') AS open
    FROM registry_assessment WHERE site_id = ANY (%(sites)s) GROUP BY patient_id
), event AS (
    SELECT patient_id, count(*) AS ready FROM registry_adverseevent
    WHERE site_id = ANY (%(sites)s) AND state IN ('complete', 'verified') GROUP BY patient_id
), own AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           count(*) FILTER (WHERE state = 'draft') AS open
    FROM registry_ownrecord WHERE site_id = ANY (%(sites)s) GROUP BY patient_id
), asked AS (
    SELECT patient_id, count(*) AS n FROM registry_query
    WHERE site_id = ANY (%(sites)s) AND state <> 'closed' GROUP BY patient_id
), line AS (
    SELECT p.patient_id,
           (p.baseline_state IN ('complete', 'verified'))::int + (p.surgery_state IN ('complete', 'verified'))::int
               + coalesce(visit.ready, 0) + coalesce(event.ready, 0) + coalesce(own.ready, 0) AS ready,
           (p.baseline_state = 'draft')::int + (p.surgery_state = 'draft')::int + coalesce(visit.open, 0)
               + coalesce(own.open, 0) AS open,
           coalesce(asked.n, 0) AS queries
    FROM registry_patient AS p LEFT JOIN visit USING (patient_id) LEFT JOIN event USING (patient_id)
    LEFT JOIN own USING (patient_id) LEFT JOIN asked USING (patient_id) WHERE p.site_id = ANY (%(sites)s)
)
SELECT patient_id, ready, open, queries, count(*) OVER (), count(*) FILTER (WHERE open = 0) OVER ()
FROM line WHERE ready > 0 ORDER BY open > 0, queries > 0, patient_id LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True)
class Unsigned:
    """A patient with forms to sign.

    ready        forms that are finished and not signed
    open_forms   forms that must be completed before any can be signed
    queries      queries that are not closed, which are acknowledged with the signature
    """

    patient_id: str
    ready: int
    open_forms: int
    queries: int


@dataclass(frozen=True)
class Page:
    """Some `Unsigned`, those that can be signed now first; how many there are, and how many of them can be signed."""

    lines: list[Unsigned]
    total: int
    can_be_signed: int


def unsigned(site_ids: Iterable[int], *, limit: int, offset: int = 0) -> Page:
    """The patients of some sites with forms to sign."""
    with connection.cursor() as cursor:
        cursor.execute(TO_SIGN, {"sites": list(site_ids), "limit": limit, "offset": offset})
        rows = cursor.fetchall()
    total, can_be_signed = rows[0][4:] if rows else (0, 0)
    return Page([Unsigned(*row[:4]) for row in rows], total, can_be_signed)
