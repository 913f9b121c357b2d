"""Items without a value on finished forms, by site, item and reason."""

from collections.abc import Iterable
from typing import Any

from django.db import connection

from registry.instruments import catalogue
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models.columns import stored_items

FINISHED = "('complete', 'verified', 'locked')"
# Kind of form → (table, state column, names of the items that every such form asks).
FORMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    **{
        code: (
            "registry_patient",
            str(form.state_column),
            tuple(item.name for item in stored_items(form.instruments) if item.required),
        )
        for code, form in FINISHED_FORMS.items()
    },
    "assessment": (
        "registry_assessment",
        "state",
        tuple(item.name for item in stored_items(catalogue.ASSESSMENT) if item.required),
    ),
}


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, dict[str, tuple[int, dict]]]:
    """Site id to {kind of form: (finished forms, {item: {reason: forms}})}."""
    missing: dict[int, dict[str, tuple[int, dict]]] = {}
    for kind, (table, state, names) in FORMS.items():
        wanted: dict[str, Any] = {"sites": list(site_ids), "names": list(names)}
        of_kind = f"FROM {table} AS r WHERE site_id = ANY (%(sites)s) AND {state} IN {FINISHED}"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT site_id, count(*) {of_kind} GROUP BY site_id", wanted)
            for site_id, n in cursor.fetchall():
                missing.setdefault(site_id, {})[kind] = n, {}
            cursor.execute(
                f"SELECT site_id, lack.key, lack.value, count(*) FROM {table} AS r "
                "CROSS JOIN jsonb_each_text(missing) AS lack WHERE site_id = ANY (%(sites)s) "
                f"AND {state} IN {FINISHED} AND lack.key = ANY (%(names)s) GROUP BY 1, 2, 3",
                wanted,
            )
            for site_id, name, reason, n in cursor.fetchall():
                missing[site_id][kind][1].setdefault(name, {})[reason] = n
    return missing


def rows(site_ids: Iterable[int], *, name: str, reason: str, limit: int) -> list[tuple]:
    """(patient's number, visit or kind of form) of the forms behind a number; `reason` "" for any."""
    kind = next(kind for kind, (_table, _state, names) in FORMS.items() if name in names)
    table, state, _names = FORMS[kind]
    form = "timepoint_id" if kind == "assessment" else f"'{kind}'"
    condition = "missing->>%(name)s = %(reason)s" if reason else "missing ? %(name)s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT patient_id, {form} FROM {table} WHERE site_id = ANY (%(sites)s) AND {state} IN {FINISHED} "
            f"AND {condition} ORDER BY 1, 2 LIMIT %(limit)s",
            {"sites": list(site_ids), "name": name, "reason": reason, "limit": limit},
        )
        return cursor.fetchall()
