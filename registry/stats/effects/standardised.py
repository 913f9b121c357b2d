"""Standardised mean differences: how far groups are apart in units of their spread, whatever their size.

A difference of 0.1 is the usual limit of balance. Unlike a P-value it does not shrink with the number of patients.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import Moments, NotEstimable


@dataclass(frozen=True)
class Standardised:
    """difference is positive where the first group has more; of several categories it has no sign."""

    difference: float
    n: int
    method: str


def smd(x: Any, y: Any) -> Standardised:
    """Standardised difference of means: over the root of the mean of both variances.

    x, y  groups as `Moments.of` takes them: arrays, Counts, or published numbers
    Raises NotEstimable: `empty_group`; `too_few` with one observation in a group; `constant`.
    R: (mean(x) - mean(y)) / sqrt((var(x) + var(y)) / 2)
    Source: Austin 2009, doi:10.1002/sim.3697.
    """
    x, y = Moments.of(x), Moments.of(y)
    if x.n == 0 or y.n == 0:
        raise NotEstimable("empty_group")
    spread = sqrt((x.variance + y.variance) / 2)
    if spread == 0:
        raise NotEstimable("constant")
    return Standardised((x.mean - y.mean) / spread, x.n + y.n, "smd")


def smd_categories(first: Any, second: Any) -> Standardised:
    """Standardised difference of shares of categories: of one share if there are two, else Mahalanobis' distance.

    first, second  (k,) counts of the same categories; of two categories, the first is the one compared
    Categories that nobody has are left out. Raises NotEstimable: `empty_group`; `constant` where all are in one.
    R: (p - q) / sqrt((p * (1 - p) + q * (1 - q)) / 2), or sqrt(d %*% solve((S1 + S2) / 2, d)) without the first share
    Source: Yang and Dalton 2012, SAS Global Forum 335.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    n = int(first.sum() + second.sum())
    if not first.sum() or not second.sum():
        raise NotEstimable("empty_group")
    held = first + second > 0
    if held.sum() < 2:
        raise NotEstimable("constant")
    if first.size == 2:
        return Standardised(share_difference(first[0] / first.sum(), second[0] / second.sum()), n, "smd_binary")
    p, q = (group[held][1:] / group.sum() for group in (first, second))
    covariance = sum(np.diag(share) - np.outer(share, share) for share in (p, q)) / 2
    away = p - q
    if np.linalg.matrix_rank(covariance, tol=1e-12) < away.size:
        raise NotEstimable("constant")
    return Standardised(float(sqrt(away @ np.linalg.solve(covariance, away))), n, "smd_multinomial")


def share_difference(p: Any, q: float) -> float:
    spread = sqrt((p * (1 - p) + q * (1 - q)) / 2)
    if spread == 0:
        raise NotEstimable("constant")
    return float((p - q) / spread)
