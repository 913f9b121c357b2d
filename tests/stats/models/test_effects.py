"""Effects and exact tests beside R's numbers: refusals, slow obvious versions, and published counts."""

from itertools import combinations, product
from math import inf

import numpy as np
import pytest

from registry.stats.arrays import Counts, NotEstimable
from registry.stats.effects.family import family_interval
from registry.stats.effects.proportions import (
    clopper_pearson,
    odds_ratio,
    odds_ratio_exact,
    risk_difference,
    risk_ratio,
    wilson,
)
from registry.stats.effects.shift import hodges_lehmann, pseudomedian
from registry.stats.effects.standardised import smd, smd_categories
from registry.stats.exact.ranks import (
    mann_whitney_by_size,
    mann_whitney_exact,
    mcnemar_by_size,
    wilcoxon_signed_rank_by_size,
    wilcoxon_signed_rank_exact,
)
from registry.stats.ordered.symmetry import bowker, marginal_homogeneity
from registry.stats.ordered.trend import cochran_armitage, jonckheere


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: wilson(0, 0), "empty"),
        (lambda: clopper_pearson(0, 0), "empty"),
        (lambda: risk_difference([[0, 0], [1, 2]]), "empty_group"),
        (lambda: risk_difference([[0, 4], [0, 5]], interval="wald"), "constant"),
        (lambda: risk_ratio([[0, 4], [1, 5]]), "zero_cell"),
        (lambda: odds_ratio([[4, 0], [1, 5]]), "zero_cell"),
        (lambda: odds_ratio_exact([[0, 4], [0, 5]]), "zero_margin"),
        (lambda: hodges_lehmann([], [1]), "empty_group"),
        (lambda: pseudomedian([]), "empty"),
        (lambda: pseudomedian([0, 0]), "all_differences_zero"),
        (lambda: smd([1], [2, 3]), "too_few"),
        (lambda: smd([2, 2], [2, 2]), "constant"),
        (lambda: smd_categories([0, 0], [1, 2]), "empty_group"),
        (lambda: smd_categories([3, 0, 0], [2, 0, 0]), "constant"),
        (lambda: mann_whitney_exact([3], [3, 3]), "constant"),
        (lambda: mann_whitney_exact([], [3, 3]), "empty_group"),
        (lambda: wilcoxon_signed_rank_exact([]), "empty"),
        (lambda: wilcoxon_signed_rank_exact([0]), "all_differences_zero"),
        (lambda: cochran_armitage([1, 0], [4, 0]), "one_group"),
        (lambda: cochran_armitage([4, 5], [4, 5]), "constant"),
        (lambda: jonckheere([[1, 2], []]), "one_group"),
        (lambda: jonckheere([[1], [1, 1]]), "constant"),
        (lambda: bowker([[3, 0], [0, 4]]), "no_discordant_pairs"),
        (lambda: marginal_homogeneity([[3, 0], [0, 4]]), "no_discordant_pairs"),
    ],
)
def test_what_cannot_be_estimated(call, reason):
    with pytest.raises(NotEstimable) as refused:
        call()
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(5, 3), "between 0 and n"),
        (lambda: risk_difference([[1, 2], [3, 4]], interval="exact"), "unknown interval"),
        (lambda: risk_ratio([[1, 2, 3], [3, 4, 5]]), "2 x 2"),
        (lambda: cochran_armitage([5], [3]), "do not exceed"),
        (lambda: family_interval(3, "scheffe"), "unknown method"),
    ],
)
def test_calls_that_are_wrong_say_how(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_empty_cells_leave_an_end_open_or_at_the_edge():
    assert (wilson(0, 5).low, wilson(5, 5).high, clopper_pearson(0, 5).low, clopper_pearson(5, 5).high) == (0, 1, 0, 1)
    none = odds_ratio_exact([[0, 9], [6, 3]])
    assert (none.estimate, none.low) == (0, 0)
    assert 0 < none.high < 1
    every = odds_ratio_exact([[9, 0], [3, 6]])
    assert (every.estimate, every.high) == (inf, inf)
    assert every.low > 1
    apart = risk_difference([[0, 4], [5, 0]])
    assert (apart.estimate, apart.low) == (-1, -1)
    assert -1 < apart.high < 0


def test_exact_p_by_every_arrangement():
    x, y = [1, 2, 2, 5], [2, 3, 5, 6, 6]
    ranks = {1: 1, 2: 3, 3: 5, 5: 6.5, 6: 8.5}
    every = [ranks[value] for value in x + y]
    expected = 4 * 10 / 2
    sums = [abs(sum(chosen) - expected) for chosen in combinations(every, 4)]
    observed = abs(sum(every[:4]) - expected)
    assert mann_whitney_exact(x, y).p == pytest.approx(sum(s >= observed for s in sums) / len(sums), rel=1e-12)

    differences = [-1, 2, 2, 3, 0, -4, 6]
    size = {1: 1, 2: 2.5, 3: 4, 4: 5, 6: 6}
    ranked = [size[abs(d)] for d in differences if d]
    v = sum(size[d] for d in differences if d > 0)
    signed = [sum(r for r, up in zip(ranked, signs, strict=True) if up) for signs in product((0, 1), repeat=6)]
    p = 2 * min(np.mean([s <= v for s in signed]), np.mean([s >= v for s in signed]))
    result = wilcoxon_signed_rank_exact(differences)
    assert (result.statistic, result.n) == (v, 6)
    assert result.p == pytest.approx(p, rel=1e-12)


def test_the_rule_chooses_the_exact_test_where_it_is_needed():
    few, many = np.arange(20.0), np.arange(60.0)
    assert mann_whitney_by_size(few, few + 0.5).method == "mann_whitney_exact"
    assert mann_whitney_by_size(few, many + 0.5).method == "mann_whitney"
    assert wilcoxon_signed_rank_by_size(few + 1).method == "wilcoxon_signed_rank_exact"
    assert wilcoxon_signed_rank_by_size(many + 1).method == "wilcoxon_signed_rank"
    assert mcnemar_by_size([[5, 14], [10, 5]]).method == "mcnemar_exact"
    assert mcnemar_by_size([[5, 15], [10, 5]]).method == "mcnemar"
    assert mcnemar_by_size([[5, 3, 1], [2, 5, 1], [1, 1, 1]]).method == "mcnemar"


def test_counts_and_observations_are_one_sample():
    x, y = Counts([1, 3, 4], [2, 300, 5]), Counts([2, 3], [7, 60])
    expanded = [np.repeat(sample.values, sample.counts) for sample in (x, y)]
    assert hodges_lehmann(x, y) == hodges_lehmann(*expanded)
    differences = np.subtract.outer(*expanded).ravel()
    assert hodges_lehmann(x, y).estimate == np.median(differences)


def test_the_family_says_how_its_intervals_are():
    assert family_interval(3, "holm").method == "bonferroni"
    assert family_interval(3, "holm").confidence == pytest.approx(1 - 0.05 / 3)
    assert family_interval(4, "sidak").confidence == pytest.approx(0.95**0.25)
    assert (family_interval(3, "tukey").confidence, family_interval(3, "none").confidence) == (0.95, 0.95)
    assert family_interval(0, "bonferroni").confidence == pytest.approx(0.95)


def test_symmetry_of_two_grades_is_mcnemar_and_parts_that_never_mix_are_parts():
    assert bowker([[5, 9], [3, 5]]).statistic == pytest.approx(36 / 12)
    assert marginal_homogeneity([[5, 9], [3, 5]]).statistic == pytest.approx(36 / 12)
    apart = marginal_homogeneity([[5, 9, 0, 0], [3, 5, 0, 0], [0, 0, 5, 9], [0, 0, 3, 5]])
    assert (apart.df, apart.statistic) == (2, pytest.approx(6))


def test_zheng_2021_transitions_of_the_neurological_grade():
    """AIS before (B, C, D) and six months after (B to E), as printed; the columns are the paper's row after."""
    hybrid = np.array([[3, 3, 4, 2], [0, 3, 6, 12], [0, 0, 2, 20], [0, 0, 0, 0]])
    en_bloc = np.array([[2, 5, 4, 3], [0, 2, 5, 11], [0, 0, 1, 22], [0, 0, 0, 0]])
    assert hybrid.sum(axis=0).tolist() == [3, 6, 12, 34]
    assert en_bloc.sum(axis=0).tolist() == [2, 7, 10, 36]
    # pairs <- b + c > 0: every change is upward, so the statistic is the number who changed
    assert (bowker(hybrid).statistic, bowker(hybrid).df) == (47, 6)
    assert (bowker(en_bloc).statistic, bowker(en_bloc).df) == (50, 6)
    assert marginal_homogeneity(hybrid).p < 1e-8


def test_zheng_2021_and_wang_2025_complications_and_recurrences():
    hybrid = risk_difference([[10, 45], [17, 38]])  # complications, 18 % and 31 %
    assert (round(hybrid.estimate, 3), hybrid.low < 0 < hybrid.high) == (-0.127, True)
    recurrence = risk_difference([[10, 35], [4, 37]])  # 22.2 % and 9.8 % at the last follow-up
    assert round(100 * recurrence.estimate, 1) == 12.5
    survival = [wilson(27, 45), wilson(26, 41)]  # one year, 60.00 % and 63.41 %
    assert [round(100 * share.estimate, 2) for share in survival] == [60.00, 63.41]


@pytest.mark.parametrize(
    ("estimate", "limits"),
    [  # R warns “requested conf.level not achievable” of those without an end, and tells a narrower interval
        (hodges_lehmann([3], [1, 2, 0]), (2, -inf, inf)),
        (hodges_lehmann([1.5, 2.5, 3.5], [1.1, 2.2, 3.3]), (0.3, -inf, inf)),
        (hodges_lehmann([1.5, 2.5, 3.5], [1.1, 2.2, 3.3, 4.4]), (-0.25, -2.9, 2.4)),  # wilcox.test(…, conf.int = TRUE)
        (pseudomedian([1.1, 2.2, 3.3, 4.4]), (2.75, -inf, inf)),
        (pseudomedian([1.1, 2.2, 3.3, 4.4, 5.5]), (3.3, 1.1, 5.5)),
        (pseudomedian([2, 2, 2]), (2, -inf, inf)),
    ],
)
def test_so_few_have_no_interval_of_that_confidence(estimate, limits):
    assert (estimate.estimate, estimate.low, estimate.high) == pytest.approx(limits)


def test_a_shift_is_told_at_full_precision():
    """R: wilcox.test(c(1/7, 2/7, 3/7, 4/7), c(1/3, 2/3, 4/3, 7/3), conf.int = TRUE)$conf.int"""
    interval = hodges_lehmann([1 / 7, 2 / 7, 3 / 7, 4 / 7], [1 / 3, 2 / 3, 4 / 3, 7 / 3])
    assert (interval.low, interval.high) == pytest.approx((1 / 7 - 7 / 3, 4 / 7 - 1 / 3), rel=1e-14)
