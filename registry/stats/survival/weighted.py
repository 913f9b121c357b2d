"""Survival of weighted patients (inverse probability, overlap, matched sets of several): curves with robust errors, and
the robust score test.

Errors are the infinitesimal jackknife's: what each patient, or each cluster of them, adds to the estimate, squared and
summed. A patient's share is known once they have left, and alike for all who are still there, so the sums over
clusters are cumulated in the order of leaving and a curve of a million patients takes a few passes.
"""

from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.survival.competing import CumulativeIncidence
from registry.stats.survival.competing import limits as incidence_limits
from registry.stats.survival.cox import complete
from registry.stats.survival.follow_up import at_risk_before
from registry.stats.survival.kaplan_meier import KaplanMeier, limits, time_of_half
from registry.stats.survival.log_rank import LogRank
from registry.stats.survival.restricted_mean import RestrictedMean
from registry.stats.survival.risk_sets import RiskSets
from registry.stats.tails import chi_square_upper, normal_quantile


class Weighed:
    """Patients of whom all is known, with positive weights, by the time at which they leave.

    t (k,) distinct times; place (n,) of each patient among them; left, at_risk (k,) people
    weight, cluster (n,); total (k,) weight at risk; events (k,) and died (k,) people and weight of those with `event`
    """

    def __init__(self, time: Any, event: Any, weights: Any, cluster: Any = None) -> None:
        time, event, weights = (np.asarray(part, float) for part in (time, event, weights))
        if not time.shape == event.shape == weights.shape or time.ndim != 1:
            raise ValueError("time, event and weights must be one-dimensional and of the same length")
        known = ~(np.isnan(time) | np.isnan(event) | np.isnan(weights))
        if (time[known] < 0).any() or not np.isfinite(time[known]).all() or (weights[known] < 0).any():
            raise ValueError("times are finite and not negative, weights zero or more")
        used = known & (weights > 0)
        if not used.any():
            raise NotEstimable("empty")
        self.missing = int(time.size - known.sum())
        self.event, self.weight = event[used], weights[used]
        clusters = np.arange(self.weight.size) if cluster is None else np.asarray(cluster)[used]
        self.cluster = np.unique(clusters, return_inverse=True)[1].reshape(-1)
        self.t, self.place = np.unique(time[used], return_inverse=True)
        self.left = self.counted(np.ones(self.weight.size))
        self.at_risk = at_risk_before(self.left)
        self.total = at_risk_before(self.weighed(np.ones(self.weight.size)))

    def counted(self, chosen: Any) -> np.ndarray:
        """(k,) how many of the chosen leave at each time."""
        return np.bincount(self.place, chosen, self.t.size).astype(np.int64)

    def weighed(self, chosen: Any) -> np.ndarray:
        """(k,) weight of the chosen who leave at each time."""
        return np.bincount(self.place, self.weight * chosen, self.t.size)

    def variance(self, shares: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """(k,) squares of what each cluster adds to an estimate, summed.

        shares   (m, n) what somebody has added once they left, in parts
        factors  (m + 1, k) by which the weight of who is still there, and each part, counts at each time
        """
        change = self.weight * np.vstack([-np.ones(self.weight.size), shares])
        order = np.lexsort([self.place, self.cluster])
        change, cluster, place = change[:, order], self.cluster[order], self.place[order]
        first = np.flatnonzero(np.append(True, cluster[1:] != cluster[:-1]))
        size = np.diff(np.append(first, cluster.size))
        before = np.cumsum(change, axis=1) - change
        before -= np.repeat(before[:, first], size, axis=1)
        together = np.bincount(cluster, self.weight[order])
        before[0] += together[cluster]
        total = np.zeros(self.t.size)
        for a in range(len(change)):
            for b in range(len(change)):
                moved = change[a] * before[b] + before[a] * change[b] + change[a] * change[b]
                square = np.cumsum(np.bincount(place, moved, self.t.size))
                start = float((together**2).sum()) if a == b == 0 else 0.0
                total += factors[a] * factors[b] * (square + start)
        return np.maximum(total, 0)


def _hazards(people: Weighed, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hazard (k,), its cumulated relative spread (k,), and what each has added to minus log survival once they left."""
    died = people.weighed(chosen)
    ends = people.counted(chosen) == people.at_risk  # nobody stays: the curve is at zero, whatever rounding says
    stay = np.where(ends, np.inf, people.total - died)
    hazard = np.where(ends, 1.0, died / people.total)
    spread = np.cumsum(hazard / stay)
    return hazard, spread, chosen / stay[people.place] - spread[people.place]


def weighted_kaplan_meier(
    time: Any, event: Any, weights: Any, cluster: Any = None, confidence: float = 0.95, interval: str = "log"
) -> KaplanMeier:
    """Kaplan-Meier curve of weighted patients with robust errors.

    time, event  (n,) as for kaplan_meier; weights (n,) >= 0; cluster (n,) numbers, each patient's own unless given
    at_risk, events and censored are people, not weights. Who has weight zero or anything unknown is left out.
    Raises NotEstimable(`empty`).
    R: survfit(Surv(time, event) ~ 1, weights = w, cluster = c, robust = TRUE, conf.type = "log")
    Source: Xie and Liu 2005, doi:10.1002/sim.2174; errors as survival's survfit has them.
    """
    people = Weighed(time, event, weights, cluster)
    happened = people.event == 1
    hazard, spread, share = _hazards(people, happened.astype(float))
    survival = np.cumprod(1 - hazard)
    relative_error = np.sqrt(people.variance(share[None], np.vstack([-spread, np.ones_like(spread)])))
    low, high = limits(survival, relative_error, normal_quantile((1 + confidence) / 2), interval)
    events = people.counted(happened)
    return KaplanMeier(
        time=people.t,
        at_risk=people.at_risk,
        events=events,
        censored=people.left - events,
        survival=survival,
        standard_error=np.where(survival > 0, survival * relative_error, np.nan),
        low=low,
        high=high,
        n=people.weight.size,
        missing=people.missing,
        median=time_of_half(people.t, survival),
        median_low=time_of_half(people.t, low),
        median_high=time_of_half(people.t, high),
        confidence=confidence,
        interval=interval,
        method="weighted_kaplan_meier",
    )


def weighted_incidence(
    time: Any, cause: Any, weights: Any, cluster: Any = None, confidence: float = 0.95, interval: str = "log_log"
) -> CumulativeIncidence:
    """Cumulative incidence of cause 1 among weighted patients, with robust errors; as weighted_kaplan_meier.

    cause  (n,) 0 censored, 1 the event of interest, 2 any competing one
    R: survfit(Surv(time, factor(cause, 0:2)) ~ 1, weights = w, cluster = c, robust = TRUE): pstate and std.err
    """
    people = Weighed(time, cause, weights, cluster)
    of_interest, any_cause = people.event == 1, people.event > 0
    hazard, spread, share = _hazards(people, any_cause.astype(float))
    free = np.append(1, np.cumprod(1 - hazard)[:-1])
    of_one = people.weighed(of_interest.astype(float)) / people.total
    incidence = np.cumsum(free * of_one)
    earlier = np.append(0, spread[:-1])
    staying = np.cumsum(free * of_one * (earlier - 1 / people.total))
    at = people.place
    own = np.where(np.isfinite(share), share, 0)
    added = staying[at] + of_interest * (free / people.total)[at] + own * incidence[at]
    factors = np.vstack([staying, np.ones_like(staying), -incidence])
    error = np.sqrt(people.variance(np.vstack([added, own]), factors))
    low, high = incidence_limits(incidence, error, normal_quantile((1 + confidence) / 2), interval)
    events, rivals = people.counted(of_interest), people.counted(any_cause & ~of_interest)
    censored = people.left - events - rivals
    counts = (people.at_risk, events, rivals, censored)
    n, method = people.weight.size, "weighted_aalen_johansen"
    return CumulativeIncidence(
        people.t, *counts, incidence, error, low, high, n, people.missing, confidence, interval, method
    )


def weighted_restricted_mean(
    time: Any, event: Any, weights: Any, horizon: float, cluster: Any = None, confidence: float = 0.95
) -> RestrictedMean:
    """Restricted mean of weighted patients up to a horizon, with robust errors; as weighted_kaplan_meier.

    R: fit <- survfit(Surv(time, event) ~ 1, weights = w, cluster = c, robust = TRUE)
       r <- residuals(fit, times = h, type = "auc", weighted = TRUE); sqrt(sum(rowsum(r, c)^2))
    """
    people = Weighed(time, event, weights, cluster)
    happened = (people.event == 1).astype(float)
    hazard, spread, share = _hazards(people, happened)
    steps = np.minimum(np.append(people.t, horizon), horizon)
    width = np.diff(np.append(0, steps))  # before each time, and after the last
    survival = np.append(1, np.cumprod(1 - hazard))
    mean = float(width @ survival)
    later = mean - np.cumsum(width * survival)[:-1]  # area after each time
    lost = np.append(0, np.cumsum(width[1:-1] * (survival * np.append(0, spread))[1:-1]))  # while they were there
    shares = people.weight * (lost[people.place] - share * later[people.place])
    error = float(np.sqrt((np.bincount(people.cluster, shares) ** 2).sum()))
    margin = normal_quantile((1 + confidence) / 2) * error
    reached = bool(people.t[-1] >= horizon or survival[-1] == 0)
    n, method = people.weight.size, "weighted_restricted_mean"
    return RestrictedMean(horizon, mean, error, mean - margin, mean + margin, n, confidence, reached, method)


def weighted_log_rank(
    time: Any, event: Any, group: Any, weights: Any, cluster: Any = None, strata: Any = None
) -> LogRank:
    """Robust score test that two or more groups of weighted patients survive alike: the log-rank test's place.

    group  (n,) whole numbers 0, 1, …; strata (n,) as for cox
    observed  weights of the events; expected is empty
    Raises NotEstimable: `one_group`, `no_events`, `too_few`.
    R: coxph(Surv(time, event) ~ factor(g), weights = w, cluster = c)$rscore
    Source: Lin and Wei 1989, doi:10.1080/01621459.1989.10478874.
    """
    group = np.asarray(group)
    own = np.arange(group.size) if cluster is None else np.asarray(cluster)
    keep = np.asarray(weights, float) > 0
    strata = None if strata is None else np.asarray(strata)[keep]
    time, event, weights = (np.asarray(part)[keep] for part in (time, event, weights))
    time, event, columns, strata, weights, own, _ = complete(
        time, event, group[keep][:, None], strata, weights, own[keep]
    )
    present = np.unique(columns[0])
    if present.size < 2:
        raise NotEstimable("one_group")
    if not event.any():
        raise NotEstimable("no_events")
    members = (columns[0] == present[1:, None]).astype(float)
    sets = RiskSets(time, event, members, strata, weights)
    shares = sets.score_residuals(np.zeros(len(members))) * sets.weights
    shares = np.array([np.bincount(own[sets.order], row) for row in shares])
    score, spread = shares.sum(axis=1), shares @ shares.T
    if np.linalg.matrix_rank(spread, tol=1e-10 * max(1e-300, np.abs(spread).max())) < score.size:
        raise NotEstimable("too_few")
    statistic = float(score @ np.linalg.solve(spread, score))
    observed = tuple(float(weights[event & (columns[0] == code)].sum()) for code in present)
    p = chi_square_upper(statistic, score.size)
    return LogRank(statistic, score.size, p, time.size, observed, (), "robust_log_rank")
