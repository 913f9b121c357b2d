"""One-way analysis of variance and Tukey's test, from arrays, from counts or from published mean, SD and n.

A group is whatever `Moments.of` takes: an array of values, Counts, a mapping value -> count, or Moments
(`Moments.summary(n, mean, sd)` for published numbers). Missing values are left out.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

from registry.stats import studentized_range
from registry.stats.arrays import Moments, NotEstimable
from registry.stats.tails import f_upper


@dataclass(frozen=True)
class Anova:
    """F with its degrees of freedom; n over all groups."""

    statistic: float
    df_between: float
    df_within: float
    p: float
    n: int
    groups: int
    mean_square_within: float | None
    method: str = "anova"

    @property
    def df(self) -> tuple[float, float]:
        return self.df_between, self.df_within


@dataclass(frozen=True)
class TukeyPair:
    """One pair: the difference is mean(second) - mean(first), as R prints it; None where a group is empty."""

    first: int
    second: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Tukey:
    """Every pair of groups in the order (0, 1), (0, 2), …, (1, 2), …, with adjusted P and family-wise interval."""

    pairs: tuple
    df: int
    n: int
    groups: int
    mean_square_within: float
    confidence: float
    method: str = "tukey_hsd"

    def pair(self, first: Any, second: Any) -> Any:
        """The pair of these two group positions, in either order of asking."""
        wanted = tuple(sorted((first, second)))
        return next(pair for pair in self.pairs if (pair.first, pair.second) == wanted)


def anova(groups: Any) -> Anova:
    """One-way ANOVA with pooled variance.

    groups  sequence of groups. Empty ones are dropped, as R drops unused levels; groups of one count.
    Raises NotEstimable: `one_group` below two non-empty groups, `too_few` when every group has one observation,
    `constant` when no group varies within itself (R prints NaN, or an F made of rounding noise).
    R: summary(aov(y ~ g)); equal to oneway.test(y ~ g, var.equal = TRUE)
    """
    groups = occupied(groups)
    df_within, mean_square = pooled_variance(groups)
    n = sum(group.n for group in groups)
    grand = sum(group.n * group.mean for group in groups) / n
    between = sum(group.n * (group.mean - grand) ** 2 for group in groups)
    df_between = len(groups) - 1
    f = between / df_between / mean_square
    return Anova(f, df_between, df_within, f_upper(f, df_between, df_within), n, len(groups), mean_square)


def welch_anova(groups: Any) -> Anova:
    """One-way ANOVA without the assumption of equal variances.

    Empty groups are dropped. Raises NotEstimable: `one_group`; `too_few` when a group has one observation; `constant`
    when a group does not vary (R prints NaN).
    R: oneway.test(y ~ g)
    """
    groups = occupied(groups)
    if any(group.variance == 0 for group in groups):
        raise NotEstimable("constant")
    k = len(groups)
    weights = [group.n / group.variance for group in groups]
    total = sum(weights)
    grand = sum(w * group.mean for w, group in zip(weights, groups, strict=True)) / total
    spread = sum((1 - w / total) ** 2 / (g.n - 1) for w, g in zip(weights, groups, strict=True)) / (k * k - 1)
    between = sum(w * (g.mean - grand) ** 2 for w, g in zip(weights, groups, strict=True)) / (k - 1)
    f = between / (1 + 2 * (k - 2) * spread)
    df_within = 1 / (3 * spread)
    n = sum(group.n for group in groups)
    return Anova(f, k - 1, df_within, f_upper(f, k - 1, df_within), n, k, None, "welch_anova")


def tukey_hsd(groups: Any, confidence: float = 0.95) -> Tukey:
    """Tukey's honest significant difference, by Kramer's formula where the groups differ in size.

    groups  sequence of groups, at least two. A group of one is fine while the residual degrees of freedom reach 2.
            Empty groups leave the family (fewer means, as after droplevels in R) and their pairs hold None.
    Raises NotEstimable: `one_group`; `too_few` when fewer than 2 residual degrees of freedom remain (R's ptukey gives
    NaN there); `constant` when no group varies within itself (R gives NaN, or 0 for unequal means).
    R: TukeyHSD(aov(y ~ g)); P to 1e-9 absolute, limits to 1e-6 (see studentized_range.quantile).
    """
    every = [Moments.of(group) for group in groups]
    present = occupied(every)
    df, mean_square = pooled_variance(present, least_df=2)
    critical = studentized_range.quantile(confidence, len(present), df)

    def compare(first: Any, second: Any) -> TukeyPair:
        a, b = every[first], every[second]
        if a.n == 0 or b.n == 0:
            return TukeyPair(first, second)
        error = sqrt(mean_square / 2 * (1 / a.n + 1 / b.n))
        difference = b.mean - a.mean
        q = abs(difference) / error
        p = studentized_range.upper(q, len(present), df)
        return TukeyPair(first, second, difference, difference - critical * error, difference + critical * error, q, p)

    pairs = tuple(compare(i, j) for i in range(len(every)) for j in range(i + 1, len(every)))
    return Tukey(pairs, df, sum(group.n for group in present), len(present), mean_square, confidence)


def occupied(groups: Any) -> list[Moments]:
    """Moments of the groups that have observations. Raises NotEstimable(`one_group`) below two."""
    present = [group for group in map(Moments.of, groups) if group.n]
    if len(present) < 2:
        raise NotEstimable("one_group")
    return present


def pooled_variance(groups: Any, least_df: int = 1) -> tuple[int, float]:
    """Residual degrees of freedom and mean square. Raises NotEstimable: `too_few`, `constant`."""
    df = sum(group.n for group in groups) - len(groups)
    if df < least_df:
        raise NotEstimable("too_few")
    squares = sum(group.squares for group in groups)
    if squares == 0:
        raise NotEstimable("constant")
    return df, squares / df
