"""QALYs by hand, responders, the transitions of Zheng 2021, and the dead as the worst outcome."""

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable
from registry.stats.quality.change import responders, transitions, worst_rank
from registry.stats.quality.qaly import YEAR, qaly

NAN = np.nan
DAYS = [0, 30, 90, 180]


@pytest.mark.parametrize(
    ("utilities", "died_on", "gaps", "area"),
    [
        ([0.4, 0.6, 0.7, 0.5], NAN, "linear", 30 * 0.5 + 60 * 0.65 + 90 * 0.6),
        ([0.4, NAN, 0.7, 0.5], NAN, "linear", 90 * 0.55 + 90 * 0.6),
        ([0.4, NAN, 0.7, 0.5], NAN, "complete", None),
        ([0.4, NAN, 0.7, 0.5], NAN, "carried", 90 * 0.4 + 90 * 0.7),
        ([0.4, 0.6, NAN, NAN], NAN, "linear", None),  # alive and unknown: nothing is made up
        ([0.4, 0.6, NAN, NAN], NAN, "carried", 30 * 0.4 + 150 * 0.6),
        ([0.4, 0.6, NAN, NAN], 60, "linear", 30 * 0.5 + 30 * 0.3),  # the curve falls to zero at death
        ([0.4, 0.6, NAN, NAN], 60, "complete", 30 * 0.5 + 30 * 0.3),
        ([0.4, 0.6, NAN, NAN], 60, "carried", 30 * 0.4 + 30 * 0.6),
        ([NAN, 0.6, 0.7, 0.5], NAN, "linear", None),
        ([0.4, 0.6, 0.7, NAN], 270, "linear", 30 * 0.5 + 60 * 0.65 + 90 * 0.525),  # dies beyond the horizon
        ([-0.1, 0.1, 0.1, 0.1], NAN, "linear", 30 * 0.0 + 150 * 0.1),
    ],
)
def test_the_area_under_the_curve_by_hand(utilities, died_on, gaps, area):
    gained = qaly(DAYS, [utilities], 180, [died_on], gaps)
    assert (gained.known, gained.unknown) == ((0, 1) if area is None else (1, 0))
    if area is not None:
        assert gained.qaly[0] == pytest.approx(area / YEAR)


def test_the_horizon_cuts_a_curve_and_days_may_be_each_patients_own():
    half = qaly(DAYS, [[0.4, 0.6, 0.7, 0.5]], 60)
    assert half.qaly[0] == pytest.approx((30 * 0.5 + 30 * 0.625) / YEAR)
    own = qaly([[0, 28], [0, 35]], [[1, 1], [1, 1]], 28)
    assert own.qaly == pytest.approx([28 / YEAR] * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: qaly(DAYS, [[1, 1, 1, 1]], 180, [20]), "after the day of death"),
        (lambda: qaly([0, 30, 30, 60], [[1, 1, 1, 1]], 60), "ascend"),
        (lambda: qaly(DAYS, [[1, 1, 1, 1]], 0), "horizon"),
        (lambda: qaly(DAYS, [[1, 1, 1, 1]], 9, gaps="spline"), "gaps is one of"),
        (lambda: responders([1, 2], 0), "above zero"),
    ],
)
def test_calls_that_are_wrong_say_how(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_who_reaches_the_threshold_exactly_responds():
    responses = responders([0.071 + 1e-12, 0.07, -0.071, 0.3, NAN], 0.071)
    assert (responses.improved, responses.same, responses.worse, responses.n, responses.missing) == (2, 1, 1, 4, 1)
    assert responders([-2, 3], 2, higher_is_better=False).improved == 1
    with pytest.raises(NotEstimable, match="no observations"):
        responders([NAN], 1)


def test_zheng_2021_table_of_transitions():
    """AIS B, C, D before against B to E at six months in the hybrid group, patient by patient."""
    printed = {(0, 0): 3, (0, 1): 3, (0, 2): 4, (0, 3): 2, (1, 1): 3, (1, 2): 6, (1, 3): 12, (2, 2): 2, (2, 3): 20}
    pairs = np.repeat(list(printed), list(printed.values()), axis=0)
    table = transitions([*pairs[:, 0], -1], [*pairs[:, 1], 2], 4)
    assert (table.n, table.missing, table.up, table.same, table.down) == (55, 1, 47, 8, 0)
    assert table.table.sum(axis=0).tolist() == [3, 6, 12, 34]
    assert table.symmetry.df == 6
    assert transitions([1, 2], [1, 2], 4).symmetry is None


def test_the_dead_stand_below_everybody_who_lives():
    ranks = worst_rank([0.5, 0.2, NAN, NAN, NAN], [0, 0, 1, 1, 0], [NAN, NAN, 40, 90, NAN])
    assert np.nanargmin(ranks) == 2
    assert ranks[2] < ranks[3] < ranks[1] < ranks[0]
    assert np.isnan(ranks[4])  # alive and unknown is not dead
    equal = worst_rank([3, NAN, NAN], [0, 1, 1], [NAN, 10, NAN], higher_is_better=False)
    assert equal[1] == equal[2] < equal[0]
