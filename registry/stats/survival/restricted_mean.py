"""Restricted mean survival time: the area under a Kaplan-Meier curve up to a horizon, and differences of it."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.tails import normal_quantile, normal_two_sided


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time lived within the horizon, in the unit of time, with its standard error and normal interval.

    reached  whether somebody was followed to the horizon, or all had died before; else the last value of the curve is
             carried on to it
    """

    horizon: float
    mean: float
    standard_error: float
    low: float
    high: float
    n: int
    confidence: float
    reached: bool
    method: str = "restricted_mean"


@dataclass(frozen=True)
class RestrictedMeanDifference:
    """estimate is the mean of the first curve minus that of the second; P by the normal distribution."""

    horizon: float
    estimate: float
    standard_error: float
    low: float
    high: float
    p: float
    confidence: float
    method: str = "restricted_mean_difference"


def restricted_mean(curve: Any, horizon: float, confidence: float = 0.95) -> RestrictedMean:
    """Restricted mean survival time of a KaplanMeier curve.

    horizon  in the unit of time, above 0: a time that was chosen beforehand and at which people were still followed
    R: summary(survfit(Surv(time, event) ~ 1), rmean = horizon)$table[c("rmean", "se(rmean)")]
    Source: Irwin 1949; Royston and Parmar 2013, doi:10.1186/1471-2288-13-152.
    """
    if not horizon > 0:
        raise ValueError("a horizon is above zero")
    within = curve.time <= horizon
    times = np.concatenate([[0.0], curve.time[within], [horizon]])
    survival = np.concatenate([[1.0], curve.survival[within]])
    areas = np.diff(times) * survival
    later = np.cumsum(areas[::-1])[::-1][1:]  # the area beyond each time of the curve
    left = curve.at_risk[within] - curve.events[within]
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(left > 0, curve.events[within] / (curve.at_risk[within] * left.astype(float)), 0.0)
    mean, error = float(areas.sum()), sqrt(float((later**2 * hazard).sum()))
    margin = normal_quantile((1 + confidence) / 2) * error
    reached = bool(curve.time[-1] >= horizon or curve.survival[-1] == 0)
    return RestrictedMean(float(horizon), mean, error, mean - margin, mean + margin, curve.n, confidence, reached)


def restricted_mean_difference(first: Any, second: Any) -> RestrictedMeanDifference:
    """Difference of two restricted means of unrelated people, first minus second, at one horizon.

    Raises ValueError where the horizons differ; NotEstimable(`no_events`) where neither mean has an error.
    R: survRM2::rmst2, written out: (m1 - m2) / sqrt(se1^2 + se2^2)
    """
    if first.horizon != second.horizon or first.confidence != second.confidence:
        raise ValueError("restricted means are compared at one horizon and confidence")
    error = sqrt(first.standard_error**2 + second.standard_error**2)
    if error == 0:
        raise NotEstimable("no_events")
    estimate = first.mean - second.mean
    margin = normal_quantile((1 + first.confidence) / 2) * error
    p = normal_two_sided(estimate / error)
    return RestrictedMeanDifference(
        first.horizon, estimate, error, estimate - margin, estimate + margin, p, first.confidence
    )
