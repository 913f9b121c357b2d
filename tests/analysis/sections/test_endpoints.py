"""Endpoints: who is in the curve and from when, rates, tests and models, and what is said where there is none."""

import numpy as np
import pytest

from registry.analysis.design.errors import Refused
from registry.analysis.sections import endpoints, propensity
from registry.analysis.sections.declared import written
from registry.analysis.sections.endpoints import hazards, survival_times
from registry.instruments.timepoints import DAYS_A_MONTH
from registry.stats.survival import kaplan_meier, log_rank, survival_at
from tests.analysis.sections.made import Cohort, titled

RELAPSE = {"kind": "days", "variable": "relapse"}


def estimated(patients, **section):
    return endpoints.estimate(endpoints.from_json(titled(**section)), patients).to_json()


def test_overall_survival_is_the_curve_of_the_days():
    cohort = Cohort()
    result = estimated(cohort.patients(), times=[12])
    for place, row in enumerate(result["followed"]):
        mine = cohort.group == place
        curve = kaplan_meier(cohort.followed[mine] / DAYS_A_MONTH, cohort.died[mine])
        assert (row["n"], row["events"], row["median"]) == (mine.sum(), cohort.died[mine].sum(), curve.median)
        assert result["rates"][place]["estimate"] == survival_at(curve, [12])[0].survival
    groups = [(cohort.followed[cohort.group == g] / DAYS_A_MONTH, cohort.died[cohort.group == g]) for g in (0, 1)]
    assert result["tests"][0]["p"] == log_rank(groups).p


def test_time_before_a_landmark_is_nobodys():
    """Whoever is selected by a follow-up cannot have died before: no curve starts earlier, whatever is declared."""
    cohort = Cohort()
    declared = estimated(cohort.patients(), landmark=90)
    selected = estimated(cohort.patients(landmark=90), landmark=30)
    assert declared == selected
    assert declared["landmark_day"] == 90
    early = [int((cohort.followed[cohort.group == g] < 90).sum()) for g in (0, 1)]
    assert [row["before_landmark"] for row in declared["followed"]] == early
    assert [row["n"] + row["before_landmark"] for row in declared["followed"]] == np.bincount(cohort.group).tolist()


def test_the_first_of_event_and_competing_event_counts_and_a_tie_is_the_event():
    cohort = Cohort(n=4, groups=("a",))
    cohort.followed = np.array([100.0, 100, 100, 100])
    cohort.died, cohort.death_day = np.array([1.0, 1, 0, 1]), np.array([100.0, 100, np.nan, 100])
    cohort.relapse = np.array([50.0, 100, np.nan, np.nan])
    times = survival_times.times(
        endpoints.from_json(titled(event=[RELAPSE], competing=[{"kind": "death"}])), cohort.patients()
    )
    assert times.cause.tolist() == [1, 1, 0, 2]
    assert (times.months * DAYS_A_MONTH).tolist() == pytest.approx([50, 100, 100, 100])


def test_a_death_without_a_day_is_counted_and_told():
    cohort = Cohort()
    someone = np.flatnonzero(cohort.died == 1)[0]
    cohort.death_day[someone] = np.nan
    result = estimated(cohort.patients())
    assert sum(row["undated"] for row in result["followed"]) == 1
    assert sum(row["events"] for row in result["followed"]) == cohort.died.sum()


def test_an_event_before_surgery_leaves_its_patient_out_and_says_so():
    cohort = Cohort()
    cohort.relapse[0] = -3
    result = estimated(cohort.patients(), event=[RELAPSE])
    row = result["followed"][cohort.group[0]]
    assert row["before_start"] == row["missing"] == 1
    assert sum(group["n"] for group in result["followed"]) == cohort.n - 1


def test_a_group_without_an_event_keeps_the_rest():
    cohort = Cohort()
    cohort.relapse[cohort.group == 1] = np.nan
    result = estimated(cohort.patients(), event=[RELAPSE], covariates=["age"], times=[12])
    assert result["rates"][1]["estimate"] == 1
    assert result["tests"][0]["p"] < 0.05
    for row in result["hazards"]:
        assert row["estimate"] is None
        assert row["reason"]
    assert "zero or infinity" in result["fits"][0]["reason"]
    assert "(group)" in result["fits"][0]["reason"]


def test_a_covariate_that_cannot_be_in_the_model_is_left_out_with_its_reason():
    cohort = Cohort()
    cohort.columns["same", ""] = np.full(cohort.n, 7.0)
    cohort.columns["nobody", ""] = np.full(cohort.n, np.nan)
    plainly = estimated(cohort.patients(), covariates=["age"])["hazards"]
    result = estimated(cohort.patients(), covariates=["age", "same", "nobody"])["hazards"]
    reasons = {row["variable"]: row["reason"] for row in result if "reason" in row}
    assert reasons == {
        "same": "not estimable because a covariate does not vary",
        "nobody": "not estimable because there are no observations",
    }
    assert [row for row in result if "reason" not in row] == plainly


def test_strata_hold_their_variable_constant():
    result = estimated(Cohort().patients(), tests=["stratified"], strata=["sex"], covariates=["age", "sex"])
    row = next(hazard for hazard in result["hazards"] if hazard["variable"] == "sex")
    assert row["reason"] == hazards.IN_STRATA
    assert [test["test"] for test in result["tests"]] == ["log_rank", "stratified_log_rank"]


def test_whose_stratum_is_unknown_is_in_no_stratum():
    """R: coxph(Surv(months, event) ~ group + age + strata(sex)) leaves out whose sex is NA."""
    cohort = Cohort()
    cohort.columns["sex", ""][::3] = np.nan
    known = np.isfinite(cohort.columns["sex", ""])
    asked = {"tests": ["stratified"], "strata": ["sex"], "covariates": ["age"]}
    result = estimated(cohort.patients(), **asked)
    assert result["hazards"] == estimated(cohort.patients().taken(known), **asked)["hazards"]
    assert [(fit["n"], fit["missing"]) for fit in result["fits"]] == [(known.sum(), (~known).sum())] * 2


def test_matched_patients_alone_with_errors_by_set():
    cohort = Cohort()
    patients = cohort.patients()
    section = propensity.from_json(titled(treated="b", control="a", covariates=["age", "sex"], caliper=0.1))
    made = propensity.made(section, patients)
    patients.matched["made"] = propensity.restricted(section, made)
    result = estimated(patients, matched="made", tests=["stratified"])
    assert sum(row["n"] for row in result["followed"]) == 2 * made.matched.n_treated
    assert result["fits"][0]["robust"]
    assert result["tests"][1]["test"] == "stratified_log_rank"


def test_subgroups_tell_each_category_and_one_interaction():
    rows = estimated(Cohort().patients(), subgroups=["sex"])["subgroups"]
    assert [(row["variable"], row["level"], row["group"]) for row in rows] == [
        ("sex", "m", "a_vs_b"),
        ("sex", "f", "a_vs_b"),
    ]
    assert rows[0]["p_interaction"] == rows[1]["p_interaction"]


def test_nobody_at_all():
    cohort = Cohort()
    cohort.followed[:] = np.nan
    cohort.died[:] = np.nan
    result = estimated(cohort.patients(), horizon=12, subgroups=["sex"], tests=["trend"], competing=[RELAPSE])
    for part in ("followed", "rates", "restricted", "tests", "hazards", "fits", "subgroups"):
        assert all(row["reason"] for row in result[part]), part


def test_a_section_comes_back_from_its_json():
    section = endpoints.from_json(titled(event=[RELAPSE], competing=[{"kind": "death"}], times=[6], horizon=12))
    assert endpoints.from_json(written(section)) == section
    assert hash(section) == hash(endpoints.from_json(written(section)))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"tests": ["gehan"]}, "one of log_rank, trend, stratified"),
        ({"times": [0]}, "> 0"),
        ({"landmark": -1}, "≥ 0"),
        ({"event": []}, "at least 1"),
        ({"code": "A B"}, "is no code"),
        ({"title": {"en": "x"}}, "title in English"),
        ({"until": 3}, "there is no until"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(wrong, why):
    with pytest.raises(Refused, match=why):
        endpoints.from_json(titled() | wrong)


def test_events_on_one_day_alone_have_no_test_of_proportional_hazards():
    cohort = Cohort()
    cohort.relapse = np.where(np.isfinite(cohort.relapse), 1.0, np.nan)
    result = estimated(cohort.patients(), event=[RELAPSE], covariates=["age"])
    assert all(row["estimate"] is not None and row["ph_p"] is None for row in result["hazards"])
