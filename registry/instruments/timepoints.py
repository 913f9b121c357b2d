"""The visit schedule: planned visits in versions, each in force from a day on, and visits outside the plan.

A registry starts with `SCHEDULE`. An administrator may publish another version for patients operated from a day on
(`registry.services.follow_up.schedule`); the codes are stable.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from registry.instruments.base import Choice, Label

DAYS_A_MONTH = 30.4375  # a twelfth of 365.25 days
# Days for which a visit that no other one follows up (the last), or that is on paper by then (before surgery), is
# overdue before it counts as missed.
STAYS_OPEN = 180


@dataclass(frozen=True, kw_only=True)
class Timepoint:
    """A planned visit: `day` counts from the day of surgery, and the window is `before` and `after` it, in days."""

    code: str
    label: Label
    day: int
    before: int
    after: int

    @property
    def first_day(self) -> int:
        return self.day - self.before

    @property
    def last_day(self) -> int:
        return self.day + self.after

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


_read_planned: Callable[[], tuple[Timepoint, ...]] = lambda: SCHEDULE  # noqa: E731 - replaced by `provide`


def provide(read: Callable[[], tuple[Timepoint, ...]]) -> None:
    """Have `planned` ask `read`: this room knows no database."""
    global _read_planned
    _read_planned = read


def planned() -> tuple[Timepoint, ...]:
    """Every visit that a version of the registry's schedule plans, in the order of the days."""
    return _held.get() or _read_planned()


_held: ContextVar[tuple[Timepoint, ...] | None] = ContextVar("held_schedule", default=None)


@contextmanager
def held() -> Iterator[None]:
    """`planned` stays as it is now: for a computation, whose threads ask no database."""
    token = _held.set(planned())
    try:
        yield
    finally:
        _held.reset(token)


def timepoint(code: str) -> Timepoint:
    """The planned visit with this code; KeyError if there is none. The product's own need no look at the schedule."""
    for candidate in SCHEDULE:
        if candidate.code == code:
            return candidate
    for candidate in planned():
        if candidate.code == code:
            return candidate
    raise KeyError(code)


_OWN = frozenset(visit.code for visit in SCHEDULE)


def is_visit(code: str) -> bool:
    """Whether a code names a planned visit, or one outside the plan. The product's own need no look at the schedule."""
    if code in _OWN:
        return True
    if not re.fullmatch("[a-z0-9]{1,8}", code):
        return False
    return unscheduled_number(code) is not None or code in {visit.code for visit in planned()}


def closes(plan: tuple[Timepoint, ...]) -> dict[str, int]:
    """Days after surgery on which each planned visit turns from overdue to missed, by code.

    A visit stays open until the next one opens, and at least for its own window. One whose window ends by the day of
    surgery is done before anybody knows that day for certain, and typed later: no visit of the patient's takes its
    place, and every change is counted from it, so it stays open as long as the last one does.
    """
    opens = [timepoint.first_day for timepoint in plan[1:]]
    missed = {timepoint.code: max(day, timepoint.last_day + 1) for timepoint, day in zip(plan, opens, strict=False)}
    staying = [timepoint for timepoint in plan if timepoint.last_day <= 0 or timepoint is plan[-1]]
    return missed | {timepoint.code: timepoint.last_day + STAYS_OPEN for timepoint in staying}


@dataclass(frozen=True)
class Version:
    """A plan and the day of surgery from which it holds, until the next version's day."""

    effective_from: date
    plan: tuple[Timepoint, ...]


@dataclass(frozen=True)
class Plans:
    """The versions of a registry's schedule, as they take effect; of those from the same day the last counts."""

    versions: tuple[Version, ...]

    def on(self, day: date) -> tuple[Timepoint, ...]:
        """The plan in force on a day, in the order of the visits."""
        return next(
            (version.plan for version in reversed(self.versions) if version.effective_from <= day),
            self.versions[0].plan,
        )

    def of(self, patient: Any, today: date) -> tuple[Timepoint, ...]:
        """A patient's own plan: the one in force on the day of surgery; before that is known, today's."""
        return self.on(patient.surgery_date or today)

    def spans(self) -> list[tuple[date | None, date | None, tuple[Timepoint, ...]]]:
        """(first day, day after the last, plan) of each version that is ever in force; None where there is no end."""
        periods: list[tuple[date | None, None, tuple[Timepoint, ...]]] = []
        for version in self.versions:
            if periods and periods[-1][0] == version.effective_from:
                periods.pop()
            periods.append((version.effective_from, None, version.plan))
        starts = [None, *(start for start, _, _ in periods[1:]), None]
        return [(starts[place], starts[place + 1], plan) for place, (_, _, plan) in enumerate(periods)]

    @cached_property
    def timepoints(self) -> tuple[Timepoint, ...]:
        """Every timepoint of any version, as its latest version has it, in the order of the days."""
        latest = {timepoint.code: timepoint for version in self.versions for timepoint in version.plan}
        return tuple(sorted(latest.values(), key=lambda timepoint: (timepoint.day, timepoint.code)))


# A visit outside the plan: `u1`, `u2` … in the order in which a patient had them. Any number of them.
UNSCHEDULED_PATTERN = "u[1-9][0-9]{0,2}"


def unscheduled(number: int) -> Choice:
    """The code and the label of a patient's unscheduled visit, counted from 1."""
    return Choice(f"u{number}", Label("Unscheduled {number}", "予定外{number}").format(number=number))


def unscheduled_number(code: str) -> int | None:
    """Which of a patient's unscheduled visits a code names; None for any other code."""
    return int(code[1:]) if re.fullmatch(UNSCHEDULED_PATTERN, code) else None
