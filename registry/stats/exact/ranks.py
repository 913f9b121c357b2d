"""Exact Mann-Whitney and signed-rank tests, and the rule by which a sample is small enough for an exact test."""

from typing import Any

import numpy as np

from registry.stats.arrays import rounded, tabulate, weighted_sum
from registry.stats.categorical import mcnemar, mcnemar_exact
from registry.stats.exact.distributions import rank_sums, signed_rank_sums
from registry.stats.rank import RankTest, mann_whitney, mid_ranks, ranked_together, signed_sizes, wilcoxon_signed_rank

SMALL = 50  # observations in each group: below, R's wilcox.test is exact where nothing ties, and so is ours with ties
FEW_CHANGES = 25  # pairs that changed: below, the chi-square approximation of McNemar's test is doubtful


def mann_whitney_exact(x: Any, y: Any) -> RankTest:
    """Exact Mann-Whitney test, conditional on ties: P of a rank sum as far from its mean as the observed one.

    Raises NotEstimable: `empty_group`; `constant`.
    R: exactRankTests::wilcox.exact(x, y, exact = TRUE); without ties equal to wilcox.test(x, y, exact = TRUE)
    Source: Streitberg and Röhmel 1986; Hothorn 2001.
    """
    in_x, ties = ranked_together(x, y)
    nx, n = int(in_x.sum()), int(ties.sum())
    total = 2 * weighted_sum(mid_ranks(ties), in_x)
    sums, probability = rank_sums(ties, nx)
    expected = nx * (n + 1)  # doubled: a whole number, so comparisons are exact
    p = float(probability[np.abs(sums - expected) >= abs(round(total) - expected)].sum())
    w = total / 2 - nx * (nx + 1) / 2
    return RankTest("mann_whitney_exact", w, min(1.0, p), n)


def wilcoxon_signed_rank_exact(differences: Any, decimals: int = 9) -> RankTest:
    """Exact signed-rank test, conditional on ties; zeros are left out, as by R.

    differences, decimals  as for rank.wilcoxon_signed_rank
    Raises NotEstimable: `empty`; `all_differences_zero`.
    R: exactRankTests::wilcox.exact(d, exact = TRUE); without ties or zeros equal to wilcox.test(d, exact = TRUE)
    Source: Streitberg and Röhmel 1986.
    """
    up, ties = signed_sizes(differences, decimals)
    v = weighted_sum(mid_ranks(ties), up)
    sums, probability = signed_rank_sums(ties)
    total = round(2 * v)
    p = 2 * min(float(probability[sums <= total].sum()), float(probability[sums >= total].sum()))
    return RankTest("wilcoxon_signed_rank_exact", v, min(1.0, p), int(ties.sum()))


def mann_whitney_by_size(x: Any, y: Any) -> RankTest:
    """The exact test where both groups have fewer than SMALL observations, else the approximation."""
    x, y = tabulate(x), tabulate(y)
    small = x.n < SMALL and y.n < SMALL
    return mann_whitney_exact(x, y) if small else mann_whitney(x, y)


def wilcoxon_signed_rank_by_size(differences: Any, decimals: int = 9) -> RankTest:
    """The exact test of fewer than SMALL differences other than zero, else the approximation."""
    sample = rounded(differences, decimals)
    small = int(sample.counts[sample.values != 0].sum()) < SMALL
    return (wilcoxon_signed_rank_exact if small else wilcoxon_signed_rank)(sample, decimals)


def mcnemar_by_size(table: Any) -> Any:
    """The exact test of a 2 x 2 table in which fewer than FEW_CHANGES pairs changed, else McNemar's chi-square."""
    table = np.asarray(table)
    small = table.shape == (2, 2) and table[0, 1] + table[1, 0] < FEW_CHANGES
    return mcnemar_exact(table) if small else mcnemar(table)
