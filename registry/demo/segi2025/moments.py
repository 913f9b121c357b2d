"""Which unrounded means and standard deviations lie behind printed ones and their printed P-values.

A printed row fixes each mean and SD to an interval. Inside these boxes `choose` looks for the combination whose
P-values (Tukey's HSD for three pairs, or one-way ANOVA) print as the paper prints them.
"""

from dataclasses import dataclass
from itertools import product
from math import ceil, floor

import numpy as np
from scipy.special import gammaln, ndtr
from scipy.stats import f as f_distribution

from registry.demo.segi2025.published import GROUPS, PAIRS, p_interval

GRID = 5  # candidates for each mean and each SD
COMFORT = 0.01  # slack, in units of the test statistic, beyond which more is no better
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


@dataclass(frozen=True)
class Moments:
    """Targets of one group: `n` whole numbers with this sum and this sum of squares."""

    n: int
    total: int
    squares: int

    @property
    def mean(self):
        return self.total / self.n

    @property
    def sd(self):
        return ((self.squares - self.total**2 / self.n) / (self.n - 1)) ** 0.5


def range_tail(q, df):
    """P(studentized range of three groups > q) with `df` degrees of freedom; in R ptukey(q, 3, df, lower=FALSE)."""
    z = 8 * _NODES
    s = 1 + 6 / np.sqrt(2 * df) * _NODES  # the pooled SD, in units of sigma
    density = np.exp(
        np.log(2) + df / 2 * np.log(df / 2) - gammaln(df / 2) + (df - 1) * np.log(s) - df * s * s / 2
    ) * (6 / np.sqrt(2 * df))  # fmt: skip
    normal = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * 8
    inside = 3 * ((ndtr(z[None, :] + q * s[:, None]) - ndtr(z)) ** 2 * normal * _WEIGHTS).sum(axis=1)
    return 1 - float((inside * density * _WEIGHTS).sum())


def _quantile(p, df):
    """The q with this tail probability, by bisection: about 1e-9, far finer than a printed P needs."""
    low, high = 0.0, 20.0
    for _ in range(36):
        middle = (low + high) / 2
        low, high = (middle, high) if range_tail(middle, df) > p else (low, middle)
    return low


def tukey_windows(printed, df):
    """For each printed P the studentized ranges (low, high) that print so."""
    windows = []
    for text in printed:
        low, high = p_interval(text)
        windows.append((_quantile(high, df) if high < 1 else 0.0, _quantile(low, df) if low > 0 else np.inf))
    return windows


def _candidates(printed, n, unit, edge):
    """The `Moments` of `n` whole numbers of units to try for one printed mean and SD: at most GRID sums x GRID SDs."""
    width = printed.half_width
    low = ceil((printed.mean - edge * width) * n / unit)
    high = floor((printed.mean + edge * width) * n / unit)
    candidates = []
    for total in np.unique(np.linspace(low, high, min(GRID, high - low + 1)).round().astype(np.int64)).tolist():
        for sd in (printed.sd + np.linspace(-edge * width, edge * width, GRID)) / unit:
            squares = round((n - 1) * sd**2 + total**2 / n)
            squares += (squares - total) % 2  # a sum of squares is odd exactly when the sum is
            moments = Moments(n, total, squares)
            if abs(moments.sd * unit - printed.sd) < width:
                candidates.append(moments)
    return list(dict.fromkeys(candidates))


def choose(row, unit=1, edge=0.92):
    """The three `Moments` behind `row`, in multiples of `unit`, whose P-values print as the row's.

    `unit` is the step of the values: 1 mm, 5 Barthel points, 0.000001 of a health state value. Rows with one P are
    tested by ANOVA, rows with three by Tukey. `edge` is how far a candidate may go from the printed number towards
    the one that would print another way; below 1 by what the search for values needs. Returns (moments, slack):
    slack < 0 says that no combination prints every P, and then the nearest combination is returned.
    """
    n = np.array(row.known)
    candidates = [_candidates(printed, k, unit, edge) for printed, k in zip(row.groups, row.known, strict=True)]
    mean = np.array(list(product(*([m.mean for m in group] for group in candidates))))
    sd = np.array(list(product(*([m.sd for m in group] for group in candidates))))
    df = int(n.sum()) - len(n)
    within = ((n - 1) * sd**2).sum(axis=1) / df
    if len(row.p) == 1:
        low, high = p_interval(row.p[0])
        windows = [(f_distribution.isf(high, 2, df), f_distribution.isf(low, 2, df))]
        grand = mean @ n / n.sum()
        statistics = [((mean - grand[:, None]) ** 2) @ n / 2 / within]
    else:
        windows = tukey_windows(row.p, df)
        statistics = [
            np.abs(mean[:, i] - mean[:, j]) / np.sqrt(within / 2 * (1 / n[i] + 1 / n[j]))
            for i, j in ((GROUPS.index(a), GROUPS.index(b)) for a, b in PAIRS)
        ]
    slack = np.min([np.minimum(s - low, high - s) for s, (low, high) in zip(statistics, windows, strict=True)], axis=0)
    printed = np.array([[p.mean, p.sd] for p in row.groups]) / unit
    width = row.groups[0].half_width / unit
    distance = (((mean - printed[:, 0]) / width) ** 2 + ((sd - printed[:, 1]) / width) ** 2).sum(axis=1)
    # Comfortable combinations are equally good; among them the one nearest to the printed numbers.
    best = int(np.argmax(np.minimum(slack, COMFORT) - 1e-5 * distance))
    return list(product(*candidates))[best], float(slack[best])
