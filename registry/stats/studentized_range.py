"""The studentized range: the distribution behind Tukey's test.

SciPy has it, at a quarter of a second a quantile and the price of importing `scipy.stats`. Two nested integrals over
fixed Gauss-Legendre nodes give 12 digits in milliseconds.
"""

from functools import cache
from math import sqrt
from typing import Any

import numpy as np

NODES, PANELS = 48, 4
LARGE_DF = 25_000  # from here on R takes the variance as known; so do we (the difference is below 1e-5)


def upper(q: float, groups: Any, df: Any) -> float:
    """P(Q >= q) for the studentized range of `groups` means with `df` degrees of freedom.

    R: ptukey(q, groups, df, lower.tail = FALSE), which is itself good to about 1e-10.
    Source: Copenhaver and Holland 1988, doi:10.1080/00949658808811082.
    """
    if groups < 2 or df < 2:
        raise ValueError("the studentized range needs at least two groups and two degrees of freedom")
    if q <= 0:
        return 1.0
    s, weight = scale_nodes(df)
    return float(min(1.0, weight @ range_upper(q * s, groups)))


def quantile(p: Any, groups: Any, df: Any) -> Any:
    """The q with P(Q <= q) = p. R: qtukey(p, groups, df), which stops at a step of 1e-4: good to about 1e-6."""
    if not 0 < p < 1:
        raise ValueError("p must lie between 0 and 1")
    return _quantile(p, groups, min(df, LARGE_DF + 1))


@cache
def _quantile(p: Any, groups: Any, df: Any) -> Any:
    """Regula falsi, Illinois: as few steps as Brent's method takes, without importing SciPy's optimizers for it."""
    low, high = 0.0, 8.0
    below, above = p, upper(high, groups, df) - (1 - p)
    while above > 0:
        low, high, below = high, 2 * high, above
        above = upper(high, groups, df) - (1 - p)
    end = 0  # which end the last step left where it was
    while high - low > 1e-13 * high:
        q = high - above * (high - low) / (above - below)
        if not low < q < high:
            return min(max(q, low), high)
        off = upper(q, groups, df) - (1 - p)
        if off > 0:
            low, below, above, end = q, off, above / 2 if end == 1 else above, 1
        elif off < 0:
            high, above, below, end = q, off, below / 2 if end == -1 else below, -1
        else:
            return q
    return (low + high) / 2


def range_upper(w: Any, groups: Any) -> Any:
    """P(range of `groups` standard normals >= w), for (m,) w >= 0.

    One minus the usual integral, rewritten: with a = Phi(z) and b = Phi(z) - Phi(z - w), the difference of the powers
    a^m - b^m is (a - b) times a sum of products, so nothing cancels in the tail.
    """
    from scipy.special import ndtr

    z, weight = panels(-9.0, 14.0)
    density = weight * np.exp(-z * z / 2) / sqrt(2 * np.pi)
    tail = ndtr(z[:, None] - w)
    whole = ndtr(z)[:, None]
    part = whole - tail
    power = sum(whole**i * part ** (groups - 2 - i) for i in range(groups - 1))
    return groups * (density @ (tail * power))


@cache
def scale_nodes(df: Any) -> tuple:
    """Nodes and weights for the density of s = sqrt(chi-square / df)."""
    if df > LARGE_DF:
        return np.ones(1), np.ones(1)
    spread = 13 / sqrt(2 * df)
    s, weight = panels(max(0.0, 1 - spread), 1 + spread)
    weight = weight * np.exp((df - 1) * np.log(s) - df * (s * s - 1) / 2)
    return s, weight / weight.sum()


def panels(low: Any, high: Any) -> tuple:
    """Composite Gauss-Legendre nodes and weights on an interval."""
    x, weight = legendre()
    edges = np.linspace(low, high, PANELS + 1)
    half = (edges[1:] - edges[:-1]) / 2
    middle = (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * weight).ravel()


@cache
def legendre() -> Any:
    return np.polynomial.legendre.leggauss(NODES)
