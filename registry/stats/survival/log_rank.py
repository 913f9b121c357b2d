"""Log-rank tests: of two or more groups, within strata, and for a trend over ordered groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.survival.follow_up import cells, follow_up, still_there
from registry.stats.tails import chi_square_upper


@dataclass(frozen=True)
class LogRank:
    """observed and expected events in each group, in the order given; zeros for an empty group."""

    statistic: float
    df: int
    p: float
    n: int
    observed: tuple
    expected: tuple
    method: str = "log_rank"


def log_rank(groups: Any) -> LogRank:
    """Log-rank (Mantel-Haenszel) test that two or more groups survive alike.

    groups  sequence of (time, event) pairs of arrays, as for kaplan_meier. Empty groups are dropped; so is, as in R,
            a group nobody of which was at risk at any event.
    Raises NotEstimable: `one_group`; `no_events` (R prints NaN); `too_few` where nobody is compared at any event.
    R: survdiff(Surv(time, event) ~ g)
    Source: Mantel 1966; Harrington and Fleming 1982, doi:10.1093/biomet/69.3.553.
    """
    followed = [follow_up(*group)[:2] for group in groups]
    events, at_risk = counted(followed)
    return omnibus(events, at_risk, sum(time.size for time, _ in followed), "log_rank")


def log_rank_trend(groups: Any, scores: Any = None) -> LogRank:
    """Log-rank test for a trend over ordered groups (Tarone's), one degree of freedom.

    scores  a number for each group, 0, 1, 2, … unless given: any with the same distances give the same test
    Raises NotEstimable: as log_rank.
    R: d <- survdiff(Surv(time, event) ~ g); sum(w * (d$obs - d$exp))^2 / (w %*% d$var %*% w); equal to the score test
       of coxph(Surv(time, event) ~ w[g], ties = "exact")
    Source: Tarone 1975, doi:10.1093/biomet/62.3.679.
    """
    followed = [follow_up(*group)[:2] for group in groups]
    events, at_risk = counted(followed)
    scores = np.arange(len(followed), dtype=float) if scores is None else np.asarray(scores, float)
    if scores.shape != (len(followed),) or not np.isfinite(scores).all():
        raise ValueError("a trend takes one finite score for each group")
    expected, variance = expectation(events, at_risk)
    spread = float(scores @ variance @ scores)
    if spread <= 1e-12 * float(scores @ scores):
        raise NotEstimable("too_few")
    statistic = float(scores @ (events.sum(axis=1) - expected)) ** 2 / spread
    return result(statistic, 1, events, expected, sum(time.size for time, _ in followed), "log_rank_trend")


def stratified_log_rank(time: Any, event: Any, group: Any, strata: Any) -> LogRank:
    """Log-rank test within strata (centres, matched pairs): groups are compared within each, and the sums tested.

    time, event  (n,) as for kaplan_meier
    group        (n,) whole numbers 0, 1, … in the order of the result
    strata       (n,) whole numbers; those without an event, or with one group, say nothing
    Whoever lacks a time or an event is left out.
    Raises NotEstimable: as log_rank; `singular` where groups meet in no stratum.
    R: survdiff(Surv(time, event) ~ g + strata(s))
    Source: Mantel 1966; Peto et al. 1977, doi:10.1038/bjc.1977.1.
    """
    group, strata = np.asarray(group), np.asarray(strata)
    known = ~np.isnan(np.asarray(time, float)) & ~np.isnan(np.asarray(event, float))
    time, event, _ = follow_up(time, event)
    group, strata = group[known], strata[known]
    if np.unique(group).size < 2:
        raise NotEstimable("one_group")
    if not event.any():
        raise NotEstimable("no_events")
    order, first, opens = cells(time, strata)
    cell = np.repeat(np.arange(first.size), np.diff(np.append(first, time.size)))
    place = group[order] * first.size + cell
    size = (int(group.max()) + 1) * first.size
    left = np.bincount(place, minlength=size).reshape(-1, first.size)
    events = np.bincount(place[event[order]], minlength=size).reshape(-1, first.size)
    at_risk = still_there(left, opens)
    died = events.any(axis=0)
    return omnibus(events[:, died], at_risk[:, died], time.size, "stratified_log_rank")


def counted(followed: Any) -> Any:
    """Events and people at risk, (groups, k) each, at the k distinct times of events."""
    if sum(time.size > 0 for time, _ in followed) < 2:
        raise NotEstimable("one_group")
    t = np.unique(np.concatenate([time[event] for time, event in followed]))
    if t.size == 0:
        raise NotEstimable("no_events")
    at_risk = np.array([time.size - np.searchsorted(np.sort(time), t) for time, _ in followed])
    events = np.array([np.bincount(np.searchsorted(t, time[event]), minlength=t.size) for time, event in followed])
    return events, at_risk


def expectation(events: Any, at_risk: Any) -> tuple:
    """Expected events (groups,) and their hypergeometric covariance (groups, groups)."""
    total, died = at_risk.sum(axis=0), events.sum(axis=0)
    share = at_risk / total
    spread = died * (total - died) / np.maximum(total - 1, 1)
    return share @ died.astype(float), np.diag(share @ spread) - (share * spread) @ share.T


def omnibus(events: Any, at_risk: Any, n: Any, method: str) -> LogRank:
    """The test of all groups at once."""
    expected, variance = expectation(events, at_risk)
    compared = expected > 0
    away = (events.sum(axis=1) - expected)[compared][1:]
    variance = variance[np.ix_(compared, compared)][1:, 1:]
    if away.size == 0 or not variance.any():
        raise NotEstimable("too_few")
    if np.linalg.matrix_rank(variance, tol=1e-10 * np.abs(variance).max()) < away.size:
        raise NotEstimable("singular")
    statistic = float(away @ np.linalg.solve(variance, away))
    return result(statistic, away.size, events, expected, n, method)


def result(statistic: Any, df: Any, events: Any, expected: Any, n: Any, method: str) -> LogRank:
    observed = tuple(events.sum(axis=1).tolist())
    return LogRank(statistic, df, chi_square_upper(statistic, df), n, observed, tuple(expected.tolist()), method)
