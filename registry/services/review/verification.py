"""Verification against source: a monitor compares fields, or a whole form, with the patient's file.

What was compared is in the record's `verified`, column by column. The database marks a column that changes afterwards
and takes a verified form back to complete (registry/guards).
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.models import State
from registry.services import seen as shown
from registry.services.records.storing import Locked, locked_for_update, require
from registry.services.review.forms import FormRow
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current


class NotComplete(Exception):
    """Only a completed form is compared with the source."""


@transaction.atomic
def verify(*, access: Access, form_row: Any, columns: Any, seen: Any = None) -> Any:
    """Mark columns of a form as compared with the source; returns the stored row.

    found    a `forms.FormRow`; columns: names of those that agree. With all of them the form itself is verified.
    seen     `note` of the page that showed the answers; None for whatever is stored
    Raises NotComplete, Locked, Unseen, PermissionDenied.
    """
    row = _open_row(access, form_row)
    if seen is not None:
        shown.check(seen, "verify", _key(form_row), _shown(FormRow(form_row.form, row)))
    columns = [name for name in form_row.comparable if name in set(columns)]
    mark = {"by": current().user_id, "at": timezone.now().isoformat()}
    row.verified = row.verified | {name: mark for name in columns if not is_verified(row, name)}
    state = form_row.state_column
    changed = ["verified"]
    if state and getattr(row, state) == State.COMPLETE and all(is_verified(row, name) for name in form_row.comparable):
        setattr(row, state, State.VERIFIED)
        changed.append(state)
    row.save(update_fields=changed)
    row.refresh_from_db()
    return row


@transaction.atomic
def withdraw(*, access: Access, form_row: Any, columns: Any) -> Any:
    """Take marks away: the comparison was wrong, or is to be made again. Returns the stored row."""
    row = _open_row(access, form_row)
    gone = set(columns).intersection(form_row.columns)
    row.verified = {name: mark for name, mark in row.verified.items() if name not in gone}
    changed, state = ["verified"], form_row.state_column
    if state and gone and getattr(row, state) == State.VERIFIED:
        setattr(row, state, State.COMPLETE)
        changed.append(state)
    row.save(update_fields=changed)
    row.refresh_from_db()
    return row


def _open_row(access: Access, form_row: Any) -> Any:
    require(access, Can.VERIFY, form_row.row.site_id)
    row = locked_for_update(type(form_row.row), form_row.row.pk, None)
    state = getattr(row, form_row.state_column) if form_row.state_column else State.COMPLETE
    if state == State.DRAFT:
        raise NotComplete
    if state == State.LOCKED:
        raise Locked
    return row


def note(form_row: Any) -> str:
    """The note of a page that shows a form's answers to be compared (`seen.note`)."""
    return shown.note("verify", _key(form_row), _shown(form_row))


def _key(form_row: Any) -> str:
    return f"{form_row.row._meta.db_table}:{form_row.row.pk}:{form_row.form.code}"


def _shown(form_row: Any) -> dict[Any, dict[Any, dict[str, Any] | str | float | int | Any]]:
    return shown.of_forms([form_row], lambda form: form.comparable)


def is_verified(row: Any, name: str) -> bool:
    """Whether a column was compared with the source and has not changed since."""
    return name in row.verified and "changed_at" not in row.verified[name]


def changed_since(row: Any, columns: Any) -> list:
    """Names of the columns that changed after they had been verified, in order."""
    return [name for name in columns if "changed_at" in row.verified.get(name, {})]
