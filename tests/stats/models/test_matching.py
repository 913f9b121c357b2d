"""Matching beside MatchIt: refusals with their successes, an obvious greedy loop, and tests of matched sets."""

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable
from registry.stats.matching.balance import balance
from registry.stats.matching.nearest import nearest
from registry.stats.matching.paired import (
    pair_differences,
    pair_odds_ratio,
    pair_risk_difference,
    pair_signs,
    pair_table,
)
from registry.stats.matching.score import propensity
from registry.stats.matching.weighted_groups import weighted_moments, weighted_ratio, weighted_shares, weighted_wald
from registry.stats.matching.weights import propensity_weights, weighted_difference
from registry.stats.ttest import paired_t

RANDOM = np.random.default_rng(1973)
N = 200
X = RANDOM.normal(size=(N, 3))
TREATED = RANDOM.random(N) < 1 / (1 + np.exp(1 - X[:, 0]))
SCORE = propensity(TREATED, X).score
STRATA = RANDOM.integers(0, 3, N)


def greedy(score, treated, ratio, caliper, strata, choosers):
    """The obvious loop: every chooser looks at every free control."""
    free, chosen = np.flatnonzero(~treated).tolist(), {i: [] for i in choosers}
    for round_number in range(ratio):
        for i in choosers:
            near = [(abs(score[j] - score[i]), score[j], j) for j in free if strata[j] == strata[i]]
            if len(chosen[i]) < round_number or not near or min(near)[0] > caliper:
                continue
            chosen[i].append(min(near)[2])
            free.remove(min(near)[2])
    return {(i, j) for i, controls in chosen.items() for j in controls}


@pytest.mark.parametrize("order", ["largest", "smallest", "data", "random"])
@pytest.mark.parametrize(("ratio", "caliper"), [(1, 9.0), (1, 0.01), (3, 0.05)])
def test_the_pairs_of_an_obvious_loop(order, ratio, caliper):
    choosers = np.flatnonzero(TREATED)
    if order == "random":
        choosers = choosers[np.random.default_rng(5).permutation(choosers.size)]
    elif order != "data":
        choosers = choosers[np.argsort(SCORE[choosers] * (-1 if order == "largest" else 1), kind="stable")]
    matched = nearest(SCORE, TREATED, ratio, caliper, order=order, seed=5, exact=STRATA)
    assert set(map(tuple, matched.pairs.tolist())) == greedy(SCORE, TREATED, ratio, caliper, STRATA, choosers.tolist())
    assert matched.n_treated + matched.unmatched == TREATED.sum()
    assert matched.weights[TREATED].sum() == matched.n_treated
    assert matched.weights[~TREATED].sum() == pytest.approx(matched.n_controls)


def test_with_replacement_everybody_gets_the_nearest():
    matched = nearest(SCORE, TREATED, ratio=3, replace=True)
    for patient in np.flatnonzero(TREATED)[:20]:
        chosen = matched.pairs[matched.pairs[:, 0] == patient, 1]
        away = np.sort(np.abs(SCORE[~TREATED] - SCORE[patient]))[:3]
        assert np.sort(np.abs(SCORE[chosen] - SCORE[patient])) == pytest.approx(away)


def test_the_caliper_is_in_units_of_the_score_or_of_its_standard_deviation():
    logit = propensity(TREATED, X).logit
    wide = nearest(logit, TREATED, caliper=0.2, caliper_unit="sd")
    assert wide.caliper == pytest.approx(0.2 * np.std(logit, ddof=1))
    assert (np.abs(np.diff(logit[wide.pairs])) <= wide.caliper).all()
    assert nearest(SCORE, TREATED, caliper=0.02).caliper == 0.02


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: nearest(SCORE, np.zeros(N)), "no_match"),
        (lambda: nearest(SCORE * np.nan, TREATED), "no_match"),
        (lambda: nearest(TREATED + 0.0, TREATED, caliper=0.5), "no_match"),
        (lambda: nearest(SCORE, TREATED, exact=TREATED), "no_match"),
        (lambda: propensity(TREATED, TREATED + 0.0), "separation"),
    ],
)
def test_nobody_to_match(call, reason):
    with pytest.raises(NotEstimable) as refused:
        call()
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nearest(SCORE, TREATED, order="closest"), "order is one of"),
        (lambda: nearest(SCORE, TREATED, ratio=0), "ratio"),
        (lambda: balance(X, TREATED, denominator="both"), "unknown denominator"),
        (lambda: propensity_weights(SCORE, TREATED, "atm"), "unknown estimand"),
        (lambda: propensity_weights(SCORE * 0, TREATED), "between 0 and 1"),
        (lambda: pair_table(STRATA, 3, nearest(SCORE, TREATED, ratio=2)), "one control"),
    ],
)
def test_calls_that_are_wrong_say_how(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_matching_and_weights_balance_what_was_not():
    before = balance(X, TREATED)
    pairs = nearest(SCORE, TREATED, caliper=0.02)
    overlap = propensity_weights(SCORE, TREATED, "overlap")
    assert abs(before.difference[0]) > 0.3
    assert abs(balance(X, TREATED, pairs.weights).difference[0]) < 0.1
    assert np.abs(balance(X, TREATED, overlap.weights).difference) == pytest.approx(0, abs=1e-7)  # exact for the logit
    assert overlap.largest < propensity_weights(SCORE, TREATED, "ate").largest
    assert [round(overlap.weights[side].mean(), 9) for side in (TREATED, ~TREATED)] == [1, 1]


def test_unknown_covariates_leave_a_patient_out_and_nobody_else():
    gaps = X.copy()
    gaps[np.flatnonzero(TREATED)[0], 1] = np.nan
    fitted = propensity(TREATED, gaps)
    pairs = nearest(fitted.score, TREATED)
    assert (fitted.missing, np.flatnonzero(TREATED)[0] in pairs.pairs[:, 0]) == (1, False)
    weights = propensity_weights(fitted.score, TREATED)
    assert (weights.missing, weights.weights[np.flatnonzero(TREATED)[0]]) == (1, 0)


def test_matched_sets_go_into_the_paired_tests():
    y = X.sum(axis=1) + TREATED
    pairs = nearest(SCORE, TREATED)
    first, second = pairs.pairs.T
    test = paired_t(pair_differences(y, pairs, decimals=None))
    assert test.estimate == pytest.approx((y[first] - y[second]).mean())
    grade = STRATA.astype(float)
    table = pair_table(grade, 3, pairs)
    assert (table.sum(), table.sum(axis=1).tolist()) == (len(pairs.pairs), np.bincount(STRATA[first]).tolist())


def test_a_weighted_difference_has_the_sandwich_error():
    """R: y <- c(1, 2, 4, 3, 5, 9); t <- c(1, 1, 1, 0, 0, 0); w <- c(1, 2, 1, 0.5, 1, 2); fit <- lm(y ~ t, weights = w)
    x <- model.matrix(fit); b <- solve(crossprod(x, w * x)); sqrt((b %*% crossprod(x * w * resid(fit)) %*% b)[2, 2])"""
    y, treated, w = np.array([1.0, 2, 4, 3, 5, 9]), np.array([1, 1, 1, 0, 0, 0]), np.array([1, 2, 1, 0.5, 1, 2])
    effect = weighted_difference(y, treated, w)
    assert effect.estimate == pytest.approx(-4.75, rel=1e-12)
    assert effect.standard_error == pytest.approx(1.504616620096092, rel=1e-12)
    assert (effect.n, effect.missing) == (6, 0)


@pytest.mark.parametrize(("values", "reason"), [([np.nan, np.nan, 1, 2], "empty_group"), ([3.0, 3, 1, 1], "constant")])
def test_a_weighted_difference_that_is_none(values, reason):
    with pytest.raises(NotEstimable) as error:
        weighted_difference(values, [1, 1, 0, 0], np.ones(4))
    assert error.value.reason == reason


def test_shares_in_pairs_differ_by_those_that_changed():
    """R: n <- 50; b <- 12; c <- 5; d <- (b - c) / n; d + c(-1, 1) * qnorm(.975) * sqrt(b + c - (b - c)^2 / n) / n"""
    effect = pair_risk_difference([[20, 12], [5, 13]])
    assert (effect.estimate, effect.low, effect.high) == pytest.approx(
        (0.14, -0.01689508635711934, 0.29689508635711936), rel=1e-12
    )
    with pytest.raises(NotEstimable) as error:
        pair_risk_difference([[20, 0], [0, 13]])
    assert error.value.reason == "no_discordant_pairs"


# In R: t, w, k are these three
ARM = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
UNEQUAL = np.array([1.2, 0.8, 1.5, 0.6, 1, 0.9, 0.7, 1.1, 1.3, 0.4, 2, 1, 0.5])
GRADES = np.array([0, 1, 2, 1, 2, 0, 0, 0, 1, 2, 0, 1, 1])


def test_weighted_groups_are_those_of_r():
    y = np.array([3, 5, 4, 7, 6, 2, 1, 4, 3, 6, 2, 2, np.nan])
    mean, sd = weighted_moments(y[ARM == 1], UNEQUAL[ARM == 1])
    # m <- cov.wt(cbind(y[t == 1]), w[t == 1], method = "ML"); m$center; sqrt(m$cov)
    assert (mean, sd) == pytest.approx((4.26666666666667, 1.55848929700813), rel=1e-12)
    assert weighted_moments([np.nan], [1.0]) == (None, None)
    # prop.table(xtabs(w[t == 0] ~ k[t == 0]))
    shares = weighted_shares(GRADES[ARM == 0], 3, UNEQUAL[ARM == 0])
    assert shares == pytest.approx([0.5428571428571428, 0.4, 0.0571428571428571], rel=1e-12)
    # f <- lm(model.matrix(~ factor(k))[, -1] ~ t, weights = w); X <- model.matrix(f); b <- coef(f)[2, ]
    # u <- solve(crossprod(X, w * X), t(w * X))[2, ] * resid(f); W <- drop(b %*% solve(crossprod(u), b))
    effect = weighted_wald(GRADES, 3, ARM, UNEQUAL)
    assert (effect.statistic, effect.df, effect.p) == pytest.approx(
        (2.63897200067615, 2, 0.2672726447147885), rel=1e-10
    )


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("risk_ratio", (1.237373737373737, 0.390808021034852, 3.91776443556083)),
        ("odds_ratio", (1.569696969696969, 0.138428843971363, 17.799387078502011)),
    ],
)
def test_weighted_ratios_are_those_of_a_weighted_glm_with_robust_errors(measure, expected):
    # f <- glm(b ~ t, quasibinomial(link), weights = w, control = list(epsilon = 1e-15, maxit = 100))
    # exp(coef(f)[2] + c(0, -1, 1) * qnorm(.975) * sqrt(sandwich::vcovHC(f, type = "HC0")[2, 2])); link "log", "logit"
    happened = np.array([1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0])
    effect = weighted_ratio(happened, ARM, UNEQUAL, measure)
    assert (effect.estimate, effect.low, effect.high) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(NotEstimable, match="a cell of the table is empty"):
        weighted_ratio(ARM, ARM, UNEQUAL, measure)


@pytest.mark.parametrize(
    ("codes", "reason"), [(np.zeros(13), "do not vary"), (np.full(13, -1), "a group has no"), (ARM, "singular")]
)
def test_weighted_shares_that_cannot_be_tested(codes, reason):
    with pytest.raises(NotEstimable, match=reason):
        weighted_wald(codes, 2, ARM, UNEQUAL)


def test_the_odds_ratio_of_pairs_is_exact():
    effect = pair_odds_ratio([[20, 12], [5, 13]])
    # p <- binom.test(12, 17)$conf.int; c(12 / 5, p / (1 - p))
    expected = (2.4, 0.7870458941728161, 8.695981118680267)
    assert (effect.estimate, effect.low, effect.high) == pytest.approx(expected, rel=1e-9)
    one_way = pair_odds_ratio([[20, 12], [0, 13]])  # p <- binom.test(12, 12)$conf.int
    assert (one_way.estimate, one_way.high) == (np.inf, np.inf) and one_way.low == pytest.approx(
        2.77859733055816, rel=1e-9
    )
    with pytest.raises(NotEstimable, match="no pair changed"):
        pair_odds_ratio([[20, 0], [0, 13]])


def test_signs_of_pairs():
    matched = nearest(np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3]), np.array([1, 1, 1, 0, 0, 0]))
    effect = pair_signs(np.array([5, 3, 2, 1, 1, 2]), matched)
    assert (effect.wins, effect.losses, effect.ties, effect.n, effect.p) == (
        2,
        0,
        1,
        3,
        0.5,
    )  # binom.test(2, 2)$p.value
    with pytest.raises(NotEstimable, match="every difference is zero"):
        pair_signs(np.ones(6), matched)
