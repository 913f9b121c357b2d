"""What lies on top of a form's own state: an open query. The one place where lists, grid and start page ask.

A form is named by `baseline`, `surgery`, `follow_up` or the code of a timepoint; queries about adverse events stand
with the patient and belong to none of these.
"""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Count

from registry.models import Query, QueryState
from sites.database.fast_rows import rows_of

UNSCHEDULED = "u"
_OPEN = f"""
    SELECT patient_id, coalesce(timepoint_id, form) FROM registry_query
    WHERE patient_id = ANY (%s) AND state = '{QueryState.OPEN}'
"""


def open_queries(patient_ids: Any) -> frozenset[Any]:
    """(patient id, form) of every form with an open query, for some patients. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [list(patient_ids)])
        return frozenset(cursor.fetchall())


def open_query_sql(form: str = "") -> str:
    """SQL: whether the patient `p` has an open query, on the form that the parameter `form` names or on any.

    `u` is any unscheduled visit.
    """
    of_form = "coalesce(q.timepoint_id, q.form) = %(form)s" if form else "true"
    if form == UNSCHEDULED:
        of_form = "q.timepoint_id LIKE 'u%%'"
    return (
        "EXISTS (SELECT FROM registry_query AS q WHERE q.site_id = p.site_id AND q.patient_id = p.patient_id "
        f"AND q.state = '{QueryState.OPEN}' AND {of_form})"
    )


def open_queries_by_site(site_ids: Iterable[int]) -> dict[Any, Any]:
    """Site id to the number of its open queries."""
    queries = Query.objects.filter(site_id__in=site_ids, state=QueryState.OPEN).order_by()
    return dict(queries.values_list("site_id").annotate(Count("pk")))


def queries_to_answer(site_ids: Iterable[int], limit: Any) -> Any:
    """The oldest open queries that wait for a site's answer."""
    asked = "site_id = ANY (%s) AND state = %s ORDER BY raised_at, id LIMIT %s"
    return rows_of(Query).where(asked, [list(site_ids), str(QueryState.OPEN), limit])
