"""Storing a record: what every form has in common, whoever asks."""

from functools import cached_property

from registry.models import State
from sites.scope import because


class Conflict(Exception):
    """The record was changed by someone else since it was read. `current` is what is stored now.

    `current` may be given as a function that reads it: after a statement that failed nothing is read before the
    savepoint of the service has been left.
    """

    def __init__(self, current):
        self._current = current
        super().__init__("this record was changed by someone else in the meantime")

    @cached_property
    def current(self):
        return self._current() if callable(self._current) else self._current


class Locked(Exception):
    """The record is signed: it must be unlocked before it can change."""


class ReasonRequired(Exception):
    """A completed record changes only with a reason."""


def locked_for_update(model, pk, version):
    """The row, locked until the end of the transaction; Conflict unless it still has `version` (None: any).

    The rest of the transaction may rely on what it reads.
    """
    row = model.objects.select_for_update().get(pk=pk)
    if version is not None and row.version != version:
        raise Conflict(row)
    return row


def check_may_change(state, reason):
    if state == State.LOCKED:
        raise Locked
    if state != State.DRAFT and not reason.strip():
        raise ReasonRequired


def set_values(row, answers):
    """Put cleaned answers into a row; returns the names of the columns that changed, `missing` among them."""
    changed = [name for name, value in answers.values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, answers.values[name])
    reasons = {name: reason for name, reason in row.missing.items() if name not in answers.values} | answers.missing
    if reasons != row.missing:
        row.missing = reasons
        changed.append("missing")
    return changed


def store_update(row, changed, reason):
    """Write the changed columns; the trigger raises the version, the audit trail keeps the reason."""
    if not changed:
        return row
    with because(reason):
        row.save(update_fields=changed)
    row.refresh_from_db()
    return row


def require(access, ability, site_id):
    """PermissionDenied unless `access` may do this at the site; `None` for access is the system itself."""
    if access is not None:
        access.require(ability, site_id)
