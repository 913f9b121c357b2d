"""The columns that say whose row it is and when: they belong to a record, not to an instrument."""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from registry.instruments import spelling
from registry.instruments.base import Choice, Item, Label
from registry.instruments.timepoints import TIMEPOINT_CHOICES, UNSCHEDULED_PATTERN, planned


@dataclass(frozen=True, kw_only=True)
class Number(Item):
    """What names a row: in its one spelling, and refused where a character only looks like another or is not seen."""

    def clean(self, raw: Any, *, today: date | None = None) -> Any:
        value = super().clean(raw, today=today)
        return value if value is None else spelling.number(value)


@dataclass(frozen=True, kw_only=True)
class LocalNumber(Item):
    """What a hospital calls a patient, in its one spelling: ASCII and the scripts of East Asia."""

    def clean(self, raw: Any, *, today: date | None = None) -> Any:
        value = super().clean(raw, today=today)
        return value if value is None else spelling.local_number(value) or None


@dataclass(frozen=True, kw_only=True)
class Visit(Item):
    """A visit by its code: one that some version of the schedule plans, or one outside the plan."""

    def as_planned(self) -> Item:
        """A plain item with the visits of the schedule as it is; it asks the database, so not while rows are copied."""
        choices = tuple(Choice(visit.code, visit.label) for visit in planned())
        own: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(Item)}
        return Item(**own | {"choices": choices})

    def clean(self, raw: Any, *, today: date | None = None) -> Any:
        if raw in self.codes:
            return super().clean(raw, today=today)
        return self.as_planned().clean(raw, today=today)


PATIENT_ID = Number(name="patient_id", label=Label("Patient ID", "患者ID"), kind="text", max_length=40)
SITE_CODE = Number(name="site_code", label=Label("Site", "施設"), kind="text", max_length=20)
HOSPITAL_NUMBER = LocalNumber(
    name="hospital_number",
    label=Label("Hospital number", "病院の患者番号"),
    kind="text",
    max_length=40,
    identifying=True,
)
INITIALS = LocalNumber(
    name="initials", label=Label("Initials", "イニシャル"), kind="text", max_length=10, identifying=True
)
LOCAL_NUMBERS = {item.name: item for item in (HOSPITAL_NUMBER, INITIALS)}
TIMEPOINT = Visit(
    name="timepoint",
    label=Label("Timepoint", "時期"),
    kind="code",
    choices=TIMEPOINT_CHOICES,
    further_codes=UNSCHEDULED_PATTERN,
)
ASSESSMENT_DATE = Item(name="assessment_date", label=Label("Date of assessment", "評価日"), kind="date")

PATIENT_KEYS = (PATIENT_ID, SITE_CODE)
ASSESSMENT_KEYS = (PATIENT_ID, TIMEPOINT, ASSESSMENT_DATE)
ADVERSE_EVENT_KEYS = (PATIENT_ID,)
FOLLOW_UP_END_KEYS = (PATIENT_ID,)
