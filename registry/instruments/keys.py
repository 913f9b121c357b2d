"""The columns that say whose row it is and when: they belong to a record, not to an instrument."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.instruments import spelling
from registry.instruments.base import InvalidValue, Item, Label
from registry.instruments.timepoints import TIMEPOINT_CHOICES, UNSCHEDULED_PATTERN, is_visit, planned


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


@dataclass(frozen=True, kw_only=True)
class VisitCode(Item):
    """What names a visit: any that a version of the schedule plans, or one outside the plan."""

    def clean(self, raw, *, today=None):
        code = raw.strip() if isinstance(raw, str) else raw
        if isinstance(code, str) and is_visit(code):
            return code
        try:
            return super().clean(raw, today=today)
        except InvalidValue as error:
            planned_codes = ", ".join(visit.code for visit in planned())
            own = ", ".join(choice.code for choice in self.choices)
            reason = Label(error.reason.en.replace(own, planned_codes), error.reason.ja.replace(own, planned_codes))
            raise InvalidValue(reason) from None


TIMEPOINT = VisitCode(
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
