"""Two groups of weighted patients (inverse probability, overlap, controls used again): what is said of each, ratios of
shares and a test of several shares, with robust (sandwich, HC0) errors that take the weights as given.
"""

from math import exp, log, sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.categorical import TableTest
from registry.stats.effects.proportions import Estimate
from registry.stats.tails import chi_square_upper, normal_quantile


def weighted_moments(values: Any, weights: Any) -> tuple[float | None, float | None]:
    """Weighted mean and standard deviation of one group; (None, None) of nobody.

    values   (n,) NaN where unknown; weights (n,) >= 0
    R: cov.wt(cbind(y), w, method = "ML"): $center, sqrt($cov)
    """
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    known = ~np.isnan(values) & (weights > 0)
    y, w = values[known], weights[known]
    if not y.size:
        return None, None
    mean = float(y @ w / w.sum())
    return mean, sqrt(float(w @ (y - mean) ** 2 / w.sum()))


def weighted_shares(codes: Any, levels: int, weights: Any) -> np.ndarray:
    """(levels,) weighted shares of whole numbers 0 to levels - 1, others unknown; NaN throughout of nobody.

    R: prop.table(xtabs(w ~ y))
    """
    codes = np.asarray(codes)
    known = np.isin(codes, np.arange(levels))
    sums = np.bincount(codes[known].astype(int), np.asarray(weights, float)[known], levels)
    return sums / sums.sum() if sums.sum() > 0 else np.full(levels, np.nan)


def weighted_ratio(happened: Any, treated: Any, weights: Any, measure: str, confidence: float = 0.95) -> Estimate:
    """Ratio of two weighted risks or odds, treated over controls, with a robust interval on the log scale.

    happened  (n,) 1, 0, NaN where unknown; measure `risk_ratio` or `odds_ratio`
    Raises NotEstimable: `empty_group`; `zero_cell` where nobody or everybody of a group had it.
    R: fit <- glm(y ~ treated, quasibinomial("log" or "logit"), weights = w);
       exp(coef(fit)[2] + c(-1, 1) * qnorm(.975) * sqrt(sandwich::vcovHC(fit, type = "HC0")[2, 2]))
    Source: Zou 2004, doi:10.1093/aje/kwh090; Robins, Hernan and Brumback 2000.
    """
    if measure not in ("risk_ratio", "odds_ratio"):
        raise ValueError("the measure is risk_ratio or odds_ratio")
    happened, treated, weights = (
        np.asarray(happened, float),
        np.asarray(treated).astype(bool),
        np.asarray(weights, float),
    )
    logs, variance, n = [], 0.0, 0
    for side in (treated, ~treated):
        used = side & ~np.isnan(happened) & (weights > 0)
        y, w = happened[used], weights[used]
        if not y.size:
            raise NotEstimable("empty_group")
        share = float(y @ w / w.sum())
        if not (y == 1).any() or not (y == 0).any():
            raise NotEstimable("zero_cell")
        other = 1 if measure == "risk_ratio" else 1 - share
        logs.append(log(share / other))
        variance += float((w**2 @ (y - share) ** 2) / w.sum() ** 2) / (share * other) ** 2
        n += y.size
    middle, margin = logs[0] - logs[1], normal_quantile((1 + confidence) / 2) * sqrt(variance)
    return Estimate(exp(middle), exp(middle - margin), exp(middle + margin), n, confidence, f"weighted_{measure}")


def weighted_wald(codes: Any, levels: int, treated: Any, weights: Any) -> TableTest:
    """Robust Wald test of whether two weighted groups have the same shares of several categories.

    codes  (n,) whole numbers 0 to levels - 1, others unknown; categories that nobody has are left out
    Raises NotEstimable: `empty_group`; `constant` where all have one category; `singular`.
    R: fit <- lm(model.matrix(~ y)[, -1] ~ treated, weights = w); X <- model.matrix(fit); b <- coef(fit)[2, ];
       u <- solve(crossprod(X, w * X), t(w * X))[2, ] * resid(fit)
       pchisq(b %*% solve(crossprod(u), b), length(b), lower.tail = FALSE)
    """
    codes, treated, weights = np.asarray(codes), np.asarray(treated).astype(bool), np.asarray(weights, float)
    used = np.isin(codes, np.arange(levels)) & (weights > 0)
    held, place = np.unique(codes[used], return_inverse=True)
    sides = [treated[used], ~treated[used]]
    if not all(side.any() for side in sides):
        raise NotEstimable("empty_group")
    if held.size < 2:
        raise NotEstimable("constant")
    member = (place.reshape(-1)[:, None] == np.arange(1, held.size)).astype(float)
    away, covariance = np.zeros(held.size - 1), np.zeros((held.size - 1,) * 2)
    for side, sign in zip(sides, (1, -1), strict=True):
        x, w = member[side], weights[used][side]
        share = w @ x / w.sum()
        moved = w[:, None] * (x - share) / w.sum()
        away += sign * share
        covariance += moved.T @ moved
    if np.linalg.matrix_rank(covariance, tol=1e-12) < held.size - 1:
        raise NotEstimable("singular")
    statistic = float(away @ np.linalg.solve(covariance, away))
    df = held.size - 1
    return TableTest("weighted_wald", statistic, df, chi_square_upper(statistic, df), int(used.sum()))
