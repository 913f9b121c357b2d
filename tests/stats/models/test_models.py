"""Models beside R's numbers: refusals with their successes, and what must hold whatever the data."""

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable
from registry.stats.models.linear import ancova, linear
from registry.stats.models.logistic import logistic
from registry.stats.models.means import contrasts, least_squares_means, term_test
from registry.stats.models.repeated import repeated_measures
from registry.stats.models.terms import Design, Factor, Number
from registry.stats.ttest import student_t

RANDOM = np.random.default_rng(4)
GROUP = np.arange(60) % 3
BASELINE = RANDOM.normal(50, 10, 60)
FOLLOW_UP = BASELINE * 0.5 + 2 * GROUP + RANDOM.normal(0, 5, 60)
EVENT = (FOLLOW_UP + RANDOM.normal(0, 9, 60) > 27).astype(float)
VISITS = FOLLOW_UP[:, None] + RANDOM.normal(0, 3, (60, 3)) + [0, 1, 2]


@pytest.mark.parametrize(
    ("covariates", "event", "reason", "where"),
    [
        (np.column_stack([BASELINE, EVENT]), EVENT, "separation", (1,)),
        (np.column_stack([BASELINE, EVENT * (GROUP == 1)]), EVENT, "separation", (1,)),  # one cell of four is empty
        (np.column_stack([BASELINE, np.ones(60)]), EVENT, "constant_covariate", (1,)),
        (np.column_stack([BASELINE, GROUP, 2 * GROUP - 1]), EVENT, "collinear", (2,)),
        (BASELINE, np.ones(60), "constant", ()),
        (np.full(60, np.nan), EVENT, "empty", ()),
    ],
)
def test_a_logistic_model_that_cannot_be_fitted_names_the_covariate(covariates, event, reason, where):
    with pytest.raises(NotEstimable) as refused:
        logistic(event, covariates)
    assert (refused.value.reason, refused.value.where) == (reason, where)
    assert logistic(EVENT, np.column_stack([BASELINE, GROUP])).n == 60


def test_fitted_probabilities_stand_with_the_people_they_are_of():
    gaps = BASELINE.copy()
    gaps[7] = np.nan
    model = logistic(EVENT, gaps)
    assert (model.n, model.missing, np.isnan(model.fitted[7])) == (59, 1, True)
    assert np.delete(model.fitted, 7).sum() == pytest.approx(np.delete(EVENT, 7).sum())  # the score is zero


@pytest.mark.parametrize(
    ("outcome", "group", "baseline", "reason"),
    [
        (FOLLOW_UP, GROUP, np.full(60, 3.0), "constant_covariate"),
        (FOLLOW_UP, GROUP * 0, BASELINE, "constant_covariate"),
        (FOLLOW_UP, GROUP, GROUP.astype(float) * 2, "collinear"),
        (BASELINE * 2, GROUP, BASELINE, "constant"),
        (FOLLOW_UP * np.nan, GROUP, BASELINE, "empty"),
        (np.where(np.arange(60) < 4, FOLLOW_UP, np.nan), GROUP, BASELINE, "too_few"),
    ],
)
def test_a_linear_model_that_cannot_be_fitted(outcome, group, baseline, reason):
    with pytest.raises(NotEstimable) as refused:
        ancova(outcome, group, baseline, 3)
    assert refused.value.reason == reason


def test_without_a_baseline_a_linear_model_of_two_groups_is_a_t_test():
    two = GROUP < 2
    model = linear(FOLLOW_UP, Design({"g": Factor(np.where(two, GROUP, -1), 2)}, [("g",)]))
    test = student_t(FOLLOW_UP[GROUP == 1], FOLLOW_UP[GROUP == 0])
    (contrast,) = contrasts(model, "g")
    assert (contrast.estimate, contrast.p, contrast.low) == pytest.approx((test.estimate, test.p, test.low), rel=1e-10)
    assert term_test(model, ("g",)).p == pytest.approx(test.p)


def test_adjusted_contrasts_are_no_surer_and_name_both_methods():
    result = {adjust: ancova(FOLLOW_UP, GROUP, BASELINE, 3, adjust=adjust) for adjust in ("none", "holm", "tukey")}
    plain, holm, tukey = (result[adjust].contrasts for adjust in ("none", "holm", "tukey"))
    for a, b, c in zip(plain, holm, tukey, strict=True):
        assert a.p <= b.p
        assert a.p <= c.p
        assert b.low <= a.low
        assert c.low <= a.low
    assert (holm[0].adjust, holm[0].interval, tukey[0].interval) == ("holm", "bonferroni", "tukey")
    with pytest.raises(ValueError, match="no term"):
        term_test(result["none"].model, ("arm",))


def test_means_hold_numbers_at_their_mean_or_where_they_are_asked():
    model = linear(FOLLOW_UP, Design({"g": Factor(GROUP, 3), "b": Number(BASELINE)}, [("g",), ("b",)]))
    means = least_squares_means(model, ["g"])
    raised = least_squares_means(model, ["g"], at={"b": BASELINE.mean() + 10})
    slope = model.coefficient[model.design.columns_of(("b",))[0]]
    assert [b.estimate - a.estimate for a, b in zip(means, raised, strict=True)] == pytest.approx([10 * slope] * 3)


def test_with_two_visits_known_for_all_the_change_is_a_paired_t_test():
    """In complete data the contrast of visits within one group is that of a paired t test, and so are its degrees."""
    from registry.stats.ttest import paired_t

    alone = GROUP == 0
    course = VISITS[alone][:, :2]
    model = repeated_measures(np.vstack([course, course + 100]), np.repeat([0, 1], len(course)))
    change = contrasts(model, "visit", "group")[0]
    paired = paired_t(course[:, 1] - course[:, 0])
    assert change.estimate == pytest.approx(paired.estimate)
    assert change.statistic == pytest.approx(paired.statistic, rel=1e-6)
    assert change.df == pytest.approx(2 * paired.df, rel=1e-4)  # both groups tell of one variance


@pytest.mark.parametrize(
    ("outcome", "group", "reason"),
    [
        (np.column_stack([FOLLOW_UP, np.full(60, np.nan)]), GROUP, "too_few_visits"),
        (np.full((60, 2), np.nan), GROUP, "too_few_visits"),
        (np.column_stack([FOLLOW_UP, VISITS[:, :2] * np.nan]), GROUP, "too_few_visits"),
        (np.where(np.arange(120).reshape(60, 2) % 2 == (GROUP % 2)[:, None], 1.0, np.nan), GROUP, "too_few"),
        (VISITS, GROUP * 0, "constant_covariate"),
        (np.column_stack([FOLLOW_UP, FOLLOW_UP]), GROUP, "singular"),
    ],
)
def test_a_course_that_cannot_be_modelled(outcome, group, reason):
    with pytest.raises(NotEstimable) as refused:
        repeated_measures(outcome, group, groups=3)
    assert refused.value.reason == reason


def test_gaps_are_counted_and_patients_without_a_value_are_missing():
    gaps = VISITS.copy()
    gaps[3] = np.nan
    gaps[5:15, 2] = np.nan
    model = repeated_measures(gaps, GROUP, BASELINE)
    assert (model.n, model.missing, model.observations) == (59, 1, 167)
    assert model.at_visit.tolist() == [59, 59, 49]
    assert model.decrement < 1e-18
    assert (np.linalg.eigvalsh(model.of_visits) > 0).all()
    assert 30 < model.df_of(np.eye(len(model.coefficient))[1]) < 170
    with pytest.raises(ValueError, match="structure"):
        repeated_measures(gaps, GROUP, structure="toeplitz")
