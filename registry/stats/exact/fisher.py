"""Fisher's exact test for tables of any size (Fisher-Freeman-Halton), and its Monte Carlo version.

P is the probability, given the margins, of a table no more probable than the observed one; tables within a factor
1 + 1e-7 of it count as equally probable, as in R.

    2 x 2     one hypergeometric distribution
    2 x 3     a hypergeometric distribution within each value of another
    larger    `fisher_network`: two halves of the table, enumerated apart and met in the middle
    sampled   `random_tables`
"""

from dataclasses import dataclass, replace
from math import lgamma, log, log1p, sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, contingency
from registry.stats.exact import fisher_network
from registry.stats.exact.fisher_network import TooLarge
from registry.stats.exact.random_tables import log_factorial_sums, log_factorials

__all__ = ["Fisher", "TooLarge", "fisher", "fisher_exact", "fisher_monte_carlo"]

TIED = 1 + 1e-7
TIE = log1p(1e-7)
NO_DOUBLE = -746.0  # exp() of less is zero in double precision
CHUNK = 1 << 15  # probabilities computed at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Fisher:
    """method is `fisher_exact` or `fisher_monte_carlo`; what has no value for the exact test belongs to Monte Carlo.

    why  the table was sampled: "" where that was asked for, else what the exact test would not have kept
    """

    method: str
    p: float
    n: int
    standard_error: float | None = None
    resamples: int | None = None
    seed: int | None = None
    why: str = ""


def fisher(
    table: Any, seconds: float = 60.0, memory_mb: float = 500, resamples: int = 200_000, seed: int | None = 20241
) -> Fisher:
    """Fisher's exact test where it can be computed within the limits, Monte Carlo otherwise.

    Whether it can be depends on the table and on the limits alone, so a table has the same method on every machine;
    `method` tells which, `why` the reason where it was sampled.

    table  (r, c) counts. Empty rows and columns do not matter; with fewer than two of either left P is 1, as in R.
    Raises NotEstimable(`empty`) for a table without observations.
    R: fisher.test(table); fisher.test(table, simulate.p.value = TRUE, B = resamples)
    """
    try:
        return fisher_exact(table, seconds, memory_mb)
    except TooLarge as why:
        return replace(fisher_monte_carlo(table, resamples, seed), why=str(why))


def fisher_exact(table: Any, seconds: float = 60.0, memory_mb: float = 500) -> Fisher:
    """Fisher's exact test.

    seconds, memory_mb  limits on the work, as what a modest machine does in that time (`fisher_network.Budget`), and on
                        the memory of the enumeration
    Raises TooLarge, at once where the size already shows that the limits cannot be kept; NotEstimable(`empty`).
    R: fisher.test(table)
    """
    table, n = occupied(table)
    return Fisher("fisher_exact", exact_p(table, n, seconds, memory_mb), n)


def exact_p(table: Any, n: Any, seconds: float, memory_mb: float) -> float:
    if min(table.shape) < 2:
        return 1.0
    if table.shape[0] > table.shape[1]:
        table = table.T
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if log_probability(table) + log_number_of_tables(rows, columns) < NO_DOUBLE:
        return 0.0
    if table.shape[1] < 4 and len(table) == 2 and rows.min() * 64 > memory_mb * 2**20:
        raise TooLarge("the distribution would not fit into memory")
    if table.shape == (2, 2):
        return two_by_two(table, n)
    if table.shape == (2, 3):
        return two_by_three(table, n)
    return fisher_network.tail_probability(table, TIE, seconds, memory_mb)


def fisher_monte_carlo(table: Any, resamples: int = 200_000, seed: int | None = 20241) -> Fisher:
    """Fisher's test by sampling tables with the observed margins.

    resamples       tables drawn; the time does not depend on the number of observations
    seed            of numpy's PCG64 generator: the same seed gives the same P
    standard_error  of P, from the binomial distribution of the count
    P = (1 + tables no more probable than the observed) / (1 + resamples).
    Raises NotEstimable(`empty`).
    R: fisher.test(table, simulate.p.value = TRUE, B = resamples)
    """
    table, n = occupied(table)
    p = sampled_p(table, resamples, seed) if min(table.shape) > 1 else 1.0
    return Fisher("fisher_monte_carlo", p, n, sqrt(p * (1 - p) / resamples), resamples, seed)


def sampled_p(table: Any, resamples: int, seed: int | None) -> Any:
    if table.shape[0] < table.shape[1]:
        table = table.T
    limit = log_factorials(table).sum() - TIE
    margins = table.sum(axis=1), table.sum(axis=0)
    extreme = int((log_factorial_sums(np.random.default_rng(seed), *margins, resamples) >= limit).sum())
    return (1 + extreme) / (1 + resamples)


def two_by_two(table: Any, n: Any) -> float:
    """Exact P of a 2 x 2 table by its hypergeometric distribution."""
    low, p = hypergeometric(int(table[0].sum()), int(table[:, 0].sum()), n)
    return min(1.0, float(p[p <= TIED * probability_at(table[0, 0] - low, p)].sum()))


def two_by_three(table: Any, n: Any) -> float:
    """Exact P of a 2 x 3 table: its first cell is hypergeometric, and so is the second given the first.

    Where even the likeliest first cell is no more probable than the observed table, all its tables count and none is
    looked at. For the others Serfling's bound confines the second cell to a window around its mean: what is left out
    weighs less than 1e-17 of the observed table.
    """
    table = table[:, np.argsort(-table.sum(axis=0))]
    row, (c1, c2, _) = int(table[0].sum()), (int(c) for c in table.sum(axis=0))
    low1, first = hypergeometric(row, c1, n)
    low2, second = hypergeometric(row - int(table[0, 0]), c2, n - c1)
    observed = TIED * probability_at(table[0, 0] - low1, first) * probability_at(table[0, 1] - low2, second)
    if observed == 0:
        return 0.0
    p = float(first[first <= observed].sum())
    live = np.flatnonzero(first > observed)
    left = row - low1 - live  # for the second and third cell
    width = window_width(int(left.max(initial=0)), c2, n - c1, log(1e17) - log(observed))
    step = max(1, CHUNK // width)
    for start in range(0, live.size, step):
        chosen = slice(start, start + step)
        _, both = windows(left[chosen, None], c2, n - c1, width, first[live[chosen], None])
        p += float((both * (both <= observed)).sum())
    return min(1.0, p)


def probability_at(place: Any, p: Any) -> Any:
    """That of a place in a window of probabilities (k,); 0 beyond it."""
    return p[place] if 0 <= place < p.size else 0.0


def hypergeometric(successes: Any, draws: Any, n: Any) -> tuple[int, Any]:
    """The distribution of the successes drawn: a first value, and the probabilities (k,) from there on; beyond them
    they are zero in double precision."""
    low, p = windows(np.array([[successes]]), draws, n, window_width(successes, draws, n, -NO_DOUBLE))
    return int(low[0, 0]), p[0]


def window_width(successes: Any, draws: Any, n: Any, reach: Any) -> int:
    """An odd width such that a hypergeometric variable strays from it with probability below exp(-reach).

    Source: Serfling 1974, Ann Stat 2:39: P(|X - mean| >= d) <= 2 exp(-2 d^2 / (m (1 - (m - 1) / n))), where m may be
    the draws, the undrawn, or the successes. The fewest of them are at most n / 2; fewer successes need no more width.
    """
    m = min(successes, draws, n - draws)
    return 2 * int(sqrt(m * (1 - (m - 1) / n) * (reach + 1) / 2) + 2) + 1


def windows(successes: Any, draws: Any, n: Any, width: Any, mass: float = 1.0) -> tuple[Any, Any]:
    """Hypergeometric distributions around their means.

    successes  (m, 1) of n; draws, n  numbers; width  odd; mass  (m, 1) that each distribution adds up to
    Returns the first value of each window (m, 1), and probabilities (m, width), 0 outside the support.
    Log factorials of a million lose nine digits to cancellation; ratios of neighbours, multiplied from the middle
    outwards, lose none. At the end of the support a ratio is 0, and so is all that follows. The middle is the mean
    rounded down in whole numbers: it lies in the support even where that is one value.
    """
    half = width // 2
    middle = successes.astype(np.int64) * draws // n
    p = np.ones((len(successes), width))
    upwards, downwards = p[:, half:], p[:, half::-1]
    x = middle + np.arange(1.0, half + 1)
    upwards[:, 1:] = (successes - x + 1) * (draws - x + 1) / (x * (n - successes - draws + x))
    x = middle - np.arange(float(half))
    downwards[:, 1:] = x * (n - successes - draws + x) / ((successes - x + 1) * (draws - x + 1))
    for side in (upwards, downwards):
        np.cumprod(side, axis=1, out=side)
    p *= mass / p.sum(axis=1, keepdims=True)
    return middle - half, p


def occupied(table: Any) -> tuple[np.ndarray, int]:
    """The table without its empty rows and columns, and its n. Raises NotEstimable(`empty`)."""
    table = contingency(table)
    n = int(table.sum())
    if n == 0:
        raise NotEstimable("empty")
    return table[table.any(axis=1)][:, table.any(axis=0)], n


def log_probability(table: Any) -> float:
    """To the digits a refusal needs, which must not wait for SciPy to be imported."""

    def log_factorial_sum(counts: Any) -> float:
        return sum(lgamma(count + 1) for count in counts.ravel().tolist())

    margins = log_factorial_sum(table.sum(axis=0)) + log_factorial_sum(table.sum(axis=1))
    return margins - log_factorial_sum(table) - lgamma(int(table.sum()) + 1)


def log_number_of_tables(rows: Any, columns: np.ndarray) -> float:
    """An upper bound: each free cell by itself."""
    return float(np.log(np.minimum.outer(np.sort(rows)[:-1], np.sort(columns)[:-1]) + 1.0).sum())
