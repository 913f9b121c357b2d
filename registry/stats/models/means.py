"""Least-squares means and their contrasts, of any fitted model with coefficients, covariance and degrees of freedom."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from registry.stats import studentized_range
from registry.stats.adjust import adjust as adjusted
from registry.stats.arrays import NotEstimable
from registry.stats.effects.family import family_interval
from registry.stats.tails import f_upper, normal_quantile, normal_two_sided, t_quantile, t_two_sided


@dataclass(frozen=True)
class MarginalMean:
    """A mean with everything else held alike. settings: pairs of factor and level."""

    settings: tuple
    estimate: float
    standard_error: float
    df: float
    low: float
    high: float


@dataclass(frozen=True)
class Contrast:
    """Difference of two means, first minus second; P and limits adjusted within its family, each by its method."""

    first: tuple
    second: tuple
    estimate: float
    standard_error: float
    df: float
    statistic: float
    p_raw: float
    p: float
    low: float
    high: float
    adjust: str
    interval: str


@dataclass(frozen=True)
class TermTest:
    """Wald's F test of one term, given all others (R: anova(…, type = "marginal") of gls, drop1 of lm)."""

    statistic: float
    df: float
    df_residual: float
    p: float
    method: str = "wald_f"


def least_squares_means(model: Any, factors: Any, confidence: float = 0.95, at: Any = None) -> tuple:
    """The means at each combination of the factors' levels.

    model    a fitted model: design, coefficient, covariance, df_of(row)
    factors  names, the first varying slowest; at  name -> level or value, of others that are held there
    R: emmeans::emmeans(fit, ~ a * b)
    Source: Searle, Speed and Milliken 1980, doi:10.1080/00031305.1980.10483031.
    """
    means = []
    for levels in np.ndindex(*[model.design.variables[name].levels for name in factors]):
        settings = tuple(zip(factors, levels, strict=True))
        row = model.design.reference_row({**(at or {}), **dict(settings)})
        estimate, error, df = of_row(model, row)
        margin = quantile(confidence, df) * error
        means.append(MarginalMean(settings, estimate, error, df, estimate - margin, estimate + margin))
    return tuple(means)


def contrasts(model: Any, factor: Any, within: Any = None, adjust: str = "none", confidence: float = 0.95) -> tuple:
    """Differences of all pairs of a factor's levels, at each level of another factor; later level minus earlier one,
    in R's order: 1 - 0, 2 - 0, 2 - 1, …

    Raises NotEstimable: `singular`; `too_few` for Tukey's adjustment below two degrees of freedom.
    within  the name of that other factor; the family of an adjustment is the pairs at one of its levels
    adjust  `none`, `bonferroni`, `holm` or `tukey` (alike for two levels)
    R: pairs(emmeans::emmeans(fit, ~ factor | within), adjust = …, reverse = TRUE)
    """
    levels = range(model.design.variables[factor].levels)
    places = [()] if within is None else [((within, level),) for level in range(model.design.variables[within].levels)]
    return tuple(
        contrast
        for place in places
        for contrast in family(model, [(b, a) for b in levels for a in range(b)], factor, place, adjust, confidence)
    )


def family(model: Any, pairs: Any, factor: Any, place: Any, adjust: str, confidence: float) -> list:
    settings = [[((factor, level), *place) for level in pair] for pair in pairs]
    rows = [np.subtract(*(model.design.reference_row(dict(chosen)) for chosen in both)) for both in settings]
    estimates = [of_row(model, row) for row in rows]
    raw = [two_sided(estimate / error, df) for estimate, error, df in estimates]
    groups = model.design.variables[factor].levels
    p: Any = tukey_p(estimates, groups) if adjust == "tukey" and groups > 2 else adjusted(raw, plain(adjust))
    interval = family_interval(len(pairs), adjust, confidence)
    comparisons = []
    for (first, second), (estimate, error, df), p_raw, p_adjusted in zip(settings, estimates, raw, p, strict=True):
        if interval.method == "tukey" and groups > 2:
            margin = studentized_range.quantile(confidence, groups, df) / sqrt(2) * error
        else:
            margin = quantile(interval.confidence, df) * error
        comparisons.append(
            Contrast(
                first=tuple(first),
                second=tuple(second),
                estimate=estimate,
                standard_error=error,
                df=df,
                statistic=estimate / error,
                p_raw=p_raw,
                p=p_adjusted,
                low=estimate - margin,
                high=estimate + margin,
                adjust=adjust,
                interval=interval.method,
            )
        )
    return comparisons


def term_test(model: Any, term: Any) -> TermTest:
    """Wald's F test that all coefficients of a term are zero."""
    places = model.design.columns_of(term)
    if not places:
        raise ValueError(f"the model has no term {term!r}")
    coefficient, covariance = model.coefficient[places], model.covariance[np.ix_(places, places)]
    f = float(coefficient @ np.linalg.solve(covariance, coefficient)) / len(places)
    df = model.df_residual
    return TermTest(f, len(places), df, f_upper(f, len(places), df))


def of_row(model: Any, row: Any) -> tuple[float, float, Any]:
    """Estimate, standard error and degrees of freedom of a combination of coefficients."""
    variance = float(row @ model.covariance @ row)
    if variance <= 0:
        raise NotEstimable("singular")
    return float(row @ model.coefficient), sqrt(variance), model.df_of(row)


def plain(adjust: str) -> Any:
    return "none" if adjust == "tukey" else adjust


def tukey_p(estimates: Any, groups: Any) -> list[float]:
    """Raises NotEstimable(`too_few`) below two degrees of freedom, where the studentized range is not known."""
    if any(df < 2 for *_, df in estimates):
        raise NotEstimable("too_few")
    return [studentized_range.upper(abs(e / error) * sqrt(2), groups, df) for e, error, df in estimates]


def quantile(confidence: float, df: Any) -> float:
    middle = (1 + confidence) / 2
    return normal_quantile(middle) if df == inf else t_quantile(middle, df)


def two_sided(statistic: Any, df: Any) -> float:
    return normal_two_sided(statistic) if df == inf else t_two_sided(statistic, df)
