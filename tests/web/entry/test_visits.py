"""What is due, overdue or missed on a given day."""

import datetime as dt
from types import SimpleNamespace

import pytest

from registry.instruments.timepoints import SCHEDULE, Plans, Version, closes
from registry.services.follow_up.visits import OnDay, visits

SURGERY = dt.date(2026, 1, 1)


def patient(**changes):
    fields = {"surgery_date": SURGERY, "vital_status": None, "death_date": None}
    return SimpleNamespace(**(fields | changes))


PLANS = Plans((Version(dt.date.min, SCHEDULE),))


def states(someone, day, recorded=None):
    """Of each visit in order; what is said of many patients on one day is the same."""
    today = SURGERY + dt.timedelta(days=day)
    planned = visits(someone, SCHEDULE, recorded or {}, today)
    assert list(OnDay(PLANS, today).states(someone, recorded or {}, None).items()) == [
        (visit.code, (visit.state, visit.last if visit.state == "due" else None)) for visit in planned
    ]
    return [visit.state for visit in planned]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (-31, ["empty", "empty", "empty", "empty", "empty", "empty"]),
        (-30, ["due", "empty", "empty", "empty", "empty", "empty"]),
        (0, ["due", "empty", "empty", "empty", "empty", "empty"]),
        (1, ["overdue", "empty", "empty", "empty", "empty", "empty"]),
        (16, ["overdue", "due", "empty", "empty", "empty", "empty"]),
        (44, ["overdue", "due", "empty", "empty", "empty", "empty"]),
        (45, ["overdue", "overdue", "empty", "empty", "empty", "empty"]),
        (70, ["overdue", "missed", "due", "empty", "empty", "empty"]),
        (179, ["overdue", "missed", "missed", "due", "empty", "empty"]),
        (180, ["missed", "missed", "missed", "due", "empty", "empty"]),
        (790, ["missed"] * 5 + ["due"]),
        (791, ["missed"] * 5 + ["overdue"]),
        (970, ["missed"] * 6),
    ],
)
def test_the_schedule_by_day(day, expected):
    assert states(patient(), day) == expected


def test_before_surgery_is_dated_nothing_is_due():
    assert states(patient(surgery_date=None), 400) == ["empty"] * 6


def test_nothing_is_due_after_death():
    died = SURGERY + dt.timedelta(days=60)
    assert states(patient(vital_status="dead", death_date=died), 170) == ["overdue", "missed"] + ["dead"] * 4


def test_what_was_recorded_has_its_own_state():
    recorded = {"1m": SimpleNamespace(state="draft")}
    assert states(patient(), 45, recorded)[1] == "draft"


def test_a_visit_closes_when_the_next_one_opens_but_before_surgery_stays_open_as_the_last_one():
    assert closes(SCHEDULE) == {"preop": 180, "1m": 70, "3m": 153, "6m": 320, "12m": 670, "24m": 970}
