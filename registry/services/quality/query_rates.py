"""Queries by site: how many were asked, how many wait and how long, and how long the site took to answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True)
class Rates:
    """`asked` queries, of them `open` (to answer) and `answered` (to close); ages in days, None where there is none.

    age     median of those that are open; oldest: of the oldest of these
    answer  median from asking to the first answer
    forms   finished assessments and own forms of the site, which the rate is of
    """

    asked: int
    open: int
    answered: int
    age: float | None
    oldest: float | None
    answer: float | None
    forms: int = 0

    @property
    def per_hundred(self) -> float | None:
        return round(100 * self.asked / self.forms, 1) if self.forms else None


SQL = """
WITH first_answer AS (
    SELECT query_id, min(at) AS at FROM registry_querymessage
    WHERE site_id = ANY (%(sites)s) AND kind IN ('answered', 'confirmed', 'mended') GROUP BY query_id
), asked AS (
    SELECT q.site_id, count(*) AS asked, count(*) FILTER (WHERE q.state = 'open') AS open,
           count(*) FILTER (WHERE q.state = 'answered') AS answered,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM now() - q.raised_at) / 86400)
               FILTER (WHERE q.state = 'open') AS age,
           max(extract(epoch FROM now() - q.raised_at) / 86400) FILTER (WHERE q.state = 'open') AS oldest,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM f.at - q.raised_at) / 86400)
               FILTER (WHERE f.at IS NOT NULL) AS answer
    FROM registry_query AS q LEFT JOIN first_answer AS f ON f.query_id = q.id
    WHERE q.site_id = ANY (%(sites)s) GROUP BY q.site_id
), form AS (
    SELECT site_id, sum(n) AS n FROM (
        SELECT site_id, count(*) AS n FROM registry_assessment WHERE site_id = ANY (%(sites)s) AND state <> 'draft'
        GROUP BY site_id
        UNION ALL SELECT site_id, count(*) FILTER (WHERE baseline_state <> 'draft')
            + count(*) FILTER (WHERE surgery_state <> 'draft') FROM registry_patient
        WHERE site_id = ANY (%(sites)s) GROUP BY site_id
    ) AS counted GROUP BY site_id
)
SELECT form.site_id, coalesce(asked, 0), coalesce(open, 0), coalesce(answered, 0), age, oldest, answer, form.n::int
FROM form LEFT JOIN asked USING (site_id)
"""


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, Rates]:
    """Site id to its `Rates`; a site without patients is left out."""
    with connection.cursor() as cursor:
        cursor.execute(SQL, {"sites": list(site_ids)})
        return {
            site_id: Rates(asked, still_open, answered, _days(age), _days(oldest), _days(answer), forms)
            for site_id, asked, still_open, answered, age, oldest, answer, forms in cursor.fetchall()
        }


def _days(days: Any) -> float | None:
    return None if days is None else round(float(days), 1)
