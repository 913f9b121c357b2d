"""Kaplan-Meier and Aalen-Johansen curves of each group: rates, medians, restricted means, numbers at risk."""

import numpy as np

from registry.analysis.results.endpoints import AtRisk, Followed, Rate, Restricted, Steps
from registry.analysis.sections.endpoints.survival_times import clusters, is_weighted, weights_of
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.stats.arrays import NotEstimable
from registry.stats.survival import kaplan_meier, survival_at
from registry.stats.survival.competing import cumulative_incidence, incidence_at
from registry.stats.survival.restricted_mean import restricted_mean, restricted_mean_difference
from registry.stats.survival.weighted import (
    weighted_incidence,
    weighted_kaplan_meier,
    weighted_restricted_mean,
)

STEPS = (1, 2, 3, 6, 12, 24, 60, 120)  # months between two ticks; the first that needs no more than TICKS
TICKS = 8
NOBODY = "not estimable because there are no observations"


def curve_of(patients, survival, rows):
    return attempted(lambda: curve(patients, rows, survival.months[rows], survival.event[rows]), lambda why: None)


def curve(patients, rows, months, event):
    if is_weighted(patients):
        return weighted_kaplan_meier(months, event, *weights_of(patients, rows))
    return kaplan_meier(months, event)


def incidence_of(patients, survival, rows):
    def made():
        if is_weighted(patients):
            return weighted_incidence(survival.months[rows], survival.cause[rows], *weights_of(patients, rows))
        return cumulative_incidence(survival.months[rows], survival.cause[rows])

    return attempted(made, lambda why: None)


def followed(code, patients, survival, rows, estimated):
    months, cause = survival.months[rows], survival.cause[rows]
    left_early = np.where(np.isnan(cause), np.nan, cause == 0)
    reverse = attempted(lambda: curve(patients, rows, months, left_early), lambda why: None)
    left = int(survival.before_landmark[rows].sum())
    medians = {name: getattr(estimated, name, None) for name in ("median", "median_low", "median_high")}
    follow_up = {f"follow_up{end}": getattr(reverse, f"median{end}", None) for end in ("", "_low", "_high")}
    return Followed(
        group=code,
        n=int(np.isfinite(months).sum()),
        missing=int(np.isnan(months).sum()) - left,
        events=int((cause == 1).sum()),
        competing=int((cause == 2).sum()),
        censored=int((cause == 0).sum()),
        undated=int(survival.undated[rows].sum()),
        before_landmark=left,
        before_start=int(survival.before_start[rows].sum()),
        reason="" if estimated else NOBODY,
        **medians,
        **follow_up,
    )


def rates(endpoint, codes, curves, incidences):
    rows = []
    for code, curve, incidence in zip(codes, curves, incidences, strict=True):
        for time in endpoint.times:
            rows.append(rate(code, time, "survival", curve and survival_at(curve, [time])[0]))
        for time in endpoint.times if endpoint.competing else ():
            rows.append(rate(code, time, "incidence", incidence and incidence_at(incidence, [time])[0]))
    return rows


def rate(code, time, estimator, point):
    if point is None:
        return Rate(code, time, estimator, reason=NOBODY)
    value = getattr(point, estimator)
    reason = "" if value is not None else NOT_ESTIMABLE.format("nobody was followed so long")
    limits = {"estimate": value, "low": point.low, "high": point.high}
    return Rate(code, time, estimator, point.at_risk, **limits, reason=reason)


def means_of(endpoint, patients, survival, members, curves):
    """RestrictedMean of each group, None without a curve or a horizon."""
    if endpoint.horizon is None:
        return [None] * len(curves)
    if not is_weighted(patients):
        return [group_curve and restricted_mean(group_curve, endpoint.horizon) for group_curve in curves]
    return [
        group_curve
        and weighted_restricted_mean(
            survival.months[rows],
            survival.event[rows],
            patients.weights[rows],
            endpoint.horizon,
            clusters(patients)[rows],
        )
        for group_curve, rows in zip(curves, members, strict=True)
    ]


def restricted(endpoint, patients, means):
    if endpoint.horizon is None:
        return []
    rows = [restricted_row(code, endpoint.horizon, mean) for code, mean in zip(patients.codes, means, strict=True)]
    for pair, a, b in patients.pairs():
        rows.append(
            attempted(
                lambda a=a, b=b, pair=pair: difference_row(pair, means[b], means[a]),
                lambda why, pair=pair: Restricted(pair, endpoint.horizon, reason=why),
            )
        )
    return rows


def restricted_row(code, horizon, mean):
    if mean is None:
        return Restricted(code, horizon, reason=NOBODY)
    reason = "" if mean.reached else NOT_REACHED
    parts = {name: getattr(mean, name) for name in ("standard_error", "low", "high")}
    return Restricted(code, horizon, estimate=mean.mean, **parts, reason=reason)


NOT_REACHED = "nobody was followed to the horizon, so the last value of the curve is carried on to it"


def difference_row(pair, second, first):
    """The later group's mean minus the earlier one's."""
    if second is None or first is None:
        raise NotEstimable("empty_group")
    difference = restricted_mean_difference(second, first)
    parts = {name: getattr(difference, name) for name in ("estimate", "standard_error", "low", "high", "p")}
    return Restricted(pair, difference.horizon, **parts, statistic=difference.estimate / difference.standard_error)


def at_ticks(code, curve, ticks):
    return AtRisk(code, [point.at_risk for point in survival_at(curve, ticks)] if curve else [0] * len(ticks))


def ticks_to(longest):
    step = next((width for width in STEPS if longest / width <= TICKS), STEPS[-1])
    return list(range(0, step * int(np.ceil(longest / step)) + 1, step)) if longest else [0]


def steps(codes, curves, incidences):
    rows = []
    for code, curve, incidence in zip(codes, curves, incidences, strict=True):
        if curve:
            rows.append(steps_row(code, "survival", curve))
        if incidence:
            rows.append(steps_row(code, "incidence", incidence))
    return rows


def steps_row(code, estimator, curve):
    arrays = (curve.time, curve.at_risk, curve.events, curve.censored, getattr(curve, estimator), curve.low, curve.high)
    return Steps(code, estimator, *arrays)
