"""Storing a record: what every form has in common, whoever asks."""

from datetime import date, time
from decimal import Decimal
from functools import wraps
from typing import Any

from django.db import connection, transaction

from registry.instruments import levels
from registry.models import State
from sites.database.fast_rows import lock, update
from sites.tenancy.access import Access


class Conflict(Exception):
    """The record was changed by someone else since it was read. `current` is what is stored now."""

    def __init__(self, current: Any) -> None:
        self.current = current
        super().__init__("this record was changed by someone else in the meantime")


class Locked(Exception):
    """The record is signed: it must be unlocked before it can change."""


class ReasonRequired(Exception):
    """A completed record changes only with a reason."""


def in_a_transaction(function: Any) -> Any:
    """Run it in the transaction that there is, or in one of its own, but without a savepoint.

    That is for what refuses before it writes: there is nothing to undo, and a savepoint takes two more statements.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        with transaction.atomic():
            return function(*args, **kwargs)

    return run


def locked_for_update(model: Any, pk: Any, version: Any) -> Any:
    """The row, locked until the end of the transaction; Conflict unless it still has `version` (None: any).

    The rest of the transaction may rely on what it reads.
    """
    row = lock(model, f"{model._meta.pk.column} = %s", [pk])
    if row is None:
        raise model.DoesNotExist
    if version is not None and row.version != version:
        raise Conflict(row)
    return row


def check_not_signed(state: Any) -> None:
    if state == State.LOCKED:
        raise Locked


def check_may_change(state: Any, reason: Any) -> None:
    """Asked once the answers are clean, so that whoever gives no reason is told of every fault at once."""
    check_not_signed(state)
    if state != State.DRAFT and not reason.strip():
        raise ReasonRequired


def set_values(row: Any, answers: Any) -> list:
    """Put cleaned answers into a row; returns the names of the columns that changed, `missing` among them."""
    changed = [name for name, value in answers.values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, answers.values[name])
    reasons = {name: reason for name, reason in row.missing.items() if name not in answers.values} | answers.missing
    if reasons != row.missing:
        row.missing = reasons
        changed.append("missing")
    return changed


def store_update(row: Any, changed: Any, reason: Any, asked: Any = (), beside: Any = ()) -> Any:
    """Write the changed columns; the trigger raises the version, the audit trail keeps the reason.

    asked   as of `fast_rows.update`
    beside  columns that are written as they are: where every correction names the same, PostgreSQL plans one statement
    """
    if changed and not update(row, tuple(sorted({*changed, *beside})), reason, asked):
        raise Conflict(None)
    return row


def require(access: Access | None, ability: Any, site_id: Any) -> None:
    """PermissionDenied unless `access` may do this at the site; `None` for access is the system itself."""
    if access is not None:
        access.require(ability, site_id)


def as_json(value: Any) -> Any:
    """A stored value as JSON has it: days as text, decimals as numbers, levels as their mask, codes joined by “;”."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, tuple):
        return levels.mask(value) if set(value) <= set(levels.LEVELS) else ";".join(value)
    return value.strftime("%H:%M") if isinstance(value, time) else value
