"""The visit schedule that a new registry starts with. An operator may change the days; the codes are stable."""

from dataclasses import dataclass
from datetime import date, timedelta

from .base import Choice, Label


@dataclass(frozen=True, kw_only=True)
class Timepoint:
    """A planned visit: `day` counts from the day of surgery, and the window is `before` and `after` it, in days."""

    code: str
    label: Label
    day: int
    before: int
    after: int

    def window(self, surgery_date: date) -> tuple[date, date]:
        """The first and the last day, inclusive, on which the visit is on time."""
        target = surgery_date + timedelta(days=self.day)
        return target - timedelta(days=self.before), target + timedelta(days=self.after)

    def is_in_window(self, day: date, surgery_date: date) -> bool:
        first, last = self.window(surgery_date)
        return first <= day <= last


SCHEDULE = (
    Timepoint(code="preop", label=Label("Before surgery", "術前"), day=0, before=30, after=0),
    Timepoint(code="1m", label=Label("1 month", "術後1か月"), day=30, before=14, after=14),
    Timepoint(code="3m", label=Label("3 months", "術後3か月"), day=91, before=21, after=21),
    Timepoint(code="6m", label=Label("6 months", "術後6か月"), day=183, before=30, after=30),
    Timepoint(code="12m", label=Label("12 months", "術後12か月"), day=365, before=45, after=45),
    Timepoint(code="24m", label=Label("24 months", "術後24か月"), day=730, before=60, after=60),
)

TIMEPOINT_CHOICES = tuple(Choice(timepoint.code, timepoint.label) for timepoint in SCHEDULE)


def timepoint(code: str) -> Timepoint:
    """The planned visit with this code; KeyError if there is none."""
    for candidate in SCHEDULE:
        if candidate.code == code:
            return candidate
    raise KeyError(code)
