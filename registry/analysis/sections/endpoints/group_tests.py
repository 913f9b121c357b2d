"""Log-rank tests between groups, of trend, by strata and of weighted patients, and Gray's test."""

import numpy as np

from registry.analysis.results.endpoints import Test
from registry.analysis.sections import declared
from registry.analysis.sections.endpoints.survival_times import is_weighted, weights_of
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.stats.adjust import adjust
from registry.stats.survival import log_rank, log_rank_trend, stratified_log_rank
from registry.stats.survival.competing import gray
from registry.stats.survival.weighted import (
    weighted_log_rank,
)


def tests(endpoint, patients, survival):
    if is_weighted(patients):
        return weighted_tests(endpoint, patients, survival)
    groups = [
        (survival.months[patients.members(g)], survival.event[patients.members(g)]) for g in range(len(patients.groups))
    ]
    rows = [tested("log_rank", "", lambda: log_rank(groups))]
    if "trend" in endpoint.tests:
        rows.append(tested("log_rank_trend", "", lambda: log_rank_trend(groups)))
    strata = strata_of(endpoint, patients)
    if strata is not None:
        rows.append(tested("stratified_log_rank", "", lambda: by_strata(patients, survival, strata)))
    if endpoint.competing:
        causes = [
            (survival.months[patients.members(g)], survival.cause[patients.members(g)])
            for g in range(len(patients.groups))
        ]
        rows.append(tested("gray", "", lambda: gray(causes)))
    if len(patients.groups) > 2:
        rows += pairwise(patients, groups)
    return rows


NO_WEIGHTS = NOT_ESTIMABLE.format("the test takes no weights")


def weighted_tests(endpoint, patients, survival):
    """The robust score test in the place of the log-rank test; by strata, whole matched sets need no weights."""
    rows = [tested("robust_log_rank", "", lambda: robust(patients, survival))]
    if "trend" in endpoint.tests:
        rows.append(Test("log_rank_trend", "", reason=NO_WEIGHTS))
    strata = strata_of(endpoint, patients)
    if strata is not None and not endpoint.strata:
        rows.append(tested("stratified_log_rank", "", lambda: by_strata(patients, survival, strata)))
    elif strata is not None:
        rows.append(tested("robust_stratified_log_rank", "", lambda: robust(patients, survival, strata)))
    if endpoint.competing:
        rows.append(Test("gray", "", reason=NO_WEIGHTS))
    return rows


def robust(patients, survival, strata=None):
    inside = patients.group >= 0 if strata is None else (patients.group >= 0) & (strata >= 0)
    weights, sets = weights_of(patients, inside)
    strata = None if strata is None else strata[inside]
    given = (survival.months[inside], survival.event[inside], patients.group[inside])
    return weighted_log_rank(*given, weights, sets, strata)


def strata_of(endpoint, patients):
    """(n,) whole numbers, -1 where unknown; None without strata. Matched patients are in the stratum of their set."""
    if "stratified" not in endpoint.tests:
        return None
    if not endpoint.strata:
        return None if patients.sets is None or (patients.sets < 0).all() else patients.sets
    columns = [patients.column(*declared.reference(name)) for name in endpoint.strata]
    known = np.logical_and.reduce([column.known for column in columns])
    place = np.unique(np.column_stack([column.values for column in columns]), axis=0, return_inverse=True)[1]
    return np.where(known, place.reshape(-1), -1)


def by_strata(patients, survival, strata):
    inside = (strata >= 0) & (patients.group >= 0)
    given = (survival.months, survival.event, patients.group, strata)
    return stratified_log_rank(*(part[inside] for part in given))


def tested(name, group, test):
    def done():
        answer = test()
        return Test(name, group, answer.statistic, answer.df, answer.p, n=answer.n)

    return attempted(done, lambda why: Test(name, group, reason=why))


def pairwise(patients, groups):
    rows = [
        tested("log_rank", pair, lambda a=a, b=b: log_rank([groups[a], groups[b]])) for pair, a, b in patients.pairs()
    ]
    adjusted = adjust([row.p for row in rows], patients.adjust)
    return [
        Test(row.test, row.group, row.statistic, row.df, p, row.p, patients.adjust, row.n, row.reason)
        for row, p in zip(rows, adjusted, strict=True)
    ]
