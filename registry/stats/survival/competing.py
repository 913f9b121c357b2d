"""Competing risks: cumulative incidence by Aalen and Johansen, and Gray's test between groups.

Where death keeps a patient from the event (local recurrence, reoperation), one minus Kaplan-Meier overstates how many
will have it; the cumulative incidence does not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.survival.follow_up import at_risk_before
from registry.stats.tails import chi_square_upper, normal_quantile

INTERVALS = ("log_log", "plain")


@dataclass(frozen=True, eq=False)
class CumulativeIncidence:
    """Probability of the event of interest up to each time. Arrays are (k,), one entry a distinct time, ascending.

    events, competing, censored  people at the time; incidence, standard_error, low, high  as the table of a curve;
    NaN limits where the incidence is 0 or 1 and the interval `log_log`
    """

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    competing: np.ndarray
    censored: np.ndarray
    incidence: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    missing: int
    confidence: float
    interval: str
    method: str = "aalen_johansen"


@dataclass(frozen=True)
class IncidenceAt:
    """One point of a curve; None after the last time anybody was followed."""

    time: float
    at_risk: int
    incidence: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Gray:
    """Gray's statistic; observed events of interest in each group, in the order given."""

    statistic: float
    df: int
    p: float
    n: int
    observed: tuple
    method: str = "gray"


def cumulative_incidence(
    time: Any, cause: Any, confidence: float = 0.95, interval: str = "log_log"
) -> CumulativeIncidence:
    """Cumulative incidence of the event with cause 1, where cause 2 competes.

    time      (n,) length of follow-up, >= 0; NaN where unknown
    cause     (n,) 0 censored, 1 the event of interest, 2 any competing one; NaN where unknown
    interval  `log_log` (between 0 and 1 always) or `plain`
    The variance is that of cmprsk::cuminc, with its correction for ties.
    Raises NotEstimable(`empty`); ValueError for negative times and other causes.
    R: cmprsk::cuminc(time, cause)[["1 1"]]
    Source: Aalen and Johansen 1978; Gray 1988, doi:10.1214/aos/1176350951.
    """
    if interval not in INTERVALS:
        raise ValueError(f"unknown interval {interval!r}; one of {', '.join(INTERVALS)}")
    time, cause, missing = causes(time, cause)
    if time.size == 0:
        raise NotEstimable("empty")
    t, left, events, competing = steps(time, cause)
    at_risk = at_risk_before(left)
    free, free_after, incidence = state(at_risk, events, competing)
    error = np.sqrt(variance(at_risk, events, competing, free, free_after, incidence))
    low, high = limits(incidence, error, normal_quantile((1 + confidence) / 2), interval)
    censored = left - events - competing
    return CumulativeIncidence(
        t, at_risk, events, competing, censored, incidence, error, low, high, time.size, missing, confidence, interval
    )


def incidence_at(curve: Any, times: Any) -> tuple[IncidenceAt, ...]:
    """The curve at given times: a tuple of IncidenceAt, with the number still at risk.

    R: cmprsk::timepoints(cuminc(time, cause), times)
    """
    return tuple(point(curve, float(t)) for t in times)


def gray(groups: Any) -> Gray:
    """Gray's test that the cumulative incidence of cause 1 is alike in two or more groups.

    groups  sequence of (time, cause) pairs of arrays, as for cumulative_incidence. Empty ones are dropped.
    Raises NotEstimable: `one_group`; `no_events`; `too_few` where the covariance is singular.
    R: cmprsk::cuminc(time, cause, group)$Tests["1", ]
    Source: Gray 1988, doi:10.1214/aos/1176350951, with rho = 0 and the variance of package cmprsk, ties included.
    """
    followed = [causes(*group)[:2] for group in groups]
    present = [group for group in followed if group[0].size]
    if len(present) < 2:
        raise NotEstimable("one_group")
    observed = tuple(int((cause == 1).sum()) for _, cause in followed)
    if not any(observed):
        raise NotEstimable("no_events")
    score, spread = gray_score(*on_common_times(present))
    score, spread = score[:-1], spread[:-1, :-1]
    size = np.sqrt(np.diag(spread))
    if not (size > 0).all() or np.linalg.matrix_rank(spread / np.outer(size, size), tol=1e-9) < score.size:
        raise NotEstimable("too_few")
    statistic = float(score @ np.linalg.solve(spread, score))
    n = sum(time.size for time, _ in present)
    return Gray(statistic, score.size, chi_square_upper(statistic, score.size), n, observed)


def causes(time: Any, cause: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Complete pairs of time and cause, and how many were incomplete."""
    time, cause = np.asarray(time, dtype=float), np.asarray(cause, dtype=float)
    if time.ndim != 1 or time.shape != cause.shape:
        raise ValueError("time and cause must be one-dimensional and of the same length")
    known = ~np.isnan(time) & ~np.isnan(cause)
    missing = time.size - int(known.sum())
    time, cause = time[known], cause[known]
    if not np.isfinite(time).all() or (time < 0).any():
        raise ValueError("times must be finite and not negative")
    if not np.isin(cause, (0, 1, 2)).all():
        raise ValueError("a cause is 0 (censored), 1 (the event) or 2 (a competing event)")
    return time, cause.astype(np.int8), missing


def steps(time: Any, cause: Any, times: Any = None) -> Any:
    """Distinct times, and how many leave, have the event and a competing one at each."""
    t = np.unique(time) if times is None else times
    place = np.searchsorted(t, time)
    count = [np.bincount(place[chosen], minlength=t.size) for chosen in (slice(None), cause == 1, cause == 2)]
    return t, *count


def state(at_risk: Any, events: Any, competing: Any) -> Any:
    """Probability of being free of any event before and after each time, and the incidence after it. (..., k) each."""
    people = np.maximum(at_risk, 1)
    free_after = np.cumprod(1 - (events + competing) / people, axis=-1)
    free = np.concatenate([np.ones((*free_after.shape[:-1], 1)), free_after[..., :-1]], axis=-1)
    return free, free_after, np.cumsum(free * events / people, axis=-1)


def tied(count: Any, people: Any) -> np.ndarray:
    """The factor by which ties shrink a variance: 1 - (d - 1) / (n - 1) where d > 1."""
    return np.where(count > 1, 1 - (count - 1) / np.maximum(people - 1, 1), 1.0)


def variance(at_risk: Any, events: Any, competing: Any, free: Any, free_after: Any, incidence: Any) -> np.ndarray:
    people = np.maximum(at_risk, 1).astype(float)
    with np.errstate(divide="ignore"):
        beyond = np.where(free_after > 0, 1 / free_after, 0.0)
    by_event = free**2 * tied(events, people) * events / people**2
    by_other = np.where(free_after > 0, free**2 * tied(competing, people) * competing / people**2, 0.0)
    share = incidence * beyond
    v1 = np.cumsum((1 + share) ** 2 * by_event + share**2 * by_other)
    v2 = np.cumsum(beyond * ((1 + share) * by_event + share * by_other))
    v3 = np.cumsum(beyond**2 * (by_event + by_other))
    at_events = np.where(events > 0, v1 + incidence**2 * v3 - 2 * incidence * v2, 0.0)
    last = np.maximum.accumulate(np.where(events > 0, np.arange(events.size), -1))  # it stays until the next event
    return np.where(last >= 0, np.maximum(at_events[last], 0), 0.0)


def limits(incidence: Any, error: Any, z: float, interval: str) -> tuple[Any, Any]:
    if interval == "plain":
        return np.maximum(0, incidence - z * error), np.minimum(1, incidence + z * error)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where((incidence > 0) & (incidence < 1), incidence, np.nan)
        factor = np.exp(z * error / (inner * np.log(inner)))
        return inner ** (1 / factor), inner**factor


def point(curve: Any, t: Any) -> IncidenceAt:
    following = int(np.searchsorted(curve.time, t, side="left"))
    at_risk = int(curve.at_risk[following]) if following < curve.time.size else 0
    if t > curve.time[-1]:
        return IncidenceAt(t, 0)
    step = int(np.searchsorted(curve.time, t, side="right")) - 1
    if step < 0:
        return IncidenceAt(t, at_risk, 0.0, 0.0)
    columns = (curve.incidence, curve.standard_error, curve.low, curve.high)
    return IncidenceAt(t, at_risk, *(None if np.isnan(column[step]) else float(column[step]) for column in columns))


def on_common_times(groups: Any) -> Any:
    """At risk, events and competing events, (groups, k) each, at the times when anybody had either."""
    t = np.unique(np.concatenate([time[cause > 0] for time, cause in groups]))
    at_risk = np.array([time.size - np.searchsorted(np.sort(time), t) for time, _ in groups])
    curves = [steps(time[cause > 0], cause[cause > 0], t) for time, cause in groups]
    return at_risk, np.array([step[2] for step in curves]), np.array([step[3] for step in curves])


def gray_score(at_risk: Any, events: Any, competing: Any) -> tuple[Any, Any]:
    """Gray's score of each group (g,) and its covariance (g, g). Letters as in the paper: h = y / S, R = h (1 - F)."""
    free, free_after, incidence = state(at_risk, events, competing)
    before = np.concatenate([np.zeros((len(at_risk), 1)), incidence[:, :-1]], axis=1)
    alive = at_risk > 0
    died = events.sum(axis=0)
    h = np.where(alive, at_risk / np.where(alive, free, 1), 0.0)
    total = h.sum(axis=0)
    pooled = np.cumsum(died / total)
    pooled_before = np.append(0, pooled[:-1])
    r = h * (1 - before)
    score = (np.where(alive, events - died * r / r.sum(axis=0), 0.0)).sum(axis=1)

    a = -h[:, None] * h[None] / total
    diagonal = np.arange(len(h))
    a[diagonal, diagonal] = h * (1 - h / total)
    with np.errstate(divide="ignore", invalid="ignore"):
        c = np.cumsum(np.where(died > 0, a * (died / (total * (1 - pooled_before))), 0.0), axis=-1)
        ratio = np.where(free_after > 0, (1 - pooled) / free_after, 0.0)
        ties = np.where(died > 1, 1 - (died - 1) / (total * free - 1), 1.0)
        own = np.where(alive & (died > 0), ties * free * died / (total * np.maximum(at_risk, 1)), 0.0)
    gone = np.where(
        (free_after > 0) & (competing > 0),
        tied(competing, at_risk) * free**2 * competing / np.maximum(at_risk, 1).astype(float) ** 2,
        0.0,
    )
    shift = np.where(free_after > 0, 1 - ratio, 1.0)
    by_event = a - shift * c  # (i, k, times)
    by_other = ratio * c
    spread = np.einsum("ikt,jkt,kt->ij", by_event, by_event, own) + np.einsum(
        "ikt,jkt,kt->ij", by_other, by_other, gone
    )
    v2 = np.einsum("ikt,kt->ik", by_event, shift * own) - np.einsum("ikt,kt->ik", by_other, ratio * gone)
    v3 = (shift**2 * own + ratio**2 * gone).sum(axis=-1)
    last = c[..., -1]
    return score, spread + (last * v3) @ last.T + last @ v2.T + v2 @ last.T
