"""Hodges and Lehmann's estimates: the shift between two groups, the centre of paired differences, with intervals.

All pairs of distinct values are weighed by how often they occur, so a million patients on a scale of a hundred steps
cost ten thousand pairs.
"""

from math import inf, sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, rounded, tabulate
from registry.stats.effects.proportions import Estimate
from registry.stats.exact.distributions import rank_sums, signed_rank_sums
from registry.stats.rank import tie_sum
from registry.stats.tails import normal_quantile

SMALL = 50  # observations in each group: below, and without ties, the interval is exact, as in R


def hodges_lehmann(x: Any, y: Any, confidence: float = 0.95) -> Estimate:
    """Median of all differences x - y, with the interval that belongs to the Mann-Whitney test.

    low, high  infinite where so few observations give no interval of that confidence, where R warns that it is not
               achievable and tells a narrower one: of 1 and 3 observations there is none above 50 %
    method  `hodges_lehmann_exact` where both groups have fewer than SMALL observations and nothing ties, else
            `hodges_lehmann` by the normal approximation with continuity correction
    Raises NotEstimable: `empty_group`.
    R: wilcox.test(x, y, conf.int = TRUE)$conf.int, with tol.root = 1e-13 where it is not exact; the estimate is
       median(outer(x, y, "-")), to which R's root finding comes near
    Source: Hodges and Lehmann 1963; Bauer 1972, doi:10.1080/01621459.1972.10481279.
    """
    x, y = tabulate(x), tabulate(y)
    if x.n == 0 or y.n == 0:
        raise NotEstimable("empty_group")
    values, weight = pairs_of(np.subtract.outer(x.values, y.values), np.multiply.outer(x.counts, y.counts))
    counts = np.concatenate([x.counts, y.counts])
    apart = np.intersect1d(x.values, y.values).size == 0
    if max(x.n, y.n) < SMALL and apart and (counts == 1).all():
        sums, probability = rank_sums(np.ones(x.n + y.n, np.int64), x.n)
        low, high = exact_limits(values, weight, sums // 2 - x.n * (x.n + 1) // 2, probability, confidence)
        method = "hodges_lehmann_exact"
    else:
        nx, ny = float(x.n), float(y.n)
        n = nx + ny
        variance = nx * ny / 12 * ((n + 1) - tie_sum(counts) / (n * (n - 1)))
        low, high = normal_limits(values, weight, variance, confidence)
        method = "hodges_lehmann"
    return Estimate(weighted_median(values, weight), low, high, x.n + y.n, confidence, method)


def pseudomedian(differences: Any, confidence: float = 0.95, decimals: int = 9) -> Estimate:
    """Median of all means of two differences, with the interval that belongs to the signed-rank test.

    differences, decimals  as for rank.wilcoxon_signed_rank; zeros are left out, as by R
    low, high              infinite where no interval has that confidence, as for hodges_lehmann
    method                 `pseudomedian_exact` below SMALL differences without ties or zeros, else `pseudomedian`
    Raises NotEstimable: `empty`; `all_differences_zero`.
    R: wilcox.test(d, conf.int = TRUE)$conf.int; the estimate is the median of the Walsh averages
    Source: Hodges and Lehmann 1963.
    """
    every = rounded(differences, decimals)
    if every.n == 0:
        raise NotEstimable("empty")
    changed = every.values != 0
    v, c = every.values[changed], every.counts[changed]
    if v.size == 0:
        raise NotEstimable("all_differences_zero")
    first, second = np.triu_indices(v.size)
    often = np.where(first == second, c[first] * (c[first] + 1) // 2, c[first] * c[second])
    values, weight = pairs_of((v[first] + v[second]) / 2, often)
    n = int(c.sum())
    untied = np.unique(np.abs(v)).size == v.size and (c == 1).all()
    if n < SMALL and untied and changed.all():
        sums, probability = signed_rank_sums(np.ones(n, np.int64))
        low, high = exact_limits(values, weight, sums // 2, probability, confidence)
        method = "pseudomedian_exact"
    else:
        low, high = normal_limits(values, weight, n * (n + 1) * (2 * n + 1) / 24 - tie_sum(c) / 48, confidence)
        method = "pseudomedian"
    return Estimate(weighted_median(values, weight), low, high, n, confidence, method)


def pairs_of(values: Any, weight: Any) -> Any:
    """Values ascending and distinct (to nine places), one of each at full precision, and how often each occurs."""
    _, first, place = np.unique(np.round(values, 9).ravel() + 0.0, return_index=True, return_inverse=True)
    return values.ravel()[first] + 0.0, np.bincount(place.ravel(), weight.ravel())


def weighted_median(values: Any, weight: Any) -> float:
    reached = np.cumsum(weight)
    total = reached[-1]
    lower, upper = np.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
    return float((values[lower] + values[upper]) / 2)


def exact_limits(values: Any, weight: Any, statistics: Any, probability: Any, confidence: float) -> tuple[float, float]:
    """The k-th pair from either end, k the quantile of the test's statistic; none where even the first leaves out half
    as much again as the confidence lets (R's rule)."""
    tail = (1 - confidence) / 2
    reached = np.cumsum(probability)
    if reached[0] > 1.5 * tail:
        return -inf, inf
    k = max(1, int(statistics[np.searchsorted(reached, tail * (1 - 64 * np.finfo(float).eps))]))  # as R's quantile
    every = np.repeat(values, weight.astype(np.int64))
    return float(every[k - 1]), float(every[every.size - k])


def normal_limits(values: Any, weight: Any, variance: Any, confidence: float) -> tuple[float, float]:
    """Where the standardised statistic, as the pairs above a shift count it, passes the normal quantiles."""
    total = weight.sum()
    above = total - np.cumsum(weight)  # pairs above each value
    away = above - total / 2
    quantile = normal_quantile((1 + confidence) / 2)
    if not variance > 0 or (total - 1) / 2 / sqrt(variance) < quantile:
        return -inf, inf
    z = (away - 0.5 * np.sign(away)) / sqrt(variance)

    def passed(limit: Any) -> float:
        below = np.flatnonzero(z < limit)
        return float(values[below[0]] if below.size else values[-1])

    return passed(quantile), passed(-quantile)
