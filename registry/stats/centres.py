"""Comparisons between centres: funnel limits, a proportion against a target, variances, and the rate of enrolment."""

from functools import lru_cache
from math import lgamma, log, log1p, sqrt

import numpy as np

from registry.stats.tails import f_upper


@lru_cache(maxsize=8192)
def binomial_limits(n: int, p: float, tail: float) -> tuple[int, int]:
    """Exact control limits of a count out of `n` where `p` holds: R's qbinom(c(tail, 1 - tail), n, p).

    n  >= 0; p in [0, 1]; tail in (0, 0.5): 0.025 for limits of 95 %, 0.001 for 99.8 %
    Returns (low, high): a count below `low` or above `high` is beyond the limits.
    Source: Spiegelhalter 2005, doi:10.1002/sim.1970.
    """
    if n < 0 or not 0 <= p <= 1 or not 0 < tail < 0.5:
        raise ValueError("n must be >= 0, p in [0, 1] and tail in (0, 0.5)")
    if p in (0, 1):
        return int(n * p), int(n * p)
    mean, spread = n * p, sqrt(n * p * (1 - p))
    # Beyond these lies next to nothing.
    least, most = max(0, int(mean - 10 * spread) - 1), min(n, int(mean + 10 * spread) + 20)
    start = lgamma(n + 1) - lgamma(least + 1) - lgamma(n - least + 1) + least * log(p) + (n - least) * log1p(-p)
    counts = np.arange(least + 1, most + 1)
    steps = np.log((n - counts + 1) / counts) + log(p) - log1p(-p)
    cumulative = np.cumsum(np.exp(start + np.concatenate(([0.0], np.cumsum(steps)))))
    low, high = np.searchsorted(cumulative, (tail * (1 - 1e-9), (1 - tail) * (1 - 1e-12)))
    return min(n, least + int(low)), min(n, least + int(high))


_known_factorials = np.zeros(1)


def _log_factorials(n: int) -> np.ndarray:
    """(n + 1,) logarithms of 0!, 1!, … n!: computed once a process, and replaced whole."""
    global _known_factorials
    known = _known_factorials
    if len(known) <= n:
        from scipy.special import gammaln

        _known_factorials = known = gammaln(np.arange(max(n + 1, 2 * len(known))) + 1.0)
    return known[: n + 1]


@lru_cache(maxsize=8192)
def proportion_test(k: int, n: int, p: float) -> float:
    """P of an exact binomial test, two-sided: R's binom.test(k, n, p)$p.value."""
    if not 0 <= k <= n or not 0 <= p <= 1:
        raise ValueError("k must be in 0..n and p in [0, 1]")
    if p in (0, 1):
        return float(k == n * p)
    factorials, counts = _log_factorials(n), np.arange(n + 1)
    probabilities = np.exp(factorials[n] - factorials - factorials[::-1] + counts * log(p) + counts[::-1] * log1p(-p))
    return min(1.0, float(probabilities[probabilities <= probabilities[k] * (1 + 1e-7)].sum()))


def variance_test(first: float, n_first: int, second: float, n_second: int) -> float | None:
    """P of the F test that two variances are equal, two-sided: R's var.test. None where one is 0 or of one value.

    first, second  variances of the samples; n_first, n_second: how many values they are of
    """
    if min(n_first, n_second) < 2 or not first or not second:
        return None
    above = f_upper(first / second, n_first - 1, n_second - 1)
    return 2 * min(above, 1 - above)


def poisson_interval(k: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of the mean of a count: R's poisson.test(k, conf.level = level)$conf.int."""
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = float(gammaincinv(k, tail)) if k else 0.0
    return low, float(gammaincinv(k + 1, 1 - tail))


def observed_over_expected(observed: int, expected: float, level: float = 0.95) -> tuple[float, float, float] | None:
    """(ratio, low, high) of an observed count over what was expected, by the exact Poisson interval; None for 0."""
    if expected <= 0:
        return None
    low, high = poisson_interval(observed, level)
    return observed / expected, low / expected, high / expected
