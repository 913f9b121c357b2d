"""The sheet: one form of one patient, described once, and what was sent from its page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from registry.instruments import catalogue
from registry.instruments.base import Instrument, Item
from registry.models import State
from registry.services.follow_up import visits
from registry.services.review.soft_checks import Form
from registry.web.review import on_form
from registry.web.shared import questions as forms


@dataclass(kw_only=True)
class Sheet:
    """One form of one patient.

    form       which form it is, for queries and verification; None for an event that is not stored yet
    row        the stored record, or None for one not begun; its `version` guards against lost updates
    save       takes raw, missing, complete, version, reason and said, and returns the stored record
    reload     gives the stored record as it is now
    leading    items before the instruments, such as the date of an assessment
    without    names of items that this form does not show
    state      of the form; None for one that is never finished
    previous   answers of the visit before, by item name, and `previous_label` says which
    address_of  of the stored record, where each has an address of its own; None where `url` is that of all
    look       gives those of the fields above that only the page needs, so that storing does not read them
    """

    patient: Any
    title: str
    instruments: tuple[Instrument, ...]
    row: Any
    save: Callable
    reload: Callable
    url: str
    form: Form | None = None
    history_url: str = ""
    leading: tuple[Item, ...] = ()
    without: tuple[str, ...] = ()
    state: str | None = None
    state_column: str | None = "state"
    visit: visits.Visit | None = None
    previous: Mapping = field(default_factory=dict)
    previous_label: str = ""
    look: Callable[[], Mapping] = dict
    address_of: Callable | None = None

    def shown(self):
        """This form with everything that its page shows."""
        return replace(self, look=dict, **self.look())

    @property
    def items(self):
        own = tuple(item for item in catalogue.items(self.instruments) if item.name not in self.without)
        return self.leading + own

    def stored(self, row):
        """What `row` holds, as the fields of the page hold it: (values, reasons)."""
        if row is None:
            return {}, {}
        return {item.name: forms.typed(getattr(row, item.name)) for item in self.items}, dict(
            getattr(row, "missing", {})
        )

    @property
    def plain(self):
        """Whether the form is one short record: stored whole, without reasons for missing values."""
        return self.instruments == catalogue.ADVERSE_EVENTS

    @property
    def drafts(self):
        """Whether the form can be left half done."""
        return not self.plain

    @property
    def needs_reason(self):
        """Whether a change of this form asks why: once it was completed."""
        return self.state in (State.COMPLETE, State.VERIFIED)


@dataclass
class Sent:
    """What was sent from a form's page.

    raw, missing  answers as typed and reasons of what is missing, by item name
    said          what was said about findings, by finding
    version       of the record that the answers change; None where there was none
    """

    raw: dict
    missing: dict
    complete: bool
    reason: str
    said: Any
    version: int | None

    @classmethod
    def of(cls, request, sheet):
        raw, missing = forms.submitted(request.POST, sheet.instruments, sheet.leading, sheet.without)
        return cls(
            raw,
            missing,
            "complete" in request.POST,
            request.POST.get("reason", "").strip(),
            on_form.said_in(request.POST),
            forms.version_in(request.POST),
        )

    def save(self, sheet):
        """Store it as the sheet says; returns the stored record."""
        return sheet.save(
            raw=self.raw,
            missing=self.missing,
            complete=self.complete,
            reason=self.reason,
            said=self.said,
            version=self.version,
        )
