"""Survival after surgery by group: Kaplan–Meier curves, numbers at risk and the log-rank test."""

from math import ceil

import numpy as np

from registry.instruments.timepoints import DAYS_A_MONTH
from registry.stats.arrays import NotEstimable
from registry.stats.survival import kaplan_meier, log_rank, survival_at
from registry.stats.survival.follow_up import landmark

INTERVALS = (1, 2, 3, 6, 12, 24, 60, 120)  # months between two ticks; the first that needs no more than TICKS
TICKS = 8
LANDMARKS = (3, 6, 12, 24)  # months whose survival stands in the table


def survival(data):
    """The key `survival` of a result, of the runner's view of the data.

    Time runs from surgery to death, or to the last contact for those not known to have died, in months of 30.4375
    days; so who is known to be dead but not since when died at the last contact. Confidence limits are on the log
    scale. R: survfit(Surv(months, dead) ~ group), survdiff(Surv(months, dead) ~ group)

    Where the cohort asks for a follow-up of some days, nobody in it can have died before: counted from surgery, that
    time would be immortal. Time then runs from that day, the landmark (`landmark_day`, else 0). How long patients were
    followed is the reverse Kaplan-Meier estimate, from surgery: survfit(Surv(months, 1 - dead) ~ 1).
    """
    since_surgery = {code: _followed(data.frame, chosen) for code, chosen in data.groups.items()}
    day = landmark_day(data.selection.cohort)
    followed = {code: _from(day, *times) for code, times in since_surgery.items()}
    curves = {code: _curve(*times) for code, times in followed.items()}
    ticks = _ticks(max((curve.time[-1] for curve in curves.values() if curve), default=0))
    return {
        "unit": "months",
        "days_in_unit": DAYS_A_MONTH,
        "landmark_day": day,
        "follow_up": _follow_up(since_surgery),
        "log_rank": _log_rank(followed),
        "ticks": ticks,
        "curves": [_told(code, curve, followed[code], ticks) for code, curve in curves.items()],
    }


def _followed(frame, chosen):
    """Months (n,) and died (n,), NaN where not known; a follow-up that ends before surgery is not known."""
    days = frame["followup_days"][chosen]
    status = frame["vital_status"][chosen]
    months = np.where(days >= 0, days / DAYS_A_MONTH, np.nan)
    return months, np.where(status >= 0, status == frame.codes["vital_status"].index("dead"), np.nan)


def landmark_day(cohort):
    """The day after surgery until which everybody in a cohort lived, because its steps ask for that follow-up; or 0."""
    return max((step.parameters["days"] for step in cohort.steps if step.code == "followed_at_least"), default=0)


def _from(day, months, died):
    """The same from a day after surgery on; what is not known stays so."""
    if day == 0:
        return months, died
    known = ~np.isnan(months) & ~np.isnan(died)
    days, events, _ = landmark(np.rint(months[known] * DAYS_A_MONTH), died[known], day)
    unknown = np.full(int((~known).sum()), np.nan)
    return np.append(days / DAYS_A_MONTH, unknown), np.append(events, unknown)


def _follow_up(followed):
    """Median follow-up of all groups together, and its limits."""
    months, died = (np.concatenate([times[part] for times in followed.values()] or [[]]) for part in (0, 1))
    curve = _curve(months, 1 - died)
    return {name: getattr(curve, name, None) for name in ("median", "median_low", "median_high")}


def _curve(months, died):
    try:
        return kaplan_meier(months, died)
    except NotEstimable:
        return None


def _log_rank(followed):
    try:
        test_result = log_rank(list(followed.values()))
    except NotEstimable as why:
        return {"p": None, "reason": f"not estimable because {why}"}
    return {
        "statistic": test_result.statistic,
        "df": test_result.df,
        "p": test_result.p,
        "observed": dict(zip(followed, test_result.observed, strict=True)),
        "expected": dict(zip(followed, test_result.expected, strict=True)),
    }


def _ticks(longest):
    step = next((interval for interval in INTERVALS if longest / interval <= TICKS), INTERVALS[-1])
    return list(range(0, step * ceil(longest / step) + 1, step)) if longest else [0]


def _told(code, curve, followed, ticks):
    if curve is None:
        empty = {name: [] for name in ("time", "at_risk", "died", "censored", "survival", "low", "high")}
        return {"group": code, "n": 0, "missing": followed[0].size, "events": 0, "median": None} | {
            "at_risk_at_ticks": [0] * len(ticks),
            "landmarks": [],
            "steps": empty,
        }
    return {
        "group": code,
        "n": curve.n,
        "missing": curve.missing,
        "events": int(curve.events.sum()),
        "median": curve.median,
        "median_low": curve.median_low,
        "median_high": curve.median_high,
        "at_risk_at_ticks": [point.at_risk for point in survival_at(curve, ticks)],
        "landmarks": [
            {
                "time": point.time,
                "at_risk": point.at_risk,
                "survival": point.survival,
                "low": point.low,
                "high": point.high,
            }
            for point in survival_at(curve, LANDMARKS)
        ],
        "steps": _steps(curve),
    }


def _steps(curve):
    """The curve itself, a column a list."""
    return {
        "time": curve.time.tolist(),
        "at_risk": curve.at_risk.tolist(),
        "died": curve.events.tolist(),
        "censored": curve.censored.tolist(),
        "survival": curve.survival.tolist(),
        "low": _without_nan(curve.low),
        "high": _without_nan(curve.high),
    }


def _without_nan(column):
    return [None if np.isnan(value) else value for value in column.tolist()]
