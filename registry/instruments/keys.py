"""The columns that say whose row it is and when: they belong to a record, not to an instrument."""

from registry.instruments.base import Item, Label
from registry.instruments.timepoints import TIMEPOINT_CHOICES, UNSCHEDULED_PATTERN

PATIENT_ID = Item(name="patient_id", label=Label("Patient ID", "患者ID"), kind="text", max_length=40)
SITE_CODE = Item(name="site_code", label=Label("Site", "施設"), kind="text", max_length=20)
TIMEPOINT = Item(
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
