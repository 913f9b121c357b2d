"""Patients of a site with forms that are finished and not signed, and what stands against signing them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

# By patient and in sets: an investigator's list is of hundreds of patients.
TO_SIGN = """
WITH visit AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           coalesce(array_agg(timepoint_id ORDER BY timepoint_id) FILTER (WHERE state = 'draft'), '{}') AS open
    FROM registry_assessment WHERE site_id = ANY (%(sites)s) GROUP BY patient_id
), event AS (
    SELECT patient_id, count(*) AS ready FROM registry_adverseevent
    WHERE site_id = ANY (%(sites)s) AND state IN ('complete', 'verified') GROUP BY patient_id
), own AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           coalesce(array_agg(form || '.' || id ORDER BY form, id) FILTER (WHERE state = 'draft'), '{}') AS open
    FROM registry_ownrecord WHERE site_id = ANY (%(sites)s) GROUP BY patient_id
), asked AS (
    SELECT patient_id, count(*) AS n FROM registry_query
    WHERE site_id = ANY (%(sites)s) AND state <> 'closed' GROUP BY patient_id
), signed AS (
    SELECT patient_id, max(signed_at) AS at FROM registry_signature
    WHERE site_id = ANY (%(sites)s) GROUP BY patient_id
), line AS (
    SELECT p.patient_id,
           (p.baseline_state IN ('complete', 'verified'))::int + (p.surgery_state IN ('complete', 'verified'))::int
               + coalesce(visit.ready, 0) + coalesce(event.ready, 0) + coalesce(own.ready, 0) AS ready,
           CASE WHEN p.baseline_state = 'draft' THEN '{baseline}'::text[] ELSE '{}' END
               || CASE WHEN p.surgery_state = 'draft' THEN '{surgery}'::text[] ELSE '{}' END
               || coalesce(visit.open, '{}')::text[] || coalesce(own.open, '{}')::text[] AS open,
           coalesce(asked.n, 0) AS queries, signed.at
    FROM registry_patient AS p LEFT JOIN visit USING (patient_id) LEFT JOIN event USING (patient_id)
    LEFT JOIN own USING (patient_id) LEFT JOIN asked USING (patient_id) LEFT JOIN signed USING (patient_id)
    WHERE p.site_id = ANY (%(sites)s)
)
SELECT patient_id, ready, open, queries, at, count(*) OVER (), count(*) FILTER (WHERE ready > 0 AND open = '{}') OVER ()
FROM line WHERE ready > 0 OR %(all)s AND open <> '{}'
ORDER BY ready = 0, open <> '{}', queries > 0, patient_id LIMIT %(limit)s OFFSET %(offset)s
"""


@dataclass(frozen=True)
class Unsigned:
    """A patient with forms that are not signed, and why.

    ready       forms that are finished and not signed
    open_forms  codes of the forms that must be completed before any can be signed
    queries     queries that are not closed, which are acknowledged with the signature
    signed_at   when the patient was signed last: what is ready came since, or was unlocked; None for never
    """

    patient_id: str
    ready: int
    open_forms: tuple[str, ...]
    queries: int
    signed_at: datetime | None = None

    @property
    def can_be_signed(self) -> bool:
        return bool(self.ready) and not self.open_forms


@dataclass(frozen=True)
class Page:
    """Some `Unsigned`, those that can be signed now first; how many there are, and how many of them can be signed."""

    lines: list[Unsigned]
    total: int
    can_be_signed: int


def unsigned(site_ids: Iterable[int], *, limit: int, offset: int = 0, whole: bool = False) -> Page:
    """The patients of some sites with forms to sign; `whole` also those of whom nothing is finished yet."""
    wanted: dict[str, Any] = {"sites": list(site_ids), "limit": limit, "offset": offset, "all": whole}
    with connection.cursor() as cursor:
        cursor.execute(TO_SIGN, wanted)
        rows = cursor.fetchall()
    total, can_be_signed = rows[0][5:] if rows else (0, 0)
    lines = [
        Unsigned(patient, ready, tuple(open_forms), queries, at)
        for patient, ready, open_forms, queries, at, *_counted in rows
    ]
    return Page(lines, total, can_be_signed)
