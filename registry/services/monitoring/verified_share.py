"""How much was compared with the source: for each site and item, of how many finished forms."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import QueryForm
from registry.services.monitoring.sampling import candidates

FINISHED = "('complete', 'verified', 'locked')"
# Of each kind of form: its table, and which rows have it finished.
ROWS = {
    **{code: ("registry_patient", f"{form.state_column} IN {FINISHED}") for code, form in FINISHED_FORMS.items()},
    QueryForm.ASSESSMENT.value: ("registry_assessment", f"state IN {FINISHED}"),
    QueryForm.ADVERSE_EVENT.value: ("registry_adverseevent", f"state IN {FINISHED}"),
}


@dataclass(frozen=True)
class Shares:
    """Counts of one kind of form: finished forms by site id, and compared items by (site id, item's name)."""

    kind: str
    forms: dict[int, int]
    compared: dict[tuple[int, str], int]

    @property
    def items(self) -> tuple[str, ...]:
        return candidates(self.kind)


def shares(site_ids: Iterable[int]) -> list[Shares]:
    """The `Shares` of each kind of form, for some sites. A mark that a later change made void does not count."""
    site_ids = list(site_ids)
    return [_of_kind(kind, *rows, site_ids) for kind, rows in ROWS.items()]


def _of_kind(kind: str, table: str, finished: str, site_ids: list[int]) -> Shares:
    wanted: dict[str, Any] = {"sites": site_ids, "names": list(candidates(kind))}
    forms: dict[int, int] = {}
    compared: dict[tuple[int, str], int] = defaultdict(int)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT site_id, count(*) FROM {table} WHERE site_id = ANY (%(sites)s) AND {finished} GROUP BY site_id",
            {"sites": site_ids},
        )
        forms.update(cursor.fetchall())
        cursor.execute(
            f"""SELECT site_id, mark.key, count(*) FROM {table} CROSS JOIN jsonb_each(verified) AS mark
            WHERE site_id = ANY (%(sites)s) AND {finished} AND mark.key = ANY (%(names)s)
              AND NOT mark.value ? 'changed_at' GROUP BY site_id, mark.key""",
            wanted,
        )
        for site_id, name, n in cursor.fetchall():
            compared[site_id, name] = n
    return Shares(kind, forms, dict(compared))
