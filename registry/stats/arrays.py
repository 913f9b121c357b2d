"""What every test takes in: samples as counts of distinct values, and the refusal when a statistic does not exist.

All scales of the registry are discrete, so a sample is kept as its distinct values and how often each occurs. A million
rows become a hundred counts, and no test below loops over rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

REASONS = {
    "empty": "there are no observations",
    "empty_group": "a group has no observations",
    "one_group": "fewer than two groups have observations",
    "too_few": "there are too few observations",
    "constant": "the values do not vary",
    "all_differences_zero": "every difference is zero",
    "zero_margin": "a row or a column of the table is empty",
    "no_discordant_pairs": "no pair changed",
    "no_events": "no event was observed",
    "zero_cell": "a cell of the table is empty, so the ratio has no interval",
    "constant_covariate": "a covariate does not vary",
    "collinear": "a covariate is determined by the others",
    "monotone_likelihood": "a hazard ratio goes to zero or infinity, as without an event in a group",
    "separation": "a covariate separates those with the outcome from those without",
    "not_converged": "the fit did not converge",
    "singular": "the covariance is singular",
    "too_few_visits": "fewer than two visits have values",
    "no_match": "nobody could be matched",
    "one_control": "tables of pairs take one control for each treated patient",
}
SMALL_RANGE = 1 << 16  # integers spanning no more than this are counted in one pass, without sorting


class NotEstimable(ValueError):
    """The data do not determine this statistic. `reason` is a key of REASONS; the message is its sentence.

    where  positions, as of covariates, that the reason is about; empty where it is about the whole
    """

    def __init__(self, reason: Any, where: Any = ()) -> None:
        super().__init__(REASONS[reason])
        self.reason, self.where = reason, tuple(int(place) for place in where)

    def __reduce__(self) -> Any:
        return NotEstimable, (self.reason, self.where)


@dataclass(frozen=True, eq=False)
class Counts:
    """A sample as distinct values and how often each occurs.

    values   (k,) numbers in any order, repeats allowed; NaN counts as missing
    counts   (k,) whole numbers >= 0, one for each value
    missing  how many observations had no value

    After construction the values are distinct, finite and ascending, and every count is positive.
    Raises ValueError for unequal lengths, infinite values and counts that are negative or broken.
    """

    values: np.ndarray
    counts: np.ndarray
    missing: int = 0

    def __post_init__(self) -> None:
        values, counts = one_dimensional(self.values), whole_numbers(self.counts)
        if values.shape != counts.shape:
            raise ValueError("values and counts must have the same length")
        if (values[1:] > values[:-1]).all() and not np.isnan(values).any() and counts.all():
            self._keep(values, counts, int(self.missing))
        else:
            self._merge(values, counts)

    def _merge(self, values: Any, counts: Any) -> None:
        absent = np.isnan(values)
        missing = int(self.missing) + int(counts[absent].sum())
        present = ~absent & (counts > 0)
        values, place = np.unique(values[present], return_inverse=True)
        merged = np.zeros(values.size, np.int64)
        np.add.at(merged, place, counts[present])
        self._keep(values, merged, missing)

    def _keep(self, values: Any, counts: Any, missing: Any) -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "missing", missing)

    @property
    def n(self) -> int:
        """How many observations have a value."""
        return int(self.counts.sum())


def tabulate(sample: Any) -> Counts:
    """Counts of a sample.

    sample  Counts (returned as they are), a mapping value -> count, or an (n,) array or list of numbers in which NaN
            and None are missing
    """
    if isinstance(sample, Counts):
        return sample
    if isinstance(sample, Mapping):
        return Counts(np.asarray(list(sample.keys())), np.asarray(list(sample.values())))
    raw = np.asarray(sample)
    tabulated = Counts.__new__(Counts)
    if raw.ndim == 1 and raw.size and raw.dtype.kind in "biu" and int(raw.max()) - int(raw.min()) < SMALL_RANGE:
        lowest = int(raw.min())
        frequency = np.bincount(raw.astype(np.int64) - lowest)
        distinct = np.flatnonzero(frequency)
        tabulated._keep((distinct + lowest).astype(float), frequency[distinct], 0)
        return tabulated
    values = one_dimensional(sample)
    present = values[~np.isnan(values)]
    distinct, counts = np.unique(present, return_counts=True)
    tabulated._keep(distinct, counts.astype(np.int64), values.size - present.size)
    return tabulated


def one_dimensional(values: Any) -> np.ndarray:
    """values as an (n,) float array; None becomes NaN. Raises ValueError for other shapes and infinite values."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1:
        raise ValueError("a sample must have one dimension")
    if np.isinf(values).any():
        raise ValueError("values must be finite")
    return values


def whole_numbers(counts: Any) -> np.ndarray:
    """counts as int64 of the same shape. Raises ValueError for negative, broken or non-finite ones."""
    given = np.asarray(counts)
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
        raise ValueError("counts must be finite numbers")
    whole = given.astype(np.int64)
    if (given.dtype.kind == "f" and (whole != given).any()) or (whole < 0).any():
        raise ValueError("counts must be whole numbers, zero or more")
    return whole


def contingency(table: Any) -> np.ndarray:
    """A table of counts as an (r, c) int64 array, r and c at least 2. Raises ValueError otherwise."""
    table = whole_numbers(table)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError("a table needs at least two rows and two columns")
    return table


def differences(before: Any, after: Any, decimals: int = 9) -> Counts:
    """Counts of after - before over complete pairs; `missing` counts the incomplete ones.

    before, after  (n,) numbers of the same length, NaN where missing
    decimals       differences are rounded to so many places, so that equal changes tie whatever binary fractions did;
                   None leaves them as computed. R: `round(after - before, 9)`
    """
    before, after = one_dimensional(before), one_dimensional(after)
    if before.shape != after.shape:
        raise ValueError("before and after must have the same length")
    return rounded(tabulate(after - before), decimals)


def rounded(sample: Any, decimals: int = 9) -> Counts:
    """Counts with values rounded to so many places, equal ones joined; None changes nothing."""
    sample = tabulate(sample)
    if decimals is None:
        return sample
    return Counts(np.round(sample.values, decimals), sample.counts, sample.missing)


def joined(samples: Any) -> Any:
    """Several Counts on one common axis: distinct values (k,), and a (groups, k) int64 matrix of counts."""
    values = np.concatenate([sample.values for sample in samples])
    order = np.argsort(values, kind="stable")  # which merges what is ascending already
    values = values[order]
    first = np.append(True, values[1:] != values[:-1])[: values.size]
    place = np.empty(values.size, np.int64)
    place[order] = np.cumsum(first) - 1
    matrix = np.zeros((len(samples), int(np.count_nonzero(first))), np.int64)
    start = 0
    for row, sample in zip(matrix, samples, strict=True):
        row[place[start : start + sample.values.size]] = sample.counts
        start += sample.values.size
    return values[first], matrix


def weighted_sum(values: Any, counts: Any) -> float:
    """Sum of values (k,) as often as counts (k,) say. Pairwise, and without waking the threads of a BLAS for it."""
    return float((values * counts).sum())


@dataclass(frozen=True)
class Moments:
    """n, mean and sum of squared deviations from it: all that t tests, ANOVA and Tukey's test ask of a group."""

    n: int
    mean: float
    squares: float

    @classmethod
    def of(cls, group: Any) -> Any:
        """Moments of a group: Moments (as they are), Counts, a mapping value -> count, or an array of values."""
        if isinstance(group, Moments):
            return group
        sample = tabulate(group)
        n = sample.n
        if n == 0:
            return cls(0, 0.0, 0.0)
        # Deviations from an actual value: constant groups have no scatter at all, and large offsets cost no digits.
        origin = sample.values[sample.values.size // 2]
        shifted = sample.values - origin
        mean = weighted_sum(shifted, sample.counts) / n
        squares = weighted_sum((shifted - mean) ** 2, sample.counts) if shifted.size > 1 else 0.0
        return cls(n, float(origin) + mean, squares)

    @classmethod
    def summary(cls, n: Any, mean: Any, sd: Any) -> Any:
        """Moments from what papers print: n, mean and standard deviation (divisor n - 1; ignored when n is 1)."""
        if n < 0 or (n > 1 and not sd >= 0):
            raise ValueError("n and sd must not be negative")
        return cls(int(n), float(mean), float(sd) ** 2 * (n - 1) if n > 1 else 0.0)

    @property
    def variance(self) -> float:
        """Sample variance. Raises NotEstimable below two observations."""
        if self.n < 2:
            raise NotEstimable("too_few")
        return self.squares / (self.n - 1)

    @property
    def sd(self) -> float:
        return sqrt(self.variance)
