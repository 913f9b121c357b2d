import itertools
from datetime import date, timedelta

import pytest

from registry.instruments.timepoints import SCHEDULE, timepoint

SURGERY = date(2024, 1, 31)


@pytest.mark.parametrize(
    ("code", "first", "last"),
    [
        ("preop", -30, 0),
        ("1m", 16, 44),
        ("3m", 70, 112),
        ("6m", 153, 213),
        ("12m", 320, 410),
        ("24m", 670, 790),
    ],
)
def test_a_window_is_counted_in_days_from_surgery_and_includes_both_ends(code, first, last):
    visit = timepoint(code)
    assert visit.window(SURGERY) == (SURGERY + timedelta(days=first), SURGERY + timedelta(days=last))
    for day, inside in ((first - 1, False), (first, True), (last, True), (last + 1, False)):
        assert visit.is_in_window(SURGERY + timedelta(days=day), SURGERY) is inside


def test_windows_do_not_overlap():
    windows = [visit.window(SURGERY) for visit in SCHEDULE]
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(windows))


def test_an_unknown_timepoint_is_refused():
    assert timepoint("1m").label.en == "1 month"
    with pytest.raises(KeyError):
        timepoint("2m")
