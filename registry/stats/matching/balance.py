"""Balance of covariates between treated patients and controls, as they are, matched or weighted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.models.columns import matrix

DENOMINATORS = ("pooled", "treated", "control")


@dataclass(frozen=True, eq=False)
class Balance:
    """Arrays are (p,), in the order of the covariates.

    difference       standardised: of the weighted means, over a standard deviation of the patients before weighting, so
                     that before and after are in one unit; NaN where a covariate does not vary
    variance_ratio   weighted variance of the treated over that of the controls; NaN where the controls do not vary
    effective        (treated, controls) effective sample sizes, (sum w)^2 / sum w^2
    """

    mean_treated: np.ndarray
    mean_control: np.ndarray
    difference: np.ndarray
    variance_ratio: np.ndarray
    effective: tuple
    n_treated: int
    n_control: int
    denominator: str
    method: str = "balance"


def balance(covariates: Any, treated: Any, weights: Any = None, denominator: str = "pooled") -> Balance:
    """Balance of covariates (n, p); missing values are left out, column by column.

    weights      (n,) >= 0; ones unless given. Those of matching are zero for the unmatched
    denominator  standard deviation of the differences: `pooled` (root of the mean of both variances), `treated`
                 (MatchIt's for the effect in the treated), `control`
    R: summary(MatchIt::matchit(…), standardize = TRUE)$sum.matched; cobalt::bal.tab
    Source: Austin 2009, doi:10.1002/sim.3697; Stuart 2010, doi:10.1214/09-STS313.
    """
    if denominator not in DENOMINATORS:
        raise ValueError(f"unknown denominator {denominator!r}; one of {', '.join(DENOMINATORS)}")
    treated = np.asarray(treated).astype(bool)
    columns = matrix(covariates, treated.size)
    weights = np.ones(treated.size) if weights is None else np.asarray(weights, float)
    ones = np.ones(treated.size)
    (mean1, var1), (mean0, var0) = (weighted(columns[:, side], weights[side]) for side in (treated, ~treated))
    (_, before1), (_, before0) = (weighted(columns[:, side], ones[side]) for side in (treated, ~treated))
    spread = {"pooled": (before1 + before0) / 2, "treated": before1, "control": before0}[denominator]
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(spread > 0, (mean1 - mean0) / np.sqrt(spread), np.nan)
        ratio = np.where(var0 > 0, var1 / var0, np.nan)
    sizes = tuple(effective(weights[side]) for side in (treated, ~treated))
    n_treated, n_control = (int((weights[side] > 0).sum()) for side in (treated, ~treated))
    return Balance(mean1, mean0, difference, ratio, sizes, n_treated, n_control, denominator)


def weighted(columns: np.ndarray, weights: Any) -> tuple:
    """Weighted means and unbiased weighted variances of columns (p, n), gaps left out."""
    known = ~np.isnan(columns)
    if not known.all():
        parts = [weighted(row[None, held], weights[held]) for row, held in zip(columns, known, strict=True)]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
    total = weights.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = columns @ weights / total
        squares = ((columns - mean[:, None]) ** 2) @ weights
        return mean, squares / (total - (weights**2).sum() / total)


def effective(weights: Any) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
