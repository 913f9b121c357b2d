"""Fisher's test against a slow obvious version, within its limits, and by sampling."""

from fractions import Fraction
from math import factorial, prod
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.stats.arrays import NotEstimable
from registry.stats.exact import random_tables
from registry.stats.exact.fisher import TooLarge, fisher, fisher_exact, fisher_monte_carlo
from registry.stats.exact.fisher_network import tail_probability


def slow_fisher(table):
    """Every table with these margins, in exact fractions."""
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    every = prod(map(factorial, rows)) * prod(map(factorial, columns))

    def probability(cells):
        return Fraction(every, factorial(sum(rows)) * prod(factorial(x) for row in cells for x in row))

    observed = probability(table) * Fraction(10**7 + 1, 10**7)
    return float(sum(p for p in map(probability, tables(rows, columns)) if p <= observed))


def tables(rows, columns):
    if len(rows) == 1:
        yield [list(columns)]
        return
    for first in fillings(rows[0], columns):
        left = [c - x for c, x in zip(columns, first, strict=True)]
        for rest in tables(rows[1:], left):
            yield [first, *rest]


def fillings(total, caps):
    if len(caps) == 1:
        if total <= caps[0]:
            yield [total]
        return
    for x in range(min(total, caps[0]) + 1):
        for rest in fillings(total - x, caps[1:]):
            yield [x, *rest]


@st.composite
def small_tables(draw):
    r, c = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    most = {4: 9, 6: 5, 8: 4}.get(r * c, 2)
    cells = draw(st.lists(st.integers(0, most), min_size=r * c, max_size=r * c).filter(any))
    return np.reshape(cells, (r, c))


@settings(max_examples=120, deadline=None)
@given(small_tables())
def test_every_table_enumerated_gives_the_same(table):
    assert fisher_exact(table).p == pytest.approx(slow_fisher(table.tolist()), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(small_tables(), st.randoms())
def test_order_of_rows_and_columns_does_not_matter(table, random):
    rows, columns = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    p = fisher_exact(table).p
    assert fisher_exact(table[rows][:, columns]).p == pytest.approx(p, rel=1e-9)
    assert fisher_exact(table.T).p == pytest.approx(p, rel=1e-9)
    assert 0 < p <= 1


@pytest.mark.parametrize(
    ("table", "p"),
    [
        # R: fisher.test(matrix(c(13, 0, 14, 0, 9, 1), 2))$p.value, and so on
        ([[13, 14, 9], [0, 0, 1]], 0.2702703),
        ([[20, 22, 51], [0, 1, 1]], 0.7030235),
        ([[17, 31, 48], [0, 1, 0]], 0.5051546),
        ([[26, 4, 19], [0, 32, 0]], 2.375468e-18),
    ],
)
def test_where_a_cell_is_all_that_the_margins_leave(table, p):
    assert fisher_exact(table).p == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("table", [[[8, 2], [1, 5]], [[5, 3, 4], [0, 8, 2]], [[40, 3, 7], [10, 22, 9]]])
def test_the_short_ways_agree_with_the_network(table):
    padded = np.array(table)
    assert fisher_exact(table).p == pytest.approx(tail_probability(padded, 1e-7, 60, 500), rel=1e-9)


@pytest.mark.parametrize(
    ("table", "r"),
    [
        ([[0, 0], [3, 4]], 1.0),  # fisher.test(matrix(c(0,3,0,4), 2))$p.value
        ([[0, 3, 5], [0, 4, 5]], 1.0),  # fisher.test(matrix(c(0,0,3,4,5,5), 2))$p.value
        (
            [[0, 4, 0], [0, 0, 0], [3, 0, 0]],
            0.02857142857142857,
        ),  # fisher.test(matrix(c(0,0,3,4,0,0,0,0,0), 3))$p.value
        ([[30, 0, 1], [0, 29, 2], [1, 3, 25]], None),
        ([[90, 1, 0, 2], [0, 80, 2, 3]], None),
    ],
)
def test_empty_margins_and_tiny_p(table, r):
    p = fisher_exact(table).p
    assert p == pytest.approx(r, rel=1e-12) if r else 0 < p < 1e-25


def test_tiny_p_keeps_its_digits():
    # fisher.test(matrix(c(30,0,1,0,29,2,1,3,25), 3), workspace = 2e7)$p.value
    assert fisher_exact([[30, 0, 1], [0, 29, 2], [1, 3, 25]]).p == pytest.approx(1.1629496498346105e-31, rel=1e-8)
    # fisher.test(matrix(c(90,0,1,80,0,2,2,3), 2), workspace = 2e7)$p.value
    assert fisher_exact([[90, 1, 0, 2], [0, 80, 2, 3]]).p == pytest.approx(1.1424971491300467e-49, rel=1e-8)
    # fisher.test(matrix(c(200, 20, 30, 180), 2))$p.value
    assert fisher_exact([[200, 30], [20, 180]]).p == pytest.approx(6.861622552649378e-64, rel=1e-9)


def test_an_empty_table_is_not_estimable():
    for test in (fisher_exact, fisher_monte_carlo, fisher):
        with pytest.raises(NotEstimable) as refused:
            test([[0, 0], [0, 0]])
        assert refused.value.reason == "empty"
        assert test([[1, 0], [0, 1]]).p == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("table", [[[1, -1], [2, 3]], [[1.5, 2], [3, 4]], [[1, 2, 3]], [1, 2], [[np.nan, 1], [1, 1]]])
def test_what_is_not_a_table_of_counts_is_refused(table):
    with pytest.raises(ValueError, match="count|rows"):
        fisher(table)


def independent(n, rows, columns, seed=1):
    share = np.outer(rows, columns)
    return np.random.default_rng(seed).multinomial(n, (share / share.sum()).ravel()).reshape(share.shape)


GROUPS = (31, 82, 90)


def test_a_hopeless_table_is_refused_at_once():
    table = independent(1_000_000, [1] * 9, GROUPS)
    start = process_time()
    with pytest.raises(TooLarge):
        fisher_exact(table)
    assert process_time() - start < 0.1


def test_limits_of_time_and_memory_hold():
    table = independent(300, [1] * 12, [1] * 3)
    start = process_time()
    with pytest.raises(TooLarge, match="time"):
        fisher_exact(table, seconds=1.0)
    assert process_time() - start < 3
    with pytest.raises(TooLarge, match="memory"):
        fisher_exact(table, memory_mb=10)
    assert fisher_exact(independent(60, [1] * 12, [1] * 3), seconds=30, memory_mb=100).method == "fisher_exact"


def test_rare_events_among_a_million_are_exact():
    """The network on a 2 x 3 table, against the short way; then more columns, against sampling."""
    table = [[3, 9, 2], [300_000, 250_000, 450_000]]
    assert tail_probability(np.array(table), 1e-7, 60, 500) == pytest.approx(fisher_exact(table).p, rel=1e-8)
    table = [[3, 9, 2, 6], [300_000, 250_000, 150_000, 300_000]]
    exact, sampled = fisher(table), fisher_monte_carlo(table, resamples=50_000)
    assert exact.method == "fisher_exact"
    assert abs(exact.p - sampled.p) < 5 * sampled.standard_error


def test_a_million_observations_in_small_tables_are_exact():
    p = fisher_exact(independent(1_000_000, (7, 3), GROUPS)).p
    sampled = fisher_monte_carlo(independent(1_000_000, (7, 3), GROUPS), resamples=50_000)
    assert abs(p - sampled.p) < 5 * sampled.standard_error
    # fisher.test(matrix(c(300500, 199500, 299500, 200500), 2))$p.value
    assert fisher_exact([[300_500, 299_500], [199_500, 200_500]]).p == pytest.approx(0.041429987414490756, rel=1e-9)


def test_a_p_below_the_smallest_double_is_zero():
    """fisher.test gives 0 for such 2 x 2 tables too."""
    assert fisher_exact([[300_000, 100_000], [100_000, 300_000]]).p == 0.0
    assert fisher_exact([[300_000, 1000, 99_000], [100_000, 300_000, 5], [1, 20_000, 7]]).p == 0.0


def test_monte_carlo_is_seeded_and_near():
    table = [[4, 8, 2, 1], [1, 9, 7, 3], [5, 2, 6, 6]]
    exact, sampled = fisher_exact(table), fisher_monte_carlo(table, seed=7)
    assert sampled == fisher_monte_carlo(table, seed=7)
    assert sampled.p != fisher_monte_carlo(table, seed=8).p
    assert abs(sampled.p - exact.p) < 4 * sampled.standard_error < 0.005
    assert (sampled.method, sampled.seed, sampled.resamples) == ("fisher_monte_carlo", 7, 200_000)
    assert sampled.p * 200_001 == pytest.approx(round(sampled.p * 200_001), abs=1e-6)  # (1 + count) / (1 + resamples)


def test_the_front_door_says_which_way_it_went():
    exact = fisher([[3, 1, 2], [1, 3, 2], [0, 4, 1]])
    assert (exact.method, exact.standard_error, exact.seed, exact.resamples) == ("fisher_exact", None, None, None)
    table = independent(1_000_000, [1] * 9, GROUPS)
    sampled = fisher(table, resamples=2000, seed=3)
    assert (sampled.method, sampled.seed, sampled.resamples) == ("fisher_monte_carlo", 3, 2000)
    assert sampled.standard_error == pytest.approx((sampled.p * (1 - sampled.p) / 2000) ** 0.5)


def test_tables_are_sampled_with_their_margins_and_probabilities():
    """Each of the tables of a small pair of margins appears as often as it should: chi-square of the counts."""
    table = [[2, 1, 1], [0, 2, 2]]
    every = list(tables([4, 4], [2, 3, 3]))
    for cells in every:
        sampled = fisher_monte_carlo(cells, resamples=40_000, seed=5)
        assert abs(sampled.p - slow_fisher(cells)) < 4.5 * sampled.standard_error + 1e-4
    assert table in every


@pytest.mark.parametrize("shift", [20, 60, 150, 300, 500, 900])
def test_tables_of_many_observations_are_sampled_with_their_probabilities(shift):
    """Drawn whole, a 2 x 2 and a 2 x 3 table have the exact test's P, from the middle far into the tail."""
    for table in (
        [[30_000 + shift, 70_000 - shift], [60_000 - shift, 140_000 + shift]],
        [[10_000 + shift, 20_000, 70_000 - shift], [20_000 - shift, 40_000, 140_000 + shift]],
    ):
        exact, sampled = fisher_exact(table), fisher_monte_carlo(table)
        assert abs(sampled.p - exact.p) < 4 * sampled.standard_error


@pytest.mark.parametrize(("rows", "columns"), [(9, 3), (5, 2), (3, 3)])
def test_tables_drawn_whole_are_those_drawn_cell_by_cell(rows, columns):
    """Kolmogorov and Smirnov's distance of two samples of 100 000, which exceeds this one time in a thousand."""
    share = np.outer(np.arange(3, 3 + rows), np.arange(2, 2 + columns))
    table = np.rint(share * random_tables.MANY / share.min() * 1.001).astype(np.int64)
    margins = table.sum(axis=1), table.sum(axis=0)
    whole = random_tables.log_factorial_sums(np.random.default_rng(1), *margins, 100_000)
    cells = random_tables._cell_by_cell(np.random.default_rng(2), *margins, 100_000)
    at = np.sort(np.concatenate([whole, cells]))
    apart = np.searchsorted(np.sort(whole), at, side="right") - np.searchsorted(np.sort(cells), at, side="right")
    assert np.abs(apart).max() / 100_000 < 1.95 * (2 / 100_000) ** 0.5


def test_a_sampled_table_says_why_and_is_sampled_again_whatever_the_machine():
    """Limits are on counted work: a little less than it takes refuses always, a little more never."""
    table = independent(60, [1] * 6, [1] * 3)
    assert fisher(table, seconds=1).method == "fisher_exact"
    sampled = [fisher(table, seconds=1e-4, resamples=1000) for _ in range(3)]
    assert {(test.method, test.why, test.p) for test in sampled} == {
        ("fisher_monte_carlo", "the table has too many states", sampled[0].p)
    }
    assert fisher_monte_carlo(table, resamples=1000).why == ""
