"""The parts of the generator that are worth testing by themselves."""

import numpy as np
import pytest

from registry.demo.repair import NotFound, Wanted, WholeNumbers, repair
from registry.demo.segi2025.lesions import multilevel, runs
from registry.demo.segi2025.moments import Moments, choose, range_tail
from registry.demo.segi2025.published import CHARACTERISTICS, SCALES, p_interval, printed_p
from registry.instruments.levels import DEFAULT_RULE


def test_range_tail_is_ptukey_of_r():
    """R: ptukey(3.3, 3, 200, lower.tail = FALSE); ptukey(0.5, 3, 180, lower.tail = FALSE)."""
    assert range_tail(3.3, 200) == pytest.approx(0.0535479830120466, abs=1e-8)
    assert range_tail(0.5, 180) == pytest.approx(0.933446723628935, abs=1e-8)


@pytest.mark.parametrize("text", ["<0.001", "0.001", "0.059", "0.10", "0.41", ">0.99"])
def test_a_p_value_inside_its_interval_prints_so_and_outside_not(text):
    low, high = p_interval(text)
    inside = np.linspace(low, high, 9)[1:-1]
    assert {printed_p(p) for p in inside} == {text}
    for outside in (low - 1e-6, high + 1e-6):
        assert not 0 <= outside <= 1 or printed_p(outside) != text


def test_choose_finds_unrounded_moments_where_there_are_some():
    moments, slack = choose(SCALES["pain_vas_mm"].preop)
    assert slack > 0
    assert [f"{m.mean:.1f} ± {m.sd:.1f}" for m in moments] == ["58.0 ± 25.8", "59.7 ± 27.1", "70.4 ± 25.9"]
    _, slack = choose(CHARACTERISTICS["followup_months"], 1 / 30.4375)
    assert slack < 0  # the printed P of 0.37 is out of reach of the printed means and SDs


def test_repair_meets_the_moments_and_leaves_the_frozen_alone():
    rng = np.random.default_rng(5)
    values = rng.integers(0, 101, 30).tolist()
    wanted = Wanted(Moments(30, 1500, 1500 * 50 + 29 * 900))
    (repaired,) = repair([values], [wanted], WholeNumbers([[0] * 30], [[100] * 30], 10), rng, frozen=(0, 1))
    assert sum(repaired) == 1500
    assert sum(value**2 for value in repaired) == wanted.moments.squares
    assert repaired[:2] == values[:2]
    assert min(repaired) >= 0
    assert max(repaired) <= 100


def test_repair_says_so_when_it_cannot(monkeypatch):
    rng = np.random.default_rng(5)
    wanted = Wanted(Moments(4, 500, 70000))  # a mean of 125 where 100 is the most
    monkeypatch.setattr("registry.demo.repair.MOVES", 200)
    with pytest.raises(NotFound):
        repair([[50] * 4], [wanted], WholeNumbers([[0] * 4], [[100] * 4], 10), rng)


def test_runs_meet_the_counts_and_stay_in_their_group():
    counts = {"C7": 3, "T1": 2}
    lesions = runs("cervical", counts, 3, ["C7"], np.random.default_rng(1))
    assert sorted(lesions) == [["C7"], ["C7", "T1"], ["C7", "T1"]]
    with pytest.raises(RuntimeError):
        runs("cervical", {"C7": 1, "T1": 2}, 2, [], np.random.default_rng(1))  # T1 alone is thoracic


def test_multilevel_disease_belongs_to_no_group():
    rng = np.random.default_rng(1)
    assert {DEFAULT_RULE.group(multilevel(rng)) for _ in range(50)} == {"multisegment"}
