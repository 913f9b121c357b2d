"""Weights from the propensity score: inverse probability, for all or for the treated, and overlap."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.matching.balance import effective
from registry.stats.tails import normal_quantile, normal_two_sided

ESTIMANDS = ("ate", "att", "atc", "overlap")


@dataclass(frozen=True, eq=False)
class Weights:
    """weights (n,), 0 where the score is unknown; the largest, to be looked at; effective sizes by group."""

    weights: np.ndarray
    largest: float
    effective: tuple
    n: int
    missing: int
    estimand: str
    method: str = "propensity_weights"


def propensity_weights(score: Any, treated: Any, estimand: str = "ate", normalised: bool = True) -> Weights:
    """Weights of a propensity score in (0, 1).

    estimand    `ate` 1 / e and 1 / (1 - e): the effect in all; `att` 1 and e / (1 - e): in the treated; `atc`: in the
                controls; `overlap` 1 - e and e: in those who might have had either, bounded whatever the score
    normalised  to a mean of 1 in each group, so that sums are numbers of patients
    R: WeightIt::weightit, written out: ifelse(t == 1, 1 / e, 1 / (1 - e))
    Source: Li, Morgan and Zaslavsky 2018, doi:10.1080/01621459.2016.1260466.
    """
    if estimand not in ESTIMANDS:
        raise ValueError(f"unknown estimand {estimand!r}; one of {', '.join(ESTIMANDS)}")
    score, treated = np.asarray(score, float), np.asarray(treated).astype(bool)
    known = np.isfinite(score)
    e = np.where(known, score, 0.5)
    if ((e <= 0) | (e >= 1)).any():
        raise ValueError("a propensity score lies between 0 and 1")
    of_treated = {"ate": 1 / e, "att": np.ones_like(e), "atc": (1 - e) / e, "overlap": 1 - e}[estimand]
    of_controls = {"ate": 1 / (1 - e), "att": e / (1 - e), "atc": np.ones_like(e), "overlap": e}[estimand]
    weights = np.where(known, np.where(treated, of_treated, of_controls), 0.0)
    sides = [known & treated, known & ~treated]
    if normalised:
        for side in sides:
            weights[side] /= weights[side].mean() if side.any() else 1
    sizes = tuple(effective(weights[side]) for side in sides)
    return Weights(weights, float(weights.max()), sizes, int(known.sum()), int((~known).sum()), estimand)


@dataclass(frozen=True)
class WeightedDifference:
    """Weighted mean of the treated minus that of the controls; z and P by the robust error and the normal law."""

    treated: float
    control: float
    estimate: float
    standard_error: float
    low: float
    high: float
    z: float
    p: float
    n: int
    missing: int
    confidence: float
    method: str = "weighted_difference"


def weighted_difference(values: Any, treated: Any, weights: Any, confidence: float = 0.95) -> WeightedDifference:
    """Difference of weighted means with its robust (sandwich) error, the weights taken as given.

    values, treated, weights  (n,); NaN values are missing
    Raises NotEstimable: `empty_group`; `constant` where nothing varies within the groups.
    R: fit <- lm(y ~ treated, weights = w); sqrt(sandwich::vcovHC(fit, type = "HC0")[2, 2])
    Source: Robins, Hernan and Brumback 2000, doi:10.1097/00001648-200009000-00011.
    """
    values, treated = np.asarray(values, float), np.asarray(treated).astype(bool)
    known = np.isfinite(values)
    means, variance = [], 0.0
    for side in (treated, ~treated):
        y, w = values[known & side], np.asarray(weights, float)[known & side]
        if not w.sum() > 0:
            raise NotEstimable("empty_group")
        mean = float(y @ w / w.sum())
        means.append(mean)
        variance += float(((w * (y - mean)) ** 2).sum()) / float(w.sum()) ** 2
    if variance <= 0:
        raise NotEstimable("constant")
    estimate, error = means[0] - means[1], variance**0.5
    margin, z = normal_quantile((1 + confidence) / 2) * error, estimate / error
    return WeightedDifference(
        treated=means[0],
        control=means[1],
        estimate=estimate,
        standard_error=error,
        low=estimate - margin,
        high=estimate + margin,
        z=z,
        p=normal_two_sided(z),
        n=int(known.sum()),
        missing=int((~known).sum()),
        confidence=confidence,
    )
