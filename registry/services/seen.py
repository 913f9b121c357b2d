"""What a person saw before they confirm it: a signed note of what a page showed, held against what is stored then.

A page that asks somebody to confirm what it shows (to sign, to verify, to take answers over, to close, to store an
import) carries `note(...)` in its form. The act reads the records again under a lock and calls `check(...)`: what
differs from the note is an `Unseen` with each difference, and nothing is done. A note is of one act, one subject and
one person, signed with the deployment's key, so that nobody confirms what no page of theirs has shown.

What is shown is a mapping of parts (the code of a form, of a query) to what each shows (name of a column to a value as
JSON has it). `of_forms` makes it of forms. Comparing values rather than versions, a mark or a save that changed
nothing stands in nobody's way.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import prefetch_related_objects

from registry.services.records.storing import as_json
from sites.tenancy.scope import current

SALT = "registry.seen"
MISSING = "missing"  # {"missing": reason code} stands for an item without a value


@dataclass(frozen=True)
class Difference:
    """What a page showed, and what is stored now: `name` is a column; "" where a whole part came or went.

    was, now  values as JSON has them; None for nothing, {"missing": code} for a reason instead of a value
    """

    part: str
    name: str
    was: Any = None
    now: Any = None


class Unseen(Exception):
    """What is stored is not what the person saw; nothing was done.

    differences  what changed; empty where no page of theirs has shown this at all
    """

    def __init__(self, differences: Any = ()) -> None:
        self.differences = tuple(differences)
        super().__init__("what is stored is not what was shown")


def note(act: Any, about: Any, parts: Any) -> str:
    """The text for the hidden field of a page: what it shows to the person of the current scope.

    act    word for what would be confirmed; about: key of the record that this is about
    parts  code → {column: value}, as above
    """
    shown = {"act": act, "about": str(about), "by": current().user_id, "parts": _plain(parts)}
    return signing.dumps(shown, salt=SALT, compress=True)


def check(text: Any, act: Any, about: Any, parts: Any) -> None:
    """Raise Unseen unless `text` is the note of the current person's page about this, and showed these `parts`."""
    try:
        shown = signing.loads(text or "", salt=SALT)
    except signing.BadSignature as error:
        raise Unseen from error
    if (shown["act"], shown["about"], shown["by"]) != (act, str(about), current().user_id):
        raise Unseen
    if differences := list(_differences(shown["parts"], _plain(parts))):
        raise Unseen(differences)


def _plain(parts: Any) -> Any:
    """As it is after a journey through JSON, so that equal things compare equal."""
    return json.loads(json.dumps(parts))


def _differences(shown: Any, stored: Any) -> Iterator[Difference]:
    for part in (*shown, *(part for part in stored if part not in shown)):
        if part not in stored or part not in shown:
            yield Difference(part, "", part in shown or None, part in stored or None)
            continue
        was, now = shown[part], stored[part]
        for name in (*was, *(item for item in now if item not in was)):
            if was.get(name) != now.get(name):
                yield Difference(part, name, was.get(name), now.get(name))


def of_forms(
    forms: Any, names: Any = lambda form: form.columns
) -> dict[Any, dict[Any, dict[str, Any] | str | float | int | Any]]:
    """The parts that `FormRow`s show: code of the form → {column: value or {"missing": reason}}."""
    return {form.form.code: {name: _answer(form.row, name) for name in names(form)} for form in forms}


def _answer(row: Any, name: str) -> Any:
    reason = row.missing.get(name)
    return {MISSING: reason} if reason else as_json(getattr(row, name))


def of_queries(queries: Any) -> dict[str, dict[str, Any]]:
    """The parts that queries show: the state of each, and which step was the last."""
    prefetch_related_objects(queries, "messages")
    return {
        f"query-{query.pk}": {
            "state": query.state,
            "step": max((step.pk for step in query.messages.all()), default=None),
        }
        for query in queries
    }
