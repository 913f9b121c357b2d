"""Follow-up times as survival statistics take them: checked, counted per distinct time, moved to a landmark."""

from typing import Any

import numpy as np


def at_risk_before(left: Any) -> np.ndarray:
    """People still followed just before each time, from how many leave at each."""
    return np.cumsum(left[::-1])[::-1]


def follow_up(time: Any, event: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Complete pairs as a float and a bool array, and how many were incomplete."""
    time, event = np.asarray(time, dtype=float), np.asarray(event, dtype=float)
    if time.ndim != 1 or time.shape != event.shape:
        raise ValueError("time and event must be one-dimensional and of the same length")
    known = ~np.isnan(time) & ~np.isnan(event)
    missing = time.size - int(known.sum())
    time, event = time[known], event[known]
    if not np.isfinite(time).all() or (time < 0).any():
        raise ValueError("times must be finite and not negative")
    if not np.isin(event, (0, 1)).all():
        raise ValueError("an event is 0 or 1")
    return time, event.astype(bool), missing


def landmark(time: Any, event: Any, at: Any) -> tuple[Any, np.ndarray, int]:
    """Follow-up from a landmark: those still followed at it, their times counted from there, and how many were not.

    Whoever is selected by what happens later (followed for at least 30 days, operated on again) cannot have died
    before: counted from the start, that time would be immortal. From the landmark on, nobody is.

    time   (n,) follow-up from the start; event (n,) 0 or 1; NaN where unknown, which counts as missing, not as before
    at     the landmark, in the unit of time; who dies or leaves on that very day still counts
    Returns (time, event, before): arrays of those reached, in their order, and how many ended before the landmark.
    R: survfit(Surv(time - at, event) ~ 1, subset = time >= at)
    Source: Anderson, Cain and Gelber 1983, doi:10.1200/JCO.1983.1.11.710.
    """
    time, event, _ = follow_up(time, event)
    if not at >= 0:
        raise ValueError("a landmark is not before the start")
    reached = time >= at
    return time[reached] - at, event[reached], int(time.size - reached.sum())


def cells(time: Any, strata: Any = None) -> Any:
    """Order and cells of equal time within equal stratum.

    Returns (order, first, opens): the permutation that sorts by stratum and time; where in it each cell begins; and for
    each cell the cell at which its stratum begins.
    """
    order = sorting(time) if strata is None else np.lexsort((time, strata))
    sorted_time = time[order]
    new = np.append(True, sorted_time[1:] != sorted_time[:-1])[: time.size]
    begins = np.zeros(time.size, bool)
    begins[:1] = True
    if strata is not None:
        sorted_strata = strata[order]
        begins[1:] = sorted_strata[1:] != sorted_strata[:-1]
        new |= begins
    first = np.flatnonzero(new)
    opens = np.maximum.accumulate(np.where(begins[first], np.arange(first.size), 0))
    return order, first, opens


def sorting(time: Any) -> np.ndarray:
    """A stable order of times (n,). Whole days are few: NumPy sorts small integers in one pass."""
    if time.size and time.min() >= 0 and time.max() < 1 << 16:
        days = time.astype(np.uint16)
        if (days == time).all():
            time = days
    return np.argsort(time, kind="stable")


def still_there(per_cell: Any, opens: Any) -> np.ndarray:
    """Sums over each cell and those after it in its stratum: who is at risk. per_cell (..., cells), cells as above."""
    backward = np.cumsum(per_cell[..., ::-1], axis=-1)[..., ::-1]
    if opens.size == 0 or opens[-1] == 0:
        return backward
    closes = np.append(np.flatnonzero(np.diff(opens)) + 1, opens.size)  # where each stratum ends
    stratum = np.searchsorted(closes, np.arange(opens.size), side="right")
    beyond = np.concatenate([backward, np.zeros((*backward.shape[:-1], 1))], axis=-1)[..., closes]
    return backward - beyond[..., stratum]


def until(per_cell: Any, opens: Any) -> Any:
    """Sums over each cell and those before it in its stratum. per_cell (..., cells)."""
    forward = np.cumsum(per_cell, axis=-1)
    if opens.size == 0 or opens[-1] == 0:
        return forward
    before = np.concatenate([np.zeros((*forward.shape[:-1], 1)), forward], axis=-1)
    return forward - before[..., opens]
