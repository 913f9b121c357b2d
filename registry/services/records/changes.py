"""What became of a record since somebody opened it: who changed which answer, when, and what it was before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.instruments.base import Item
from registry.instruments.levels import from_mask
from registry.models import State
from sites.models import AuditEvent

MOST = 500  # events looked at; a form that was open for longer shows every difference


@dataclass(frozen=True)
class Change:
    """The last change of one answer, and the answer as it was before the first.

    by      person's id; None for the system
    was     value as JSON has it, None where there was none; `was_missing` is the reason for having none, or ""
    """

    by: int | None
    at: datetime
    was: Any
    was_missing: str


def since(row: Any, version: Any) -> dict[str, Change]:
    """Item name to its `Change` since `version` of a record; None for version: since it was not there.

    An update that changed nothing is not in the trail, so that an answer changed shortly before may be among them.
    """
    events = AuditEvent.objects.filter(site_id=row.site_id, table_name=row._meta.db_table, row_id=str(row.pk))
    wanted = MOST if version is None else max(0, row.version - version)
    actions = ("insert", "update") if version is None else ("update",)
    newest = list(events.filter(action__in=actions).order_by("-pk")[: min(wanted, MOST)])
    changes: dict[str, Change] = {}
    for event in reversed(newest):
        old, new = event.old or {}, event.new or {}
        was_missing, missing = old.get("missing") or {}, new.get("missing") or {}
        reasons = {name for name in {*was_missing, *missing} if was_missing.get(name) != missing.get(name)}
        for name in ({*old, *new} - {"missing"}) | reasons:
            first = changes.get(name)
            was = (first.was, first.was_missing) if first else (old.get(name), was_missing.get(name, ""))
            changes[name] = Change(event.user_id, event.at, *was)
    return changes


def last_answered(row: Any, names: Any, state_column: Any) -> tuple | None:
    """(person's id, moment) of the last change of a form's answers, or of its completion; None where none is on record.

    Who signs, unlocks or verifies a form changes its row and none of its answers; forms of a patient share a row.
    names  of the form's items
    """
    events = AuditEvent.objects.filter(
        site_id=row.site_id, table_name=row._meta.db_table, row_id=str(row.pk), action__in=("insert", "update")
    ).order_by("-pk")
    names = set(names)
    for event in events[:MOST]:
        if _answers(event.old or {}, event.new or {}, names, state_column):
            return event.user_id, event.at
    return None


def _answers(old: Any, new: Any, names: Any, state_column: Any) -> bool:
    """Whether a change of a row is one of some of its answers, or completes its form."""
    if any(old.get(name) != new.get(name) for name in names & {*old, *new}):
        return True
    before, after = old.get("missing") or {}, new.get("missing") or {}
    if any(before.get(name) != after.get(name) for name in names & {*before, *after}):
        return True
    return bool(state_column) and (old.get(state_column), new.get(state_column)) == (State.DRAFT, State.COMPLETE)


def typed(item: Item, value: Any) -> Any:
    """A value of the trail as the field of a form holds it."""
    if value is None:
        return ""
    if item.kind == "levels":
        return list(from_mask(value))
    return value.split(";") if item.kind == "codes" else str(value)
