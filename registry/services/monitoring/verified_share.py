"""How much was compared with the source: for each site and item, of how many finished forms."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import connection

from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import QueryForm
from registry.services.monitoring.sampling import candidates

MARKED = "verified <> '{}'"  # a mark at least: of these rows there is an index
FINISHED = "('complete', 'verified', 'locked')"
# Of each kind of form: its table, and which rows have it finished.
ROWS = {
    **{code: ("registry_patient", f"{form.state_column} IN {FINISHED}") for code, form in FINISHED_FORMS.items()},
    QueryForm.ASSESSMENT.value: ("registry_assessment", f"state IN {FINISHED}"),
    QueryForm.ADVERSE_EVENT.value: ("registry_adverseevent", f"state IN {FINISHED}"),
}


def by_site(site_ids: Iterable[int], plans: Any = None, today: Any = None) -> dict[int, dict[str, tuple[int, dict]]]:
    """{site id: {kind of form: (finished forms, {item: forms that have it compared})}}, for some sites.

    A mark that a later change made void does not count. Sites without a finished form of a kind lack it.
    """
    counted: dict[int, dict[str, tuple[int, dict]]] = defaultdict(dict)
    for kind, (table, finished) in ROWS.items():
        wanted: dict[str, Any] = {"sites": list(site_ids), "names": list(candidates(kind))}
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT site_id, count(*) FROM {table} WHERE site_id = ANY (%(sites)s) AND {finished} "
                "GROUP BY site_id",
                wanted,
            )
            for site_id, n in cursor.fetchall():
                counted[site_id][kind] = n, {}
            cursor.execute(
                f"""SELECT site_id, mark.key, count(*) FROM {table} CROSS JOIN jsonb_each(verified) AS mark
                WHERE site_id = ANY (%(sites)s) AND {finished} AND {MARKED} AND mark.key = ANY (%(names)s)
                  AND NOT mark.value ? 'changed_at' GROUP BY site_id, mark.key""",
                wanted,
            )
            for site_id, name, n in cursor.fetchall():
                counted[site_id][kind][1][name] = n
    return dict(counted)
