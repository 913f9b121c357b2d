"""Rank tests with normal or chi-square approximation, as R computes them with ties.

Samples are arrays, Counts or mappings value -> count; missing values are left out. Ranks come from counts of distinct
values, so a million observations on a discrete scale cost as much as a hundred.
"""

from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.adjust import adjust
from registry.stats.arrays import Counts, NotEstimable, joined, rounded, tabulate, weighted_sum
from registry.stats.tails import chi_square_upper, normal_two_sided


@dataclass(frozen=True)
class RankTest:
    """statistic is V, W or H as R names them; z is None and df set for a chi-square statistic, and the reverse."""

    method: str
    statistic: float
    p: float
    n: int
    z: float | None = None
    df: int | None = None


@dataclass(frozen=True)
class DunnPair:
    """z > 0 where the second group ranks higher; None throughout where a group is empty."""

    first: int
    second: int
    z: float | None = None
    p_raw: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Dunn:
    pairs: tuple
    n: int
    groups: int
    adjust: str
    method: str = "dunn"

    def pair(self, first: Any, second: Any) -> Any:
        """The pair of these two group positions, in either order of asking."""
        wanted = tuple(sorted((first, second)))
        return next(pair for pair in self.pairs if (pair.first, pair.second) == wanted)


def signed_sizes(differences: Any, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """By size of a difference other than zero, ascending: how many are positive, and how many there are.

    Raises NotEstimable: `empty`; `all_differences_zero`.
    """
    sample = rounded(differences, decimals)
    if sample.n == 0:
        raise NotEstimable("empty")
    up, down = sample.values > 0, sample.values < 0
    positive = Counts(sample.values[up], sample.counts[up])
    negative = Counts(-sample.values[down][::-1], sample.counts[down][::-1])
    if positive.n + negative.n == 0:
        raise NotEstimable("all_differences_zero")
    _, (up, down) = joined([positive, negative])
    return up, up + down


def ranked_together(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """By value of two groups, ascending: how many are in x, and how many there are.

    Raises NotEstimable: `empty_group`; `constant`.
    """
    x, y = tabulate(x), tabulate(y)
    if x.n == 0 or y.n == 0:
        raise NotEstimable("empty_group")
    values, (in_x, in_y) = joined([x, y])
    if values.size == 1:
        raise NotEstimable("constant")
    return in_x, in_x + in_y


def wilcoxon_signed_rank(differences: Any, decimals: int = 9, correct: bool = True) -> RankTest:
    """Wilcoxon's signed-rank test, normal approximation, with continuity correction unless told otherwise.

    differences  after - before of complete pairs (`arrays.differences` makes them), rounded to `decimals` places before
                 they are ranked, so that equal changes tie; zeros are left out.
    statistic    V, the sum of the ranks of positive differences; n counts the differences other than zero
    Raises NotEstimable: `empty` without pairs; `all_differences_zero` (R prints NaN).
    R: wilcox.test(round(y - x, 9), correct = correct, exact = FALSE)
    Source: Wilcoxon 1945, doi:10.2307/3001968; Hollander and Wolfe 1973, 27-33.
    """
    up, ties = signed_sizes(differences, decimals)
    n = float(ties.sum())
    v = weighted_sum(mid_ranks(ties), up)
    variance = n * (n + 1) * (2 * n + 1) / 24 - tie_sum(ties) / 48
    z = corrected(v - n * (n + 1) / 4, correct) / sqrt(variance)
    return RankTest("wilcoxon_signed_rank", v, normal_two_sided(z), int(n), z)


def mann_whitney(x: Any, y: Any, correct: bool = True) -> RankTest:
    """Mann-Whitney test (Wilcoxon's rank sum), normal approximation, with continuity correction unless told otherwise.

    statistic  W, the number of pairs with x above y, ties counting half
    Raises NotEstimable: `empty_group`; `constant` when all values are equal (R prints NaN).
    R: wilcox.test(x, y, correct = correct, exact = FALSE)
    Source: Mann and Whitney 1947, doi:10.1214/aoms/1177730491.
    """
    in_x, ties = ranked_together(x, y)
    nx = float(in_x.sum())
    ny = float(ties.sum()) - nx
    n = nx + ny
    w = weighted_sum(mid_ranks(ties), in_x) - nx * (nx + 1) / 2
    variance = nx * ny / 12 * ((n + 1) - tie_sum(ties) / (n * (n - 1)))
    z = corrected(w - nx * ny / 2, correct) / sqrt(variance)
    return RankTest("mann_whitney", w, normal_two_sided(z), int(n), z)


def kruskal_wallis(groups: Any) -> RankTest:
    """Kruskal-Wallis test.

    Empty groups are dropped. Raises NotEstimable: `one_group`; `constant` when all values are equal (R prints NaN).
    R: kruskal.test(y, g)
    Source: Kruskal and Wallis 1952, doi:10.1080/01621459.1952.10483441.
    """
    samples = [sample for sample in map(tabulate, groups) if sample.n]
    ranks, n, tie_factor = pooled_ranks(samples)
    sums = [(rank_sum, sample.n) for rank_sum, sample in zip(ranks, samples, strict=True)]
    # Deviations from the mean rank, not R's 12 S / (n (n + 1)) - 3 (n + 1): equal, without the cancellation.
    between = sum(size * (rank_sum / size - (n + 1) / 2) ** 2 for rank_sum, size in sums)
    h = 12 * between / (n * (n + 1)) / tie_factor
    df = len(samples) - 1
    return RankTest("kruskal_wallis", h, chi_square_upper(h, df), int(n), df=df)


def dunn(groups: Any, adjust_method: str = "holm") -> Dunn:
    """Dunn's test of all pairs after Kruskal-Wallis, two-sided, with correction for ties.

    groups         sequence of samples; pairs of an empty group hold None and leave the family
    adjust_method  as in `adjust.adjust`
    Raises NotEstimable: `one_group`, `constant`.
    R: no base function; tests/stats/r/reference.R writes the formula in base R.
    Source: Dunn 1964, doi:10.1080/00401706.1964.10490181.
    """
    samples = [tabulate(group) for group in groups]
    present = [i for i, sample in enumerate(samples) if sample.n]
    rank_sums, n, tie_factor = pooled_ranks([samples[i] for i in present])
    mean_rank = {i: rank_sum / samples[i].n for i, rank_sum in zip(present, rank_sums, strict=True)}
    variance = n * (n + 1) / 12 * tie_factor

    def compare(first: Any, second: Any) -> Any:
        if first not in mean_rank or second not in mean_rank:
            return None
        error = sqrt(variance * (1 / samples[first].n + 1 / samples[second].n))
        return (mean_rank[second] - mean_rank[first]) / error

    pairs = list(combinations(range(len(samples)), 2))
    z = [compare(*pair) for pair in pairs]
    raw = [None if value is None else normal_two_sided(value) for value in z]
    p = adjust(raw, adjust_method)
    pairs_tested = tuple(DunnPair(*pair, *rest) for pair, *rest in zip(pairs, z, raw, p, strict=True))
    return Dunn(pairs_tested, int(n), len(present), adjust_method)


def pooled_ranks(samples: Any) -> tuple[Any, float, float]:
    """Rank sums of samples ranked together, their total n, and the factor by which ties shrink the ranks' variance."""
    if len(samples) < 2:
        raise NotEstimable("one_group")
    values, matrix = joined(samples)
    if values.size == 1:
        raise NotEstimable("constant")
    ties = matrix.sum(axis=0)
    n = float(ties.sum())
    return (matrix @ mid_ranks(ties)).tolist(), n, 1 - tie_sum(ties) / (n**3 - n)


def mid_ranks(ties: Any) -> Any:
    """(k,) mean rank of each distinct value, given how often each occurs in ascending order."""
    return np.cumsum(ties) - (ties - 1) / 2


def tie_sum(ties: Any) -> float:
    """Sum of t^3 - t, in floating point: t^3 of a few million overflows 64-bit integers."""
    ties = ties.astype(float)
    return float((ties**3 - ties).sum())


def corrected(distance: Any, correct: Any) -> Any:
    """A distance from the expected rank sum, half a unit nearer to it; zero stays zero."""
    if not correct:
        return distance
    return distance - (0.5 if distance > 0 else -0.5 if distance < 0 else 0.0)
