"""Patients of a site with forms that are finished and not signed, and what stands against signing them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

OF_SITES = "site_id = ANY (%(sites)s)"
# By patient and in sets: an investigator's list is of hundreds of patients.
TO_SIGN = """
WITH visit AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           coalesce(array_agg(timepoint_id ORDER BY timepoint_id) FILTER (WHERE state = 'draft'), '{}') AS open
    FROM registry_assessment WHERE OF_THESE GROUP BY patient_id
), event AS (
    SELECT patient_id, count(*) AS ready FROM registry_adverseevent
    WHERE OF_THESE AND state IN ('complete', 'verified') GROUP BY patient_id
), own AS (
    SELECT patient_id, count(*) FILTER (WHERE state IN ('complete', 'verified')) AS ready,
           coalesce(array_agg(form || '.' || id ORDER BY form, id) FILTER (WHERE state = 'draft'), '{}') AS open
    FROM registry_ownrecord WHERE OF_THESE GROUP BY patient_id
), asked AS (
    SELECT patient_id, count(*) AS n FROM registry_query
    WHERE OF_THESE AND state <> 'closed' GROUP BY patient_id
), signed AS (
    SELECT patient_id, max(signed_at) AS at FROM registry_signature
    WHERE OF_THESE GROUP BY patient_id
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
    WHERE p.OF_THESE
)
SELECT patient_id, ready, open, queries, at, count(*) OVER (), count(*) FILTER (WHERE ready > 0 AND open = '{}') OVER ()
FROM line WHERE ready > 0 OR %(all)s AND open <> '{}'
ORDER BY ready = 0, open <> '{}', queries > 0, patient_id LIMIT %(limit)s OFFSET %(offset)s
"""
# Numbers of those who come first in that list: nothing is open and nothing asked. Few have drafts or queries, and the
# others are read in order and no further than they are wanted, so that it does not hang on how many a site has.
FIRST = """
WITH held AS MATERIALIZED (
    SELECT patient_id FROM registry_patient WHERE OF_THESE AND (baseline_state = 'draft' OR surgery_state = 'draft')
    UNION ALL SELECT patient_id FROM registry_assessment WHERE OF_THESE AND state = 'draft'
    UNION ALL SELECT patient_id FROM registry_ownrecord WHERE OF_THESE AND state = 'draft'
    UNION ALL SELECT patient_id FROM registry_query WHERE OF_THESE AND state IN ('open', 'answered')
)
SELECT first.patient_id FROM unnest(%(sites)s::int[]) AS s (id) CROSS JOIN LATERAL (
    SELECT p.patient_id FROM registry_patient AS p
    WHERE p.site_id = s.id AND p.patient_id NOT IN (SELECT patient_id FROM held) AND (
        p.baseline_state IN ('complete', 'verified') OR p.surgery_state IN ('complete', 'verified')
        OR EXISTS (SELECT FROM registry_assessment AS a WHERE a.site_id = s.id AND a.patient_id = p.patient_id
                   AND a.state IN ('complete', 'verified'))
        OR EXISTS (SELECT FROM registry_adverseevent AS e WHERE e.site_id = s.id AND e.patient_id = p.patient_id
                   AND e.state IN ('complete', 'verified'))
        OR EXISTS (SELECT FROM registry_ownrecord AS o WHERE o.site_id = s.id AND o.patient_id = p.patient_id
                   AND o.state IN ('complete', 'verified')))
    ORDER BY p.patient_id LIMIT %(until)s
) AS first ORDER BY first.patient_id LIMIT %(limit)s OFFSET %(offset)s
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


def unsigned(
    site_ids: Iterable[int],
    *,
    limit: int,
    offset: int = 0,
    whole: bool = False,
    patients: list[str] | None = None,
) -> Page:
    """The patients of some sites with forms to sign; `whole` also those of whom nothing is finished yet.

    patients  the numbers of those who are wanted, where they are known
    """
    wanted: dict[str, Any] = {"sites": list(site_ids), "limit": limit, "offset": offset, "all": whole}
    these = OF_SITES if patients is None else f"{OF_SITES} AND patient_id = ANY (%(patients)s)"
    with connection.cursor() as cursor:
        cursor.execute(TO_SIGN.replace("OF_THESE", these), wanted | {"patients": patients})
        rows = cursor.fetchall()
    total, can_be_signed = rows[0][5:] if rows else (0, 0)
    lines = [
        Unsigned(patient, ready, tuple(open_forms), queries, at)
        for patient, ready, open_forms, queries, at, *_counted in rows
    ]
    return Page(lines, total, can_be_signed)


def first_signable(site_ids: Iterable[int], *, limit: int, offset: int = 0) -> list[str]:
    """Numbers of the patients who come first in the list of `unsigned`: those who can be signed and have no query."""
    wanted: dict[str, Any] = {"sites": list(site_ids), "limit": limit, "offset": offset, "until": offset + limit}
    with connection.cursor() as cursor:
        cursor.execute(FIRST.replace("OF_THESE", OF_SITES), wanted)
        return [patient for (patient,) in cursor.fetchall()]
