"""Kaplan-Meier curves of right-censored times, with medians, rates at chosen times and numbers at risk.

Times are counted per distinct value, so a million patients followed for days cost a few thousand counts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.survival.follow_up import at_risk_before, follow_up
from registry.stats.tails import normal_quantile

INTERVALS = ("log", "log_log", "plain")
HALF = 0.5 + 2e-8  # survival so near to one half is one half, as in R


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A survival curve. Arrays are (k,), one entry a distinct time of an event or of censoring, ascending.

    at_risk         people still followed just before the time
    events          events at the time; censored: people who leave then, still at risk for its events
    survival        probability of surviving beyond the time
    standard_error  of survival, by Greenwood's formula
    low, high       pointwise confidence limits
    median          first time at which survival is one half or less, or the middle of the step where it is exactly one
                    half and falls later; None while it stays above. median_low and median_high: the same of the limits.
                    R: summary(curve)$table
    Where the survival is 0 the standard error and the limits do not exist; nor do log-log limits where it is 1: NaN
    there (R: NaN, NA).
    """

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    censored: np.ndarray
    survival: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    missing: int
    median: float | None
    median_low: float | None
    median_high: float | None
    confidence: float
    interval: str
    method: str = "kaplan_meier"


@dataclass(frozen=True)
class SurvivalAt:
    """One point of a curve; the estimates are None after the last time anybody was followed."""

    time: float
    at_risk: int
    survival: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None


def kaplan_meier(time: Any, event: Any, confidence: float = 0.95, interval: str = "log") -> KaplanMeier:
    """Kaplan-Meier estimate with Greenwood's standard error.

    time      (n,) length of follow-up, >= 0, in any unit; NaN where unknown
    event     (n,) true or 1 where the event ended it, false or 0 where it was censored; NaN where unknown
    interval  scale on which the limits are symmetric: `log` (R's default), `log_log`, `plain`
    People without time or event are left out and counted in `missing`.
    Raises NotEstimable(`empty`); ValueError for negative or infinite times, events other than 0 and 1, unequal lengths.
    R: survfit(Surv(time, event) ~ 1, conf.type = "log" | "log-log" | "plain")
    Source: Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452.
    """
    if interval not in INTERVALS:
        raise ValueError(f"unknown interval {interval!r}; one of {', '.join(INTERVALS)}")
    time, event, missing = follow_up(time, event)
    if time.size == 0:
        raise NotEstimable("empty")
    t, place = np.unique(time, return_inverse=True)
    left, events = np.bincount(place, minlength=t.size), np.bincount(place[event], minlength=t.size)
    at_risk = at_risk_before(left)
    survival = np.cumprod(1 - events / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative_error = np.sqrt(np.cumsum(events / (at_risk * (at_risk - events.astype(float)))))
        error = survival * relative_error  # nan at survival 0, where the relative error is infinite
    low, high = limits(survival, relative_error, normal_quantile((1 + confidence) / 2), interval)
    return KaplanMeier(
        time=t,
        at_risk=at_risk,
        events=events,
        censored=left - events,
        survival=survival,
        standard_error=error,
        low=low,
        high=high,
        n=time.size,
        missing=missing,
        median=time_of_half(t, survival),
        median_low=time_of_half(t, low),
        median_high=time_of_half(t, high),
        confidence=confidence,
        interval=interval,
    )


def limits(survival: Any, relative_error: Any, z: float, interval: str) -> tuple[Any, Any]:
    """Pointwise confidence limits (k,), (k,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "plain":
            margin = z * relative_error * survival
            return np.maximum(0, survival - margin), np.minimum(1, survival + margin)
        if interval == "log":
            factor = np.exp(z * relative_error)
            alive = np.where(survival > 0, survival, np.nan)
            return alive / factor, np.minimum(1, alive * factor)
        inner = np.where((survival > 0) & (survival < 1), survival, np.nan)
        factor = np.exp(z * relative_error / np.log(inner))
        return inner ** (1 / factor), inner**factor


def time_of_half(time: Any, survival: Any) -> float | None:
    """Where a curve crosses one half, or None."""
    reached = np.flatnonzero(survival <= HALF)
    if reached.size == 0:
        return None
    first = reached[0]
    below = np.flatnonzero(survival < 1 - HALF)
    if survival[first] < 1 - HALF or below.size == 0:
        return float(time[first])
    return float((time[first] + time[below[0]]) / 2)


def survival_at(curve: Any, times: Any) -> tuple[SurvivalAt, ...]:
    """The curve at given times: a tuple of SurvivalAt, with the number still at risk.

    R: summary(survfit(Surv(time, event) ~ 1), times = times, extend = FALSE), which leaves out times after the last
    """
    return tuple(point(curve, float(t)) for t in times)


def point(curve: Any, t: Any) -> SurvivalAt:
    following = int(np.searchsorted(curve.time, t, side="left"))
    at_risk = int(curve.at_risk[following]) if following < curve.time.size else 0
    if t > curve.time[-1]:
        return SurvivalAt(t, 0)
    step = int(np.searchsorted(curve.time, t, side="right")) - 1
    if step < 0:
        return SurvivalAt(t, at_risk, 1.0, 0.0, 1.0, 1.0)
    columns = (curve.survival, curve.standard_error, curve.low, curve.high)
    return SurvivalAt(t, at_risk, *(None if np.isnan(column[step]) else float(column[step]) for column in columns))
