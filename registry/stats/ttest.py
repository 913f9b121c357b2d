"""Student's, Welch's and the paired t test with confidence intervals.

A group is whatever `Moments.of` takes: an array, Counts, a mapping value -> count, or `Moments.summary(n, mean, sd)`.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

from registry.stats.arrays import Moments, NotEstimable
from registry.stats.tails import t_quantile, t_two_sided

EPSILON = 2.0**-52


@dataclass(frozen=True)
class TTest:
    """estimate is the mean, or the difference mean(x) - mean(y), with its standard error and confidence interval."""

    method: str
    statistic: float
    df: float
    p: float
    n: int
    estimate: float
    standard_error: float
    low: float
    high: float
    confidence: float


def student_t(x: Any, y: Any, confidence: float = 0.95) -> TTest:
    """Two-sample t test with pooled variance.

    Raises NotEstimable: `empty_group`; `too_few` when both groups have one observation; `constant` when neither
    group varies (R: "data are essentially constant").
    R: t.test(x, y, var.equal = TRUE)
    """
    x, y = two_groups(x, y)
    df = x.n + y.n - 2
    if df < 1:
        raise NotEstimable("too_few")
    error = sqrt((x.squares + y.squares) / df * (1 / x.n + 1 / y.n))
    return tested("student_t", x, y, error, df, confidence)


def welch_t(x: Any, y: Any, confidence: float = 0.95) -> TTest:
    """Two-sample t test without the assumption of equal variances.

    Raises NotEstimable: `empty_group`; `too_few` when a group has one observation; `constant` when neither varies.
    R: t.test(x, y)
    """
    x, y = two_groups(x, y)
    a, b = x.variance / x.n, y.variance / y.n
    if a + b == 0:
        raise NotEstimable("constant")
    df = (a + b) ** 2 / (a * a / (x.n - 1) + b * b / (y.n - 1))
    return tested("welch_t", x, y, sqrt(a + b), df, confidence)


def paired_t(differences: Any, confidence: float = 0.95) -> TTest:
    """Paired t test on the differences after - before of complete pairs (`arrays.differences` makes them).

    Raises NotEstimable: `empty`; `too_few` with one pair; `constant` when all differences are equal.
    R: t.test(after, before, paired = TRUE)
    """
    d = Moments.of(differences)
    if d.n == 0:
        raise NotEstimable("empty")
    return tested("paired_t", d, Moments(0, 0.0, 0.0), d.sd / sqrt(d.n), d.n - 1, confidence)


def two_groups(x: Any, y: Any) -> tuple[Moments, Moments]:
    x, y = Moments.of(x), Moments.of(y)
    if x.n == 0 or y.n == 0:
        raise NotEstimable("empty_group")
    return x, y


def tested(method: str, x: Any, y: Any, error: Any, df: Any, confidence: float) -> TTest:
    # As R: a scatter that is all rounding of the means is no scatter.
    if error <= 10 * EPSILON * max(abs(x.mean), abs(y.mean)):
        raise NotEstimable("constant")
    estimate, n = x.mean - y.mean, x.n + y.n
    t = estimate / error
    margin = t_quantile((1 + confidence) / 2, df) * error
    p = t_two_sided(t, df)
    return TTest(method, t, df, p, n, estimate, error, estimate - margin, estimate + margin, confidence)
