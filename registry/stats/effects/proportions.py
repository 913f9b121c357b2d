"""Proportions with intervals; risk differences, risk ratios and odds ratios of two groups."""

from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, contingency
from registry.stats.tails import normal_quantile


@dataclass(frozen=True)
class Estimate:
    """An estimate with its confidence limits. A limit that does not exist on its side is 0, 1, or infinite."""

    estimate: float
    low: float
    high: float
    n: int
    confidence: float
    method: str


def wilson(events: Any, n: Any, confidence: float = 0.95) -> Estimate:
    """Proportion with Wilson's score interval.

    Raises NotEstimable(`empty`).
    R: prop.test(events, n, correct = FALSE)$conf.int
    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    events, n = counted(events, n)
    low, high = wilson_limits(events, n, normal_quantile((1 + confidence) / 2))
    return Estimate(events / n, low, high, n, confidence, "wilson")


def clopper_pearson(events: Any, n: Any, confidence: float = 0.95) -> Estimate:
    """Proportion with the exact interval of Clopper and Pearson.

    Raises NotEstimable(`empty`).
    R: binom.test(events, n)$conf.int
    Source: Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.
    """
    from scipy.special import betaincinv

    events, n = counted(events, n)
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else float(betaincinv(events, n - events + 1, tail))
    high = 1.0 if events == n else float(betaincinv(events + 1, n - events, 1 - tail))
    return Estimate(events / n, low, high, n, confidence, "clopper_pearson")


def risk_difference(table: Any, confidence: float = 0.95, interval: str = "newcombe") -> Estimate:
    """Difference of two risks, first row minus second.

    table     (2, 2) counts: groups in rows, the event in the first column
    interval  `newcombe` (from Wilson's limits, right near 0 and 1 too) or `wald`
    Raises NotEstimable: `empty_group`; `constant` for Wald where neither risk varies.
    R: prop.test(table, correct = FALSE)$conf.int is `wald`; `newcombe` is its method 10, written out in the tests
    Source: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    if interval not in ("newcombe", "wald"):
        raise ValueError(f"unknown interval {interval!r}; one of newcombe, wald")
    (a, n1), (c, n2) = risks(table)
    p1, p2 = a / n1, c / n2
    z, difference = normal_quantile((1 + confidence) / 2), p1 - p2
    if interval == "wald":
        error = sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
        if error == 0:
            raise NotEstimable("constant")
        low, high = max(-1.0, difference - z * error), min(1.0, difference + z * error)
    else:
        (low1, high1), (low2, high2) = wilson_limits(a, n1, z), wilson_limits(c, n2, z)
        low = difference - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
        high = difference + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return Estimate(difference, low, high, n1 + n2, confidence, interval)


def risk_ratio(table: Any, confidence: float = 0.95) -> Estimate:
    """Ratio of two risks, first row to second, with Wald's interval of its logarithm (Katz).

    table  as for risk_difference
    Raises NotEstimable: `empty_group`; `zero_cell` where a group has no event.
    R: written out: log(rr) +- qnorm(.975) * sqrt(1 / a - 1 / n1 + 1 / c - 1 / n2); epitools::riskratio.wald
    Source: Katz et al. 1978, doi:10.2307/2530610.
    """
    (a, n1), (c, n2) = risks(table)
    if a == 0 or c == 0:
        raise NotEstimable("zero_cell")
    ratio, error = (a / n1) / (c / n2), sqrt(1 / a - 1 / n1 + 1 / c - 1 / n2)
    margin = exp(normal_quantile((1 + confidence) / 2) * error)
    return Estimate(ratio, ratio / margin, ratio * margin, n1 + n2, confidence, "wald_log")


def odds_ratio(table: Any, confidence: float = 0.95) -> Estimate:
    """Odds ratio of a 2 x 2 table with Wald's interval of its logarithm (Woolf).

    Raises NotEstimable: `empty_group`; `zero_cell`, where `odds_ratio_exact` still has a limit.
    R: exp(confint.default(glm(event ~ group, binomial)))
    Source: Woolf 1955.
    """
    (a, n1), (c, n2) = risks(table)
    cells = (a, n1 - a, c, n2 - c)
    if 0 in cells:
        raise NotEstimable("zero_cell")
    ratio = a * (n2 - c) / ((n1 - a) * c)
    margin = exp(normal_quantile((1 + confidence) / 2) * sqrt(sum(1 / cell for cell in cells)))
    return Estimate(ratio, ratio / margin, ratio * margin, n1 + n2, confidence, "wald_log")


def odds_ratio_exact(table: Any, confidence: float = 0.95) -> Estimate:
    """Conditional odds ratio of a 2 x 2 table with its exact interval, the one that belongs to Fisher's test.

    The estimate is 0 or infinite where a cell is empty; so is then the limit on that side.
    Raises NotEstimable: `empty_group`; `zero_margin` where nobody or everybody had the event.
    R: fisher.test(table)[c("estimate", "conf.int")], whose root finding stops at about four digits
    Source: Cornfield 1956; Fisher 1962.
    """
    (a, n1), (c, n2) = risks(table)
    events = a + c
    if events in (0, n1 + n2):
        raise NotEstimable("zero_margin")
    support, log_weight = hypergeometric(n1, n2, events)
    tail = (1 - confidence) / 2
    at_least, at_most = support >= a, support <= a
    lowest, highest = a == support[0], a == support[-1]

    def probability(log_psi: Any, chosen: Any) -> Any:
        weight = np.exp(log_weight + support * log_psi - np.max(log_weight + support * log_psi))
        return weight[chosen].sum() / weight.sum()

    def mean(log_psi: Any) -> Any:
        weight = np.exp(log_weight + support * log_psi - np.max(log_weight + support * log_psi))
        return (support * weight).sum() / weight.sum()

    estimate = 0.0 if lowest else inf if highest else solved(lambda t: mean(t) - a)
    low = 0.0 if lowest else solved(lambda t: probability(t, at_least) - tail)
    high = inf if highest else solved(lambda t: tail - probability(t, at_most))
    return Estimate(estimate, low, high, n1 + n2, confidence, "conditional_exact")


def counted(events: Any, n: Any) -> tuple[int, int]:
    if n == 0:
        raise NotEstimable("empty")
    if not 0 <= events <= n or events != int(events) or n != int(n):
        raise ValueError("events are a whole number between 0 and n")
    return int(events), int(n)


def risks(table: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """((events, n), (events, n)) of a 2 x 2 table. Raises NotEstimable(`empty_group`)."""
    table = contingency(table)
    if table.shape != (2, 2):
        raise ValueError("two risks are compared in a 2 x 2 table")
    sizes = table.sum(axis=1)
    if not sizes.all():
        raise NotEstimable("empty_group")
    return (int(table[0, 0]), int(sizes[0])), (int(table[1, 0]), int(sizes[1]))


def wilson_limits(events: Any, n: Any, z: float) -> tuple[float | Any, float | Any]:
    p = events / n
    centre, margin = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if events == 0 else (centre - margin) / scale
    return low, 1.0 if events == n else (centre + margin) / scale


def hypergeometric(n1: Any, n2: Any, events: Any) -> tuple[Any, Any]:
    """Possible counts of the first cell and the logarithms of their weights."""
    from scipy.special import gammaln

    support = np.arange(max(0, events - n2), min(n1, events) + 1)
    log_weight = -(gammaln(support + 1) + gammaln(n1 - support + 1))
    log_weight -= gammaln(events - support + 1) + gammaln(n2 - events + support + 1)
    return support, log_weight


def solved(increasing: Any) -> float:
    """exp of the root of an increasing function of a logarithm."""
    from scipy.optimize import brentq

    low, high = -1.0, 1.0
    while increasing(low) > 0:
        low *= 2
    while increasing(high) < 0:
        high *= 2
    return exp(brentq(increasing, low, high, xtol=1e-13, rtol=8.9e-16))
