"""Times to the event in months and why they ended, from the days of events, deaths and last contacts."""

from dataclasses import dataclass

import numpy as np

from registry.instruments.timepoints import DAYS_A_MONTH


@dataclass(frozen=True, eq=False)
class Times:
    """months (n,) and cause (n,) 0 censored, 1 the event, 2 a competing one; NaN where not known. Masks say why."""

    months: np.ndarray
    cause: np.ndarray
    undated: np.ndarray
    before_landmark: np.ndarray
    before_start: np.ndarray

    @property
    def event(self):
        return np.where(np.isnan(self.cause), np.nan, self.cause == 1)


def times(endpoint, patients):
    """Times of an endpoint. An event before surgery is an error of the data: such patients are counted, not analysed.

    Who had the event on a day not known has it at the end of their follow-up.
    """
    day, undated = first(endpoint.event, patients)
    rival, rival_undated = first(endpoint.competing, patients)
    end = patients.followed
    day = np.where(undated & np.isnan(day), end, day)
    rival = np.where(rival_undated & np.isnan(rival), end, rival)
    before_start = (day < 0) | (rival < 0) | (end < 0)
    happened, ended = np.fmin(np.fmin(day, rival), np.inf), np.where(np.isnan(end), np.inf, end)
    dated = np.isfinite(happened)
    leaves = np.where(dated, happened, ended)
    cause = np.where(dated, np.where(day <= np.where(np.isnan(rival), np.inf, rival), 1.0, 2.0), 0.0)
    unknown = ~np.isfinite(leaves) | before_start | vital_unknown(endpoint, patients)
    start = max(endpoint.landmark, patients.landmark)
    before = ~unknown & (leaves < start)
    left_out = unknown | before
    months = np.where(left_out, np.nan, (leaves - start) / DAYS_A_MONTH)
    return Times(months, np.where(left_out, np.nan, cause), undated & ~left_out, before, before_start)


def vital_unknown(endpoint, patients):
    """(n,) bool: whether death is asked and not known."""
    asked = any(event.get("kind") == "death" for event in (*endpoint.event, *endpoint.competing))
    return np.isnan(patients.died) if asked else np.zeros(patients.n, bool)


def first(events, patients):
    """Day (n,) of the first of some events, and whether one happened on a day not known."""
    day, undated = np.full(patients.n, np.nan), np.zeros(patients.n, bool)
    for event in events:
        read = patients.event(event)
        day, undated = np.fmin(day, read.day), undated | read.undated
    return day, undated


def is_weighted(patients):
    """Whether patients count unequally: weighted by their score, or controls of matched sets of several."""
    return patients.weights is not None and not even(patients.weights)


def weights_of(patients, rows):
    """(weights, clusters) of some patients, as the weighted statistics take them."""
    return patients.weights[rows], clusters(patients)[rows]


def clusters(patients):
    """The sets, each unmatched patient one of their own (as weighting has them)."""
    return np.where(patients.sets >= 0, patients.sets, patients.sets.max(initial=0) + 1 + np.arange(patients.n))


def even(weights):
    return bool((weights == 1).all())
