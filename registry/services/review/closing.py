"""Closing several answered queries at once: each by itself, over what its page showed, and what stood there before."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.models import Query
from registry.services.records.storing import as_json
from registry.services.review import queries
from registry.services.review.queries import WrongState
from registry.services.seen import MISSING, Unseen
from sites.models import AuditEvent
from sites.tenancy.access import Access

MOST = 500  # events of a record looked at


@dataclass(frozen=True)
class Outcome:
    """What became of one query: closed, or not because its answers or its thread changed since the page."""

    query: Query
    closed: bool


def close_each(*, access: Access, chosen: Iterable[tuple[Query, str]], text: str = "") -> list[Outcome]:
    """Close each (query, note of its page). Raises PermissionDenied, InvalidAnswers: none is."""
    outcomes = []
    for query, seen in sorted(chosen, key=lambda pair: pair[0].pk):
        try:
            queries.close(access=access, query=query, text=text, seen=seen)
        except (Unseen, WrongState):
            outcomes.append(Outcome(query, closed=False))
        else:
            outcomes.append(Outcome(query, closed=True))
    return outcomes


def when_asked(query: Query, row: Any, names: Iterable[str]) -> dict[str, Any]:
    """Item name to the value that stood there when a query was raised: as JSON has it, or {"missing": reason}."""
    if row is None:
        return {}
    events = AuditEvent.objects.filter(
        site_id=row.site_id, table_name=row._meta.db_table, row_id=str(row.pk), action="update", at__gt=query.raised_at
    ).order_by("pk")[:MOST]
    values = {name: _stored(row, name) for name in names if hasattr(row, name)}
    for event in reversed(list(events)):
        old = event.old or {}
        for name in values:
            if name in old:
                values[name] = old[name]
            if "missing" in old and (reason := (old["missing"] or {}).get(name)):
                values[name] = {MISSING: reason}
    return values


def _stored(row: Any, name: str) -> Any:
    reason = row.missing.get(name) if hasattr(row, "missing") else None
    return {MISSING: reason} if reason else as_json(getattr(row, name))
