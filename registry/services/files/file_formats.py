"""The registry's files: which columns each has, in order, and how text is guarded for spreadsheets.

Three are the contract's; the ends of follow-up, and each repeating form of the study's own, are files beside them.
Everything is derived from the instruments' catalogue; reading and writing the files both ask here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import Model

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, Choice, Instrument, Item, Label
from registry.instruments.extras import COMPUTED
from registry.instruments.patient_forms import PATIENT_FORMS, STATE_COLUMNS
from registry.models import AdverseEvent, Assessment, FollowUpEnd, OwnRecord, Patient

MISSING_SUFFIX = "_missing"
MISSING_CHOICES = tuple(Choice(code, label) for code, label in MISSING_LABELS.items())

# Columns of a file that are stored under another name, or elsewhere altogether.
OWN = "own_"  # before the code of a repeating form, in the name of its file
RECORD = "record"  # the number that tells a record of a repeating form from the patient's others
STORED_AS = {"timepoint": "timepoint_id", RECORD: "id"}
NOT_IN_TABLE = ("site_code", "birth_date")


@dataclass(frozen=True, kw_only=True, eq=False)
class File:
    """One file: its items in the order of the columns, what names a row of it, and where its rows are stored.

    key       columns that together name a row
    mandatory columns that no row leaves empty
    optional  columns that a file may leave out
    forms     column with the state of a form, to the items that the form needs before it is complete
    extra_forms column with the state of a form ("" for one without), to the form whose extras an import takes too
    brought   those of them that are among the items (`with_extras`)
    form      code of the repeating form that every row is a record of; "" for a file that is none's

    Two are equal where they are the same file, whatever extras were brought.
    """

    name: str
    model: type[Model]
    items: tuple[Item, ...]
    key: tuple[str, ...]
    mandatory: tuple[str, ...]
    optional: tuple[str, ...] = ()
    forms: dict[str, tuple[Item, ...]]
    extra_forms: dict[str, str] = field(default_factory=dict)
    brought: tuple[Instrument, ...] = ()
    form: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def extras(self) -> dict[str, tuple[Instrument, ...]]:
        """Column with the state of a form to the extra instruments of that form, the study's own among them."""
        of_form = catalogue.current().extras
        return {state: of_form[form] for state, form in self.extra_forms.items()}

    def with_extras(self, header: Any) -> Any:
        """This file with the extra instruments of which `header` names a column: whole, and with no item required."""
        if self.brought:
            return self
        named = {name.removesuffix(MISSING_SUFFIX) for name in header}
        items, optional, forms = self.items, self.optional, dict(self.forms)
        brought: tuple[Instrument, ...] = ()
        for state, instruments in self.extras.items():
            extras = tuple(
                instrument for instrument in instruments if named.intersection(item.name for item in instrument.items)
            )
            more = tuple(replace(item, required=False) for item in catalogue.items(extras))
            items, optional, brought = items + more, optional + tuple(item.name for item in more), brought + extras
            if state in forms:
                forms[state] += more
        return replace(self, items=items, optional=optional, forms=forms, brought=brought)

    def passes_over(self, name: str) -> bool:
        """Whether an import leaves the column `name` unread: what an export computes beside the answers to extras."""
        return bool(self.extra_forms or self.form) and (name in COMPUTED or name in calculated())

    @property
    def filename(self) -> str:
        return f"{self.name}.csv"

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.items)

    @property
    def later(self) -> tuple[str, ...]:
        """Columns of items that a later version of their instrument brought: a file of before need not have them."""
        return tuple(item.name for item in self.items if item.since)

    @property
    def keeps_reasons(self) -> bool:
        """Whether its table has a column for the reasons of missing values."""
        return any(field.column == "missing" for field in self.model._meta.concrete_fields)

    def missing_of(self, alias: Any) -> str:
        """SQL of the stored reasons of a row, as jsonb: none where the table keeps none."""
        return f"{alias}.missing" if self.keeps_reasons else "'{}'::jsonb"

    @cached_property
    def reasons(self) -> tuple[Item, ...]:
        """One item for each column with reasons for missing values."""
        return tuple(reason_item(item.name, item.label) for item in self.items if self.may_lack(item.name))

    def may_lack(self, name: str) -> bool:
        """Whether a reason may stand for a missing value of the column `name`."""
        return self.keeps_reasons and name not in self.mandatory + self.key

    @cached_property
    def stored(self) -> tuple[Item, ...]:
        """Items that are columns of the file's own table, keys included."""
        return tuple(item for item in self.items if item.name not in NOT_IN_TABLE)


def reason_item(name: str, label: Any) -> Item:
    """The column with the reasons why the column `name` has no value."""
    title = Label("{label}: reason for a missing value", "{label}の欠測理由").format(label=label)
    return Item(name=name + MISSING_SUFFIX, label=title, kind="code", choices=MISSING_CHOICES, required=False)


def numbered_records(table: str, form: str) -> str:
    """SQL of a repeating form's rows of `table`, with `n`: which of the patient's it is, in order of entry.

    Files that have them side by side count so, out and in; no item can be called `n`.

    form  SQL of the form's code
    """
    numbers = "row_number() OVER (PARTITION BY patient_id ORDER BY id) AS n"
    return f"SELECT *, {numbers} FROM {table} WHERE form = {form}"


def column_of(name: str) -> str:
    """The database column of the file's column `name`, quoted."""
    return f'"{STORED_AS.get(name, name)}"'


PATIENTS = File(
    name="patients",
    model=Patient,
    items=catalogue.PATIENT_ITEMS,
    key=("patient_id",),
    mandatory=("patient_id", "site_code"),
    forms={column: PATIENT_FORMS[code].items for code, column in STATE_COLUMNS.items()},
    extra_forms={form.state_column or "": code for code, form in PATIENT_FORMS.items()},
)
ASSESSMENTS = File(
    name="assessments",
    model=Assessment,
    items=catalogue.ASSESSMENT_ITEMS,
    key=("patient_id", "timepoint"),
    mandatory=("patient_id", "timepoint"),
    forms={"state": tuple(item for item in catalogue.ASSESSMENT_ITEMS if item.name not in ("patient_id", "timepoint"))},
    extra_forms={"state": "assessment"},
)
ADVERSE_EVENTS = File(
    name="adverse_events",
    model=AdverseEvent,
    items=catalogue.ADVERSE_EVENT_ITEMS,
    key=("patient_id", "kind", "onset_date"),
    mandatory=("patient_id", "kind", "onset_date"),
    optional=tuple(item.name for item in catalogue.ADVERSE_EVENT_ITEMS if not item.required),
    forms={},
)
FOLLOW_UP_ENDS = File(
    name="follow_up_ends",
    model=FollowUpEnd,
    items=catalogue.FOLLOW_UP_END_ITEMS,
    key=("patient_id",),
    mandatory=tuple(item.name for item in catalogue.FOLLOW_UP_END_ITEMS if item.required),
    forms={},
)
CONTRACT = (PATIENTS, ASSESSMENTS, ADVERSE_EVENTS)
FILES = (*CONTRACT, FOLLOW_UP_ENDS)


RECORD_ITEM = Item(
    name=RECORD,
    label=Label("Number of the record", "記録番号"),
    kind="integer",
    minimum=1,
    maximum=2**53,
    required=False,
)


def repeat(instrument: Instrument) -> File:
    """The file of a repeating form: a row a record, known by its number; a row without one is a new record."""
    items = tuple(replace(item, required=False) for item in instrument.items)
    return File(
        name=OWN + instrument.code,
        model=OwnRecord,
        items=(catalogue.item("patient_id"), RECORD_ITEM, *items),
        key=("patient_id", RECORD),
        mandatory=("patient_id",),
        optional=(RECORD, *(item.name for item in items)),
        forms={"state": items},
        brought=(instrument,),
        form=instrument.code,
    )


def files() -> tuple[File, ...]:
    """Every file that an import takes now: the registry's, and those of the study's own repeating forms."""
    return (*FILES, *map(repeat, catalogue.current().repeats))


def accepted() -> tuple[File, ...]:
    """The files with everything that an import takes."""
    return _accepted(catalogue.current())


@lru_cache(maxsize=4)  # asked for each column of a file
def _accepted(known: catalogue.Catalogue) -> tuple[File, ...]:
    return tuple(file.with_extras(known.extra_names) for file in files())


def judges() -> Mapping[str, Item]:
    """Column of an accepted file, one with reasons too → the item that judges its values."""
    return _judges(catalogue.current())


@lru_cache(maxsize=4)  # asked for each column of a file
def _judges(known: catalogue.Catalogue) -> dict[str, Item]:
    return {item.name: item for file in reversed(_accepted(known)) for item in (*file.reasons, *file.items)}


def calculated() -> frozenset[str]:
    """Names of what own instruments calculate."""
    return frozenset(
        derived.name for instrument in catalogue.current().own_instruments for derived in instrument.derived
    )


# A spreadsheet runs a cell that begins with one of these as a formula. An apostrophe before it says that it is text;
# a text that begins with an apostrophe gets one too, so that taking one away always gives back what was stored.
GUARD = "'"
GUARDED = "=+-@\t\r＝＋－＠'"
_GUARDED_TEXT = re.compile(f"{GUARD}[{re.escape(GUARDED)}]")


def guarded(text: Any) -> Any:
    """A text that no spreadsheet runs as a formula."""
    return "'" + text if text and text[0] in GUARDED else text


def unguarded(text: Any) -> Any:
    """What a guarded text was before `guarded_sql` wrote it; any other text unchanged."""
    return text[1:] if _GUARDED_TEXT.match(text) else text


def guarded_sql(expression: Any) -> str:
    """SQL of `expression` with the apostrophe where a spreadsheet needs it."""
    characters = GUARDED.replace("'", "''").replace("\\", "\\\\")
    begins = f"strpos('{characters}', left({expression}, 1)) > 0"
    return f"CASE WHEN {begins} THEN '''' || {expression} ELSE {expression} END"
