"""From the day of a visit to the day on which its form was first stored, by site; from the audit trail."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import connection

FIRST_STORED = """
FROM registry_assessment AS a JOIN study_sites_auditevent AS e
  ON e.site_id = a.site_id AND e.table_name = 'registry_assessment' AND e.row_id = a.id::text AND e.action = 'insert'
WHERE a.site_id = ANY (%(sites)s) AND e.site_id = ANY (%(sites)s) AND a.assessment_date IS NOT NULL
"""
DAYS = "(e.at AT TIME ZONE %(zone)s)::date - a.assessment_date"


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, tuple[int, float, float]]:
    """Site id to (forms, median of days, 90th percentile)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT a.site_id, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY {DAYS}), "
            f"percentile_cont(0.9) WITHIN GROUP (ORDER BY {DAYS}) {FIRST_STORED} GROUP BY a.site_id",
            {"sites": list(site_ids), "zone": settings.TIME_ZONE},
        )
        return {site_id: (n, float(median), float(tenth)) for site_id, n, median, tenth in cursor.fetchall()}


def rows(site_ids: Iterable[int], *, limit: int) -> list[tuple]:
    """(patient's number, visit, day of the visit, days until it was stored), the longest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT a.patient_id, a.timepoint_id, a.assessment_date, {DAYS} AS days {FIRST_STORED} "
            "ORDER BY days DESC, a.patient_id LIMIT %(limit)s",
            {"sites": list(site_ids), "limit": limit, "zone": settings.TIME_ZONE},
        )
        return cursor.fetchall()
