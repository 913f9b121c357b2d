"""Quality-adjusted life years: the area under a patient's utilities, zero from death on, gaps by a declared rule."""

from dataclasses import dataclass
from typing import Any

import numpy as np

YEAR = 365.25
GAPS = ("linear", "carried", "complete")


@dataclass(frozen=True, eq=False)
class Qaly:
    """qaly (n,) in years, NaN where the rule leaves it unknown; known, unknown and died count patients."""

    qaly: np.ndarray
    known: int
    unknown: int
    died: int
    horizon: float
    gaps: str
    method: str = "qaly_area"


def qaly(days: Any, utilities: Any, horizon: float, died_on: Any = None, gaps: str = "linear") -> Qaly:
    """QALYs from day 0 to a horizon.

    days       (visits,) or (n, visits) days of the values, ascending; the first is the start
    utilities  (n, visits) NaN where unknown; below zero is worse than death
    horizon    in days
    died_on    (n,) day of death, NaN for the living; from that day on the utility is zero. The curve falls to it in a
               straight line from the last value before; a value on a later day is refused
    gaps       `linear`    a straight line between the values that are known; the last known one must lie at or beyond
                           the horizon, or the patient have died before it, else the patient is unknown
               `carried`   each value holds until the next one, the last until death or the horizon
               `complete`  as linear, and unknown where any value before death and horizon is lacking
    The first value must be known in every rule. Nobody is left out for having died.
    R: sum(diff(t) * (head(u, -1) + tail(u, -1)) / 2) / 365.25
    Source: Matthews et al. 1990, doi:10.1136/bmj.300.6719.230; Billingham, Abrams and Jones 1999.
    """
    if gaps not in GAPS or not horizon > 0:
        raise ValueError(f"gaps is one of {', '.join(GAPS)}, and a horizon is above zero")
    utilities = np.asarray(utilities, float)
    n, visits = utilities.shape
    days = np.broadcast_to(np.asarray(days, float), (n, visits))
    died_on = np.full(n, np.nan) if died_on is None else np.asarray(died_on, float)
    known = np.isfinite(utilities) & np.isfinite(days)
    if (known & (days > died_on[:, None])).any():
        raise ValueError("a value lies after the day of death")
    if (np.diff(np.where(np.isfinite(days), days, np.nan), axis=1) <= 0).any():
        raise ValueError("the days of the values ascend")
    totals = np.array([area(*row, horizon, gaps) for row in zip(days, utilities, known, died_on, strict=True)])
    whole = np.isfinite(totals)
    dead = whole & (died_on <= horizon)
    return Qaly(totals, int(whole.sum()), int((~whole).sum()), int(dead.sum()), float(horizon), gaps)


def area(days: Any, utilities: Any, known: Any, died: Any, horizon: float, gaps: Any) -> float:
    """One patient's QALYs, or NaN."""
    end = min(horizon, died) if np.isfinite(died) else horizon
    if not known[:1].all() or (gaps == "complete" and not known[days <= end].all()):
        return np.nan
    t, u = days[known], utilities[known]
    if gaps == "carried":
        before = t < end
        edges = np.append(t[before], end)
        return float((np.diff(edges) * u[before]).sum()) / YEAR
    if np.isfinite(died):
        on_the_day = t == died
        t, u = np.append(t[~on_the_day], died), np.append(u[~on_the_day], 0.0)
    if t[-1] < end:
        return np.nan
    inside = t < end
    last = np.interp(end, t, u)
    t, u = np.append(t[inside], end), np.append(u[inside], last)
    return float((np.diff(t) * (u[:-1] + u[1:]) / 2).sum()) / YEAR
