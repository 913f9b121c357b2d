"""Survival beside R's numbers: refusals with their successes, slow obvious versions, and what a number means."""

import pickle

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable
from registry.stats.survival import kaplan_meier, log_rank, log_rank_trend, stratified_log_rank
from registry.stats.survival.competing import cumulative_incidence, gray, incidence_at
from registry.stats.survival.cox import cox, proportional_hazards
from registry.stats.survival.follow_up import cells, landmark, still_there, until
from registry.stats.survival.restricted_mean import restricted_mean, restricted_mean_difference

TIME, EVENT = np.array([2.0, 3, 3, 5, 6, 8, 9, 9, 12, 14]), np.array([1, 1, 0, 1, 0, 1, 1, 0, 1, 0.0])
AGE, SEX = np.array([61.0, 70, 55, 66, 49, 72, 58, 63, 60, 52]), np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0.0])


@pytest.mark.parametrize(
    ("covariates", "event", "reason", "where"),
    [
        (np.column_stack([AGE, np.full(10, 3.0)]), EVENT, "constant_covariate", (1,)),
        (np.column_stack([AGE, SEX, AGE + 2 * SEX]), EVENT, "collinear", (2,)),
        (np.column_stack([AGE, EVENT]), EVENT, "monotone_likelihood", (1,)),  # no death among those without the mark
        (AGE, np.zeros(10), "no_events", ()),
        (np.full(10, np.nan), EVENT, "empty", ()),
    ],
)
def test_a_model_that_cannot_be_fitted_names_the_covariate(covariates, event, reason, where):
    with pytest.raises(NotEstimable) as refused:
        cox(TIME, event, covariates)
    assert (refused.value.reason, refused.value.where) == (reason, where)
    assert pickle.loads(pickle.dumps(refused.value)).where == where  # noqa: S301
    assert cox(TIME, EVENT, np.column_stack([AGE, SEX])).events == 6


def test_the_partial_likelihood_by_a_loop_over_the_deaths():
    model = cox(TIME, EVENT, np.column_stack([AGE, SEX]), ties="breslow")

    def likelihood(beta):
        eta = np.column_stack([AGE, SEX]) @ beta
        return sum(eta[i] - np.log(np.exp(eta[TIME[i] <= TIME]).sum()) for i in np.flatnonzero(EVENT))

    assert model.log_likelihood == pytest.approx(likelihood(model.coefficient), rel=1e-12)
    for place in (0, 1):
        nudge = np.eye(2)[place] * 1e-4
        ahead, behind = likelihood(model.coefficient + nudge), likelihood(model.coefficient - nudge)
        assert max(ahead, behind) < model.log_likelihood


def test_weights_count_people_and_people_without_a_value_are_counted_as_missing():
    twice = np.repeat(np.arange(10), 2)
    weighted = cox(TIME, EVENT, AGE, weights=np.full(10, 2.0), ties="breslow")
    assert weighted.coefficient == pytest.approx(cox(TIME[twice], EVENT[twice], AGE[twice], ties="breslow").coefficient)
    gaps = AGE.copy()
    gaps[[0, 4]] = np.nan
    assert (cox(TIME, EVENT, gaps).n, cox(TIME, EVENT, gaps).missing) == (8, 2)


def test_terms_of_several_columns_are_tested_together():
    model = cox(TIME, EVENT, np.column_stack([AGE, SEX]))
    together = proportional_hazards(model, terms=[[0, 1]])
    assert together.df.tolist() == [2]
    assert together.statistic[0] == pytest.approx(together.overall.statistic)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cox(TIME, EVENT, AGE, ties="exact"), "unknown ties"),
        (lambda: cox(TIME, EVENT, AGE, weights=-np.ones(10)), "weights"),
        (lambda: cox(TIME, EVENT, AGE[:5]), "one row for each person"),
        (lambda: cox(TIME, EVENT * 2, AGE), "0 or 1"),
        (lambda: proportional_hazards(cox(TIME, EVENT, AGE), "sqrt"), "unknown transform"),
        (lambda: cumulative_incidence(TIME, EVENT + 2), "a cause is"),
        (lambda: cumulative_incidence(-TIME, EVENT), "not negative"),
        (lambda: landmark(TIME, EVENT, -1), "landmark"),
        (lambda: restricted_mean(kaplan_meier(TIME, EVENT), 0), "above zero"),
        (lambda: log_rank_trend([(TIME, EVENT)] * 2, scores=[1]), "one finite score"),
    ],
)
def test_calls_that_are_wrong_say_how(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: gray([(TIME, EVENT), ([], [])]), "one_group"),
        (lambda: gray([(TIME, EVENT * 2), (TIME, EVENT * 0)]), "no_events"),
        (lambda: log_rank_trend([(TIME, EVENT), ([], [])]), "one_group"),
        (lambda: stratified_log_rank(TIME, EVENT, np.zeros(10, int), SEX), "one_group"),
        (lambda: stratified_log_rank(TIME, EVENT, SEX.astype(int), SEX), "too_few"),
        (lambda: cumulative_incidence([np.nan], [1]), "empty"),
    ],
)
def test_what_cannot_be_estimated(call, reason):
    with pytest.raises(NotEstimable) as refused:
        call()
    assert refused.value.reason == reason


def test_one_stratum_is_no_stratum_and_two_groups_have_one_trend():
    group = SEX.astype(int)
    parts = [(TIME[group == g], EVENT[group == g]) for g in (0, 1)]
    plain = log_rank(parts)
    assert stratified_log_rank(TIME, EVENT, group, np.zeros(10)).p == pytest.approx(plain.p, rel=1e-12)
    assert log_rank_trend(parts).p == pytest.approx(plain.p, rel=1e-12)
    assert log_rank_trend(parts, scores=[5, 1]).p == pytest.approx(plain.p, rel=1e-12)


def test_without_competing_events_the_incidence_is_one_minus_the_survival():
    curve, alive = cumulative_incidence(TIME, EVENT), kaplan_meier(TIME, EVENT)
    assert curve.incidence == pytest.approx(1 - alive.survival)
    ends = incidence_at(curve, [0, 9, 15])
    assert [point.at_risk for point in ends] == [10, 4, 0]
    assert (ends[0].incidence, ends[2].incidence) == (0, None)
    assert 0 < curve.low[3] < curve.incidence[3] < curve.high[3] < 1


def test_from_a_landmark_nobody_is_immortal():
    time, event, before = landmark([10, 29, 30, 31, 90, np.nan], [1, 0, 1, 0, 1, 1], 30)
    assert (time.tolist(), event.tolist(), before) == ([0, 1, 60], [True, False, True], 2)


def test_means_within_a_horizon_are_compared():
    curves = [kaplan_meier(TIME[sex], EVENT[sex]) for sex in (SEX == 0, SEX == 1)]
    first, second = (restricted_mean(curve, 9) for curve in curves)
    difference = restricted_mean_difference(first, second)
    assert difference.estimate == pytest.approx(first.mean - second.mean)
    assert difference.low < difference.estimate < difference.high
    assert first.reached
    assert not restricted_mean(curves[0], 20).reached  # the last was censored at 14
    assert restricted_mean(curves[1], 20).reached  # all had died by 12
    with pytest.raises(ValueError, match="one horizon"):
        restricted_mean_difference(first, restricted_mean(curves[1], 5))


def test_sums_within_strata_by_a_loop():
    random = np.random.default_rng(3)
    time, strata, weight = random.integers(1, 5, 40), random.integers(0, 3, 40), random.random(40)
    order, first, opens = cells(time, strata)
    risk, past = (sums(np.add.reduceat(weight[order], first), opens) for sums in (still_there, until))
    for place, person in enumerate(order[first]):
        same = strata == strata[person]
        assert risk[place] == pytest.approx(weight[same & (time >= time[person])].sum())
        assert past[place] == pytest.approx(weight[same & (time <= time[person])].sum())
