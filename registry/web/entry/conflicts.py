"""Two saved the same form: which answers disagree, who gave the other ones, and which the person wants to keep.

A form says by `version` what was on its page. Where the record has changed since, each answer that was changed then
and is not what the person sends is asked about; everything else is the person's, as if nobody had come between.
The page that asks sends, besides, `seen` (the version whose answers it showed) and a `keep-<item>` for each choice, so
that what was stored after it is asked about again.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from registry.instruments import catalogue
from registry.instruments.base import Item
from registry.services.records import changes
from registry.web.shared import record_words, wording
from registry.web.shared.lookup import names_of
from registry.web.shared.questions import version_in

MINE, THEIRS = "mine", "theirs"


@dataclass
class Disagreement:
    """One item with two answers. `stored` and `sent` are (value as typed, reason for none); `chosen` may be empty."""

    item: Item
    stored: tuple
    sent: tuple
    change: changes.Change | None
    chosen: str
    who: str = ""

    @property
    def name(self):
        return self.item.name

    @property
    def label(self):
        try:
            catalogue.item(self.item.name)
        except KeyError:
            return wording.words(self.item.label)
        return record_words.item_label(self.item.name)

    @property
    def theirs(self):
        return wording.answer(self.item, *self.stored)

    @property
    def mine(self):
        return wording.answer(self.item, *self.sent)

    @property
    def suggested(self):
        """What the page has picked already: the stored answer where the person never touched the item."""
        if self.chosen or self.change is None:
            return self.chosen
        before = changes.typed(self.item, self.change.was), self.change.was_missing
        return THEIRS if _same(self.item, before, self.sent) else ""

    @property
    def at(self) -> datetime | None:
        return self.change.at if self.change else None


@dataclass
class Conflict:
    """What is left to ask about a form, and its answers with what was chosen so far.

    differs    whether the answers are others than those stored
    completes  whether the form is to be completed with them
    """

    row: object
    asked: list[Disagreement]
    raw: dict
    missing: dict
    differs: bool
    completes: bool = False
    by: str = ""
    own: bool = False  # the other one is the same person, in another window

    @property
    def open(self):
        return any(not disagreement.chosen for disagreement in self.asked)

    @property
    def partly(self):
        """Whether some are chosen, so that the page says that the others are left."""
        return self.open and any(disagreement.chosen for disagreement in self.asked)


def between(sheet, row, raw, missing, version, post, person_id):
    """The `Conflict` of what was sent with what is stored in `row`.

    version  of the record that the answers began from; None where there was none
    post     what was sent, for the choices in it
    """
    values, reasons = sheet.stored(row)
    differing = [
        item
        for item in sheet.items
        if not _same(item, (values[item.name], reasons.get(item.name, "")), _answer(item, raw, missing))
    ]
    conflict = Conflict(row, [], dict(raw), dict(missing), bool(differing), "complete" in post)
    if not differing:
        return conflict
    if version is not None and version > row.version:
        version = None  # of a record that was removed since: this is another one
    # An own form of a patient that does not say what it has seen: then nobody knows who changed what since.
    blind = version is None and sheet.row is not None
    changed = {} if blind else changes.since(row, version)
    seen = version_in(post, "seen")
    later = changes.since(row, seen) if seen not in (None, row.version) else {}
    for item in differing:
        if not blind and item.name not in changed:
            continue
        stored = (values[item.name], reasons.get(item.name, ""))
        disagreement = Disagreement(item, stored, _answer(item, raw, missing), changed.get(item.name), "")
        if seen is not None and item.name not in later:
            disagreement.chosen = post.get(f"keep-{item.name}", "")
            disagreement.chosen = disagreement.chosen if disagreement.chosen in (MINE, THEIRS) else ""
        conflict.asked.append(disagreement)
        if disagreement.chosen == THEIRS:
            conflict.raw[item.name] = stored[0]
            conflict.missing.pop(item.name, None)
            if stored[1]:
                conflict.missing[item.name] = stored[1]
    _name(conflict, person_id)
    return conflict


def _name(conflict, person_id):
    ids = {disagreement.change.by for disagreement in conflict.asked if disagreement.change}
    names = names_of({*ids, conflict.row.updated_by_id}) | {None: _("System")}
    names[person_id] = _("You, in another window")
    conflict.by, conflict.own = names.get(conflict.row.updated_by_id, "–"), conflict.row.updated_by_id == person_id
    for disagreement in conflict.asked:
        disagreement.who = names.get(disagreement.change.by, "–") if disagreement.change else ""


def _answer(item, raw, missing):
    return raw.get(item.name), missing.get(item.name, "")


def _same(item, ours, other):
    return wording.meant(item, ours[0]) == wording.meant(item, other[0]) and (ours[1] or "") == (other[1] or "")
