"""From the day of a visit to the day on which its form was first stored, by the site where the patient is now.

The day is the audit trail's. Of patients who moved it is in the trail of the site that they left, of which the database
tells the moment alone. What a merge copied from another record is left out: it was entered before.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import connection

FIRST_STORED = """
FROM (
    SELECT a.id, a.site_id, a.patient_id, a.timepoint_id, a.assessment_date, e.at
    FROM registry_assessment AS a JOIN study_sites_auditevent AS e
      ON e.site_id = a.site_id AND e.table_name = 'registry_assessment' AND e.row_id = a.id::text
     AND e.action = 'insert'
    WHERE a.site_id = ANY (%(sites)s) AND e.site_id = ANY (%(sites)s)
    UNION ALL
    SELECT a.id, a.site_id, a.patient_id, a.timepoint_id, a.assessment_date, moved.at
    FROM stored_before_moving() AS moved JOIN registry_assessment AS a ON a.id = moved.assessment_id
    WHERE a.site_id = ANY (%(sites)s)
) AS first
WHERE assessment_date IS NOT NULL AND NOT EXISTS (
    SELECT FROM registry_merge AS merge, jsonb_array_elements(merge.copied) AS part
    WHERE merge.site_id = first.site_id AND merge.patient_id = first.patient_id
      AND part ->> 'form' = 'assessment' AND part ->> 'record' = first.id::text
)
"""
DAYS = "(at AT TIME ZONE %(zone)s)::date - assessment_date"


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, tuple[int, float, float]]:
    """Site id to (forms, median of days, 90th percentile)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT site_id, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY {DAYS}), "
            f"percentile_cont(0.9) WITHIN GROUP (ORDER BY {DAYS}) {FIRST_STORED} GROUP BY site_id",
            {"sites": list(site_ids), "zone": settings.TIME_ZONE},
        )
        return {site_id: (n, float(median), float(tenth)) for site_id, n, median, tenth in cursor.fetchall()}


def rows(site_ids: Iterable[int], *, limit: int) -> list[tuple]:
    """(patient's number, visit, day of the visit, days until it was stored), the longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT patient_id, timepoint_id, assessment_date, {DAYS} AS days {FIRST_STORED} "
            "ORDER BY days DESC, patient_id LIMIT %(limit)s",
            {"sites": list(site_ids), "limit": limit, "zone": settings.TIME_ZONE},
        )
        return cursor.fetchall()
