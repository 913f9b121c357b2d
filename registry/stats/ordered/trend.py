"""Tests for a trend: Cochran-Armitage of proportions, Jonckheere-Terpstra of an ordinal or continuous outcome."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, joined, tabulate, whole_numbers
from registry.stats.tails import chi_square_upper, normal_two_sided


@dataclass(frozen=True)
class Trend:
    """z is positive where the outcome rises over the groups."""

    method: str
    statistic: float
    z: float
    p: float
    n: int


def cochran_armitage(events: Any, sizes: Any, scores: Any = None) -> Trend:
    """Cochran-Armitage test for a trend of proportions over ordered groups; statistic is z squared.

    events, sizes  (g,) counts; scores (g,), 1, 2, … unless given. Empty groups are left out.
    Raises NotEstimable: `one_group`; `constant` where nobody or everybody had the event.
    R: prop.trend.test(events, sizes, scores)
    Source: Armitage 1955, doi:10.2307/3001775.
    """
    events, sizes = whole_numbers(events), whole_numbers(sizes)
    scores = np.arange(1, sizes.size + 1, dtype=float) if scores is None else np.asarray(scores, float)
    if not events.shape == sizes.shape == scores.shape or (events > sizes).any():
        raise ValueError("events, sizes and scores have one number a group, and events do not exceed sizes")
    held = sizes > 0
    events, sizes, scores = events[held], sizes[held], scores[held]
    if np.unique(scores).size < 2:
        raise NotEstimable("one_group")
    n, share = int(sizes.sum()), events.sum() / sizes.sum()
    if share in (0, 1):
        raise NotEstimable("constant")
    away = scores - (scores * sizes).sum() / n
    z = float((away * events).sum() / sqrt(share * (1 - share) * (away**2 * sizes).sum()))
    return Trend("cochran_armitage", z * z, z, chi_square_upper(z * z, 1), n)


def jonckheere(groups: Any) -> Trend:
    """Jonckheere-Terpstra test for ordered alternatives, by the normal distribution, with correction for ties.

    groups     sequence of samples in their order. Empty ones are left out.
    statistic  J, the number of pairs that rise from an earlier group to a later one, ties counting half
    Raises NotEstimable: `one_group`; `constant`.
    R: cor.test(y, as.numeric(g), method = "kendall", exact = FALSE)$p.value, the same test; clinfun::jonckheere.test
    Source: Jonckheere 1954, doi:10.1093/biomet/41.1-2.133; Hollander and Wolfe 1999, 6.2.
    """
    samples = [sample for sample in map(tabulate, groups) if sample.n]
    if len(samples) < 2:
        raise NotEstimable("one_group")
    values, matrix = joined(samples)
    if values.size == 1:
        raise NotEstimable("constant")
    matrix = matrix.astype(float)
    earlier = np.cumsum(matrix, axis=0) - matrix
    below = np.cumsum(earlier, axis=1) - earlier / 2  # of earlier groups: those below, and half of those equal
    j = float((below * matrix).sum())
    sizes, ties = matrix.sum(axis=1), matrix.sum(axis=0)
    n = float(sizes.sum())
    expected = (n * n - (sizes**2).sum()) / 4
    variance = (falling(n) - falling(sizes).sum() - falling(ties).sum()) / 72
    variance += triple(sizes) * triple(ties) / (36 * n * (n - 1) * (n - 2)) if n > 2 else 0.0
    variance += double(sizes) * double(ties) / (8 * n * (n - 1))
    z = (j - expected) / sqrt(variance)
    return Trend("jonckheere", j, z, normal_two_sided(z), int(n))


def falling(count: Any) -> Any:
    return count * (count - 1) * (2 * count + 5)


def triple(counts: Any) -> float:
    return float((counts * (counts - 1) * (counts - 2)).sum())


def double(counts: Any) -> float:
    return float((counts * (counts - 1)).sum())
