"""Linear models by least squares, and ANCOVA: a follow-up value compared between groups given the baseline."""

from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.models.columns import refuse_dependent
from registry.stats.models.means import contrasts, least_squares_means, term_test
from registry.stats.models.terms import Design, Factor, Number
from registry.stats.tails import t_quantile, t_two_sided


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted model. Arrays are (p,), in the order of design.names; covariance (p, p)."""

    coefficient: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    statistic: np.ndarray
    p: np.ndarray
    covariance: np.ndarray
    residual_sd: float
    r_squared: float
    df_residual: int
    n: int
    missing: int
    confidence: float
    design: Design = field(repr=False)
    method: str = "linear"

    def df_of(self, row: Any) -> int:
        return self.df_residual


@dataclass(frozen=True, eq=False)
class Ancova:
    """means: adjusted mean of each group; contrasts: later group minus earlier one; group: F test of the groups.

    slopes  F test that the baseline's slope differs between groups: where it does, one adjusted difference tells
            little; None where the model with slopes of their own cannot be fitted
    """

    means: tuple
    contrasts: tuple
    group: object
    slopes: object
    model: Linear
    n: int
    missing: int
    method: str = "ancova"


def linear(outcome: Any, design: Any, confidence: float = 0.95) -> Linear:
    """Linear model of an outcome (n,) by ordinary least squares.

    design  made of the same n people; whoever lacks the outcome is left out too
    Raises NotEstimable: `empty`; `too_few` without residual degrees of freedom; `collinear` (R: NA coefficients) with
    the columns' positions in `where`; `constant` where nothing is left over.
    R: summary(lm(y ~ …))
    """
    outcome = np.asarray(outcome, float)
    rows = design.rows & np.isfinite(outcome)
    design = design if (rows == design.rows).all() else Design(design.variables, design.terms, rows)
    y, x = outcome[rows], design.matrix
    n, p = x.shape
    if n <= p:
        raise NotEstimable("too_few")
    centre = x[:, 1:].mean(axis=0)
    centred = x[:, 1:] - centre
    refuse_constant(centred, centre)
    scale = np.sqrt((centred**2).sum(axis=0))
    refuse_dependent((centred / scale).T)
    q, r = np.linalg.qr(np.column_stack([np.ones(n), centred / scale]))
    back = np.linalg.inv(r)
    scaled = back @ (q.T @ y)
    residual = y - q @ (q.T @ y)
    squares = float(residual @ residual)
    total = float(((y - y.mean()) ** 2).sum())
    if squares <= 1e-24 * max(total, float(y @ y)):
        raise NotEstimable("constant")
    # From standardised columns back to those given: the intercept takes off what centring added.
    move = np.diag(np.append(1.0, 1 / scale))
    move[0, 1:] = -centre / scale
    df = n - p
    coefficient, covariance = move @ scaled, squares / df * move @ (back @ back.T) @ move.T
    error = np.sqrt(np.diag(covariance))
    t = coefficient / error
    margin = t_quantile((1 + confidence) / 2, df) * error
    return Linear(
        coefficient,
        error,
        coefficient - margin,
        coefficient + margin,
        t,
        np.array([t_two_sided(value, df) for value in t]),
        covariance,
        sqrt(squares / df),
        1 - squares / total,
        df,
        n,
        int(outcome.size - n),
        confidence,
        design,
    )


def ancova(
    outcome: Any,
    group: Any,
    baseline: Any,
    groups: Any,
    covariates: Any = (),
    adjust: str = "none",
    confidence: float = 0.95,
) -> Ancova:
    """ANCOVA of a follow-up value on the baseline and the group.

    outcome, baseline  (n,) NaN where unknown
    group              (n,) whole numbers 0 to groups - 1
    covariates         further variables, Number or Factor
    adjust             of the contrasts between groups: `none`, `bonferroni`, `holm`, `tukey`
    Raises NotEstimable as linear.
    R: fit <- lm(y ~ g + b); emmeans::emmeans(fit, ~ g); pairs(…, reverse = TRUE); drop1(fit, test = "F");
       anova(fit, lm(y ~ g * b))
    Source: Vickers and Altman 2001, doi:10.1136/bmj.323.7321.1123.
    """
    variables = {"group": Factor(group, groups), "baseline": Number(baseline)}
    variables |= {f"covariate{place}": variable for place, variable in enumerate(covariates)}
    terms = [(name,) for name in variables]
    model = linear(outcome, Design(variables, terms), confidence)
    try:
        sloped = linear(outcome, Design(variables, [*terms, ("group", "baseline")]), confidence)
        slopes = term_test(sloped, ("group", "baseline"))
    except NotEstimable:
        slopes = None
    return Ancova(
        least_squares_means(model, ["group"], confidence),
        contrasts(model, "group", adjust=adjust, confidence=confidence),
        term_test(model, ("group",)),
        slopes,
        model,
        model.n,
        model.missing,
    )


def refuse_constant(centred: Any, centre: Any) -> None:
    """Raise NotEstimable(`constant_covariate`) with the positions of columns (n, p) that do not vary."""
    size = np.abs(centred).max(axis=0) if centred.size else np.zeros(0)
    constant = np.flatnonzero(size <= 1e-12 * np.maximum(1e-300, np.abs(centre)))
    if constant.size:
        raise NotEstimable("constant_covariate", constant)
