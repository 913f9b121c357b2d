"""Models, propensity, quality of life and transitions: published tables, the functions behind, and every failure."""

from types import SimpleNamespace

import numpy as np
import pytest

from registry.analysis.design.errors import Refused
from registry.analysis.presentation.words import Words
from registry.analysis.results.models import ModelResult
from registry.analysis.sections import models, propensity, quality, transitions
from registry.analysis.sections.declared import written
from registry.analysis.sections.propensity.balance import overlap
from registry.analysis.sections.propensity.outcomes import ONE_TO_ONE
from registry.analysis.sections.showing.texts import Names
from registry.stats.arrays import differences
from registry.stats.models.linear import ancova
from registry.stats.models.logistic import logistic
from registry.stats.models.repeated import repeated_measures
from registry.stats.ttest import paired_t, welch_t
from tests.analysis.sections.made import Cohort, titled

MODULES = {"models": models, "propensity": propensity, "quality": quality, "transitions": transitions}
GRADE = {"variable": "grade", "before": "preop", "after": "6m"}
MATCHING = {"treated": "b", "control": "a", "covariates": ["age", "sex", "sins"]}


def estimated(kind, patients, **section):
    module = MODULES[kind]
    return module.estimate(module.from_json(titled(**section)), patients).to_json()


# Transitions


def test_the_published_transitions_of_two_groups():
    """AIS before and six months after, 55 pairs: Zheng et al., doi:10.21203/rs.3.rs-522631/v1, Table 4."""
    tables = {
        "a": [[0] * 5, [0, 3, 3, 4, 2], [0, 0, 3, 6, 12], [0, 0, 0, 2, 20], [0] * 5],
        "b": [[0] * 5, [0, 2, 5, 4, 3], [0, 0, 2, 5, 11], [0, 0, 0, 1, 22], [0] * 5],
    }
    rows = [
        (group, before, after)
        for group, table in enumerate(tables.values())
        for before, line in enumerate(table)
        for after, count in enumerate(line)
        for _ in range(count)
    ]
    cohort = Cohort(n=110)
    cohort.group, cohort.columns["grade", "preop"], cohort.columns["grade", "6m"] = np.array(rows).T
    result = estimated("transitions", cohort.patients(), **GRADE)
    counts = {(row["group"], row["before"], row["after"]): row["count"] for row in result["cells"]}
    assert all(
        counts[group, "ABCDE"[i], "ABCDE"[j]] == count
        for group, table in tables.items()
        for i, line in enumerate(table)
        for j, count in enumerate(line)
    )
    after = [row["after"] for row in result["margins"] if row["group"] == "a"]
    assert after == [0, 3, 6, 12, 34]
    assert [row["after"] for row in result["margins"] if row["group"] == "b"] == [0, 2, 7, 10, 36]
    assert [(row["up"], row["same"], row["down"]) for row in result["moved"]] == [(47, 8, 0), (50, 5, 0)]


def test_nobody_changed():
    cohort = Cohort()
    cohort.columns["grade", "6m"] = cohort.columns["grade", "preop"]
    result = estimated("transitions", cohort.patients(), **GRADE)
    assert all(row["reason"] for row in result["tests"])
    assert all(row["same"] == row["n"] for row in result["moved"])


def test_a_number_has_no_transitions():
    with pytest.raises(Refused, match="cut it in the plan"):
        estimated("transitions", Cohort().patients(), variable="hsuv", before="preop", after="6m")


# Models


def test_ancova_is_the_linear_model():
    cohort = Cohort(groups=("a", "b", "c"))
    result = estimated("models", cohort.patients(), model="ancova", outcome="hsuv", visits=["6m"], baseline="preop")
    expected = ancova(cohort.columns["hsuv", "6m"], cohort.group, cohort.columns["hsuv", "preop"], 3)
    assert [row["estimate"] for row in result["means"]] == pytest.approx([mean.estimate for mean in expected.means])
    by_pair = {(contrast.second[0][1], contrast.first[0][1]): contrast for contrast in expected.contrasts}
    pairs = {"a_vs_b": (0, 1), "b_vs_c": (1, 2), "a_vs_c": (0, 2)}
    assert [row["group"] for row in result["contrasts"]] == list(pairs)
    for row in result["contrasts"]:
        pair = by_pair[pairs[row["group"]]]
        assert (row["estimate"], row["p"]) == pytest.approx((pair.estimate, pair.p))
    assert result["terms"][0]["p"] == pytest.approx(expected.group.p)
    assert result["terms"][1]["p"] == pytest.approx(expected.slopes.p)


def test_logistic_regression_tells_odds_ratios():
    cohort = Cohort()
    result = estimated("models", cohort.patients(), model="logistic", outcome="sex", event=["f"], covariates=["age"])
    expected = logistic(cohort.columns["sex", ""], np.column_stack([cohort.group, cohort.columns["age", ""]]))
    assert [row["estimate"] for row in result["coefficients"]] == pytest.approx(expected.odds_ratio[1:].tolist())


def test_separation_is_told_where_it_is():
    cohort = Cohort()
    cohort.columns["age", ""] = cohort.columns["sex", ""] * 10 + np.arange(cohort.n) / 100
    result = estimated("models", cohort.patients(), model="logistic", outcome="sex", event=["f"], covariates=["age"])
    assert "separates" in result["fits"][0]["reason"]
    assert "(age)" in result["fits"][0]["reason"]
    assert all(row["estimate"] is None and row["reason"] for row in result["coefficients"])
    words, age = object.__new__(Words), {"label": {"en": "Age", "ja": "年齢"}, "unit": "", "levels": {}}
    words.language = "ja"
    why = Names(ModelResult.from_json(result | {"names": {"age": age}}), words).why(result["fits"][0]["reason"])
    assert why == "共変量が結果の有無を完全に分ける（年齢）"  # the page names what the reader knows


def test_repeated_measures_by_visit():
    cohort = Cohort()
    visits = ["1m", "3m", "6m"]
    result = estimated("models", cohort.patients(), model="repeated", outcome="hsuv", visits=visits, baseline="preop")
    y = np.column_stack([cohort.columns["hsuv", visit] for visit in visits])
    known = np.isfinite(y).any(axis=1)
    expected = repeated_measures(y[known], cohort.group[known], cohort.columns["hsuv", "preop"][known])
    assert result["fits"][0]["log_likelihood"] == pytest.approx(expected.log_likelihood)
    assert [(row["group"], row["visit"]) for row in result["contrasts"]] == [("a_vs_b", visit) for visit in visits]
    assert result["covariance"][0]["covariance"] == pytest.approx(expected.of_visits[0, 0])


def test_a_visit_without_values_is_left_out_and_one_visit_is_too_few():
    cohort = Cohort()
    cohort.columns["hsuv", "3m"] = np.full(cohort.n, np.nan)
    some = {"model": "repeated", "outcome": "hsuv", "baseline": "preop"}
    result = estimated("models", cohort.patients(), visits=["1m", "3m", "6m"], **some)
    assert [row["estimate"] is None for row in result["means"]] == [False, True, False] * 2
    cohort.columns["hsuv", "6m"] = np.full(cohort.n, np.nan)
    result = estimated("models", cohort.patients(), visits=["1m", "3m", "6m"], **some)
    assert result["fits"][0]["reason"] == "not estimable because fewer than two visits have values"


def test_a_singular_covariance_is_told():
    cohort = Cohort()
    for visit in ("1m", "3m"):
        cohort.columns["hsuv", visit] = cohort.columns["hsuv", "preop"] * 2
    result = estimated("models", cohort.patients(), model="repeated", outcome="hsuv", visits=["1m", "3m"])
    assert result["fits"][0]["reason"]


@pytest.mark.parametrize("model", ["ancova", "repeated", "logistic"])
def test_one_group_alone_keeps_its_place(model):
    cohort = Cohort(groups=("a",))
    more = {"event": ["f"]} if model == "logistic" else {"baseline": "preop"}
    outcome = "sex" if model == "logistic" else "hsuv"
    visits = {"ancova": ["6m"], "repeated": ["1m", "6m"], "logistic": []}[model]
    result = estimated("models", cohort.patients(), model=model, outcome=outcome, visits=visits, **more)
    assert result["fits"][0]["reason"]


# Propensity


def test_a_score_that_rounding_left_below_an_edge_counts_above_it():
    """R: floor(round((0.5 - 2^-54) * 20, 9)) is 10, as of 0.5 itself; 1 is within the last of the twenty."""
    ones = np.ones(4)
    score = np.array([0.5, np.nextafter(0.5, 0), 0.49999, 1.0])
    done = SimpleNamespace(score=score, weights=ones, treated=ones > 0, inside=ones > 0)
    rows = overlap(propensity.from_json(titled(**MATCHING)), done)
    assert {row.low: row.count for row in rows if row.count} == {0.45: 1, 0.5: 2, 0.95: 1}


def test_pairs_are_compared_within():
    cohort = Cohort()
    patients = cohort.patients()
    section = propensity.from_json(titled(**MATCHING, caliper=0.05, outcomes=[{"variable": "hsuv", "visit": "6m"}]))
    made = propensity.made(section, patients)
    result = propensity.estimate(section, patients, made).to_json()
    treated, control = np.array(result["pairs"]).T
    assert (cohort.group[treated] == 1).all()
    assert (cohort.group[control] == 0).all()
    assert np.abs(made.score[treated] - made.score[control]).max() <= 0.05
    y = cohort.columns["hsuv", "6m"]
    expected = paired_t(differences(y[control], y[treated]))
    row = result["outcomes"][0]
    assert (row["p"], row["estimate"], row["n"]) == (expected.p, expected.estimate, expected.n)
    after = next(row for row in result["balance"] if row["variable"] == "age")
    age = cohort.columns["age", ""]
    assert after["treated_after"] == pytest.approx(age[treated].mean())
    assert result["sizes"][0]["used"] == len(treated) == result["fits"][0]["sets"]


def test_a_caliper_that_nobody_meets_leaves_scores_and_says_so():
    cohort = Cohort()
    cohort.columns["age", ""] += np.arange(cohort.n) / 1000
    outcomes = [{"variable": "hsuv", "visit": "6m"}]
    result = estimated("propensity", cohort.patients(), **MATCHING, caliper=1e-12, outcomes=outcomes)
    assert result["fits"][0]["reason"] == "not estimable because nobody could be matched"
    assert result["outcomes"][0]["reason"] == result["fits"][0]["reason"]
    assert result["balance"][0]["smd_before"] is not None
    assert result["balance"][0]["smd_after"] is None


def test_a_covariate_that_tells_the_treatment_is_named():
    cohort = Cohort()
    cohort.columns["age", ""] = cohort.group * 50.0 + np.arange(cohort.n) / 100
    result = estimated("propensity", cohort.patients(), **MATCHING)
    assert "separates" in result["fits"][0]["reason"]
    assert "(age)" in result["fits"][0]["reason"]


def test_weights_balance_and_compare():
    cohort = Cohort()
    outcomes = [{"variable": "hsuv", "visit": "6m"}, {"variable": "grade", "visit": "6m"}]
    result = estimated(
        "propensity", cohort.patients(), **MATCHING, method="weighting", estimand="overlap", outcomes=outcomes
    )
    assert max(abs(row["smd_after"]) for row in result["balance"]) < 1e-9  # overlap weights of a logistic score
    assert result["outcomes"][0]["p"] < 0.05
    assert "two categories" in result["outcomes"][1]["reason"]


def test_several_controls_have_no_table_of_pairs():
    result = estimated("propensity", Cohort().patients(), **MATCHING, ratio=2, outcomes=[{"variable": "sex"}])
    assert result["outcomes"][0]["reason"] == ONE_TO_ONE


# Quality of life


@pytest.mark.parametrize("gaps", ["carried", "linear", "complete"])
def test_who_died_on_the_day_of_surgery_is_not_left_out_of_qalys(gaps):
    cohort = Cohort(n=3, groups=("a",))
    cohort.group = np.zeros(3, int)
    for visit in ("preop", "12m"):
        cohort.columns["hsuv", visit] = np.array([1.0, 1.0, np.nan])
    cohort.columns["hsuv", "preop"][2] = 0.5
    cohort.died, cohort.followed = np.array([0.0, 1.0, 1.0]), np.array([400.0, 0.0, -1.0])
    cohort.death_day = np.array([np.nan, 0.0, -1.0])  # the last is an error of the data
    asked = {"measure": "qaly", "variable": "hsuv", "visits": ["preop", "12m"], "horizon": 11.99, "gaps": gaps}
    (row,) = estimated("quality", cohort.patients(), **asked)["years"]
    assert (row["n"], row["unknown"], row["died"]) == (2, 1, 1)
    assert row["mean"] == pytest.approx(11.99 / 24)


def test_only_what_was_due_before_death_and_horizon_is_a_gap_of_qalys():
    """R: 91 is the planned day of 3m; sum(diff(c(0, 30, 60)) * c(1, 0.5)) / 365.25 of who died on day 60."""
    cohort = Cohort(n=4, groups=("a",))
    cohort.group = np.zeros(4, int)
    for visit in ("preop", "1m", "3m", "6m", "12m"):
        cohort.columns["hsuv", visit] = np.ones(4)
    for visit in ("3m", "6m", "12m"):
        cohort.columns["hsuv", visit][[0, 1]] = np.nan  # dead on day 60; dead on day 120, so that 3m lacks
    cohort.columns["hsuv", "12m"][2] = np.nan  # beyond the horizon
    cohort.columns["hsuv", "1m"][3] = np.nan
    cohort.died, cohort.followed = np.array([1.0, 1, 0, 0]), np.array([60.0, 120, 400, 400])
    cohort.death_day = np.array([60.0, 120.0, np.nan, np.nan])
    asked = {"measure": "qaly", "variable": "hsuv", "visits": ["preop", "1m", "3m", "6m", "12m"], "horizon": 6}
    patients = cohort.patients(planned_day={"preop": 0, "1m": 30, "3m": 91, "6m": 183, "12m": 365}.get)
    (row,) = estimated("quality", patients, **asked, gaps="complete")["years"]
    assert (row["n"], row["unknown"], row["died"]) == (2, 2, 1)
    assert row["mean"] == pytest.approx((45 / 365.25 + 0.5) / 2)


def test_qalys_count_the_dead_as_zero_from_their_day():
    cohort = Cohort(n=2, groups=("a", "b"))
    cohort.group = np.array([0, 1])
    for visit in ("preop", "12m"):
        cohort.columns["hsuv", visit] = np.array([1.0, 1.0])
    cohort.died, cohort.followed = np.array([0.0, 1.0]), np.array([400.0, 182.625])
    cohort.death_day = np.array([np.nan, 182.625])
    result = estimated(
        "quality",
        cohort.patients(),
        measure="qaly",
        variable="hsuv",
        visits=["preop", "12m"],
        horizon=11.99,
        gaps="carried",
    )
    assert result["years"][0]["mean"] == pytest.approx(11.99 / 12)
    assert result["years"][1]["mean"] == pytest.approx(0.5)
    assert [row["died"] for row in result["years"]] == [0, 1]


def test_the_course_tells_survivors_and_everybody():
    cohort = Cohort()
    result = estimated("quality", cohort.patients(), measure="course", variable="hsuv", visits=["preop", "6m"])
    values = cohort.columns["hsuv", "6m"]
    dead = (cohort.death_day <= 183) & np.isnan(values)
    sides = []
    for place, row in enumerate(row for row in result["course"] if row["visit"] == "6m"):
        mine = cohort.group == place
        everybody = np.where(dead, 0.0, values)[mine]
        sides.append(everybody[np.isfinite(everybody)])
        assert row["mean"] == pytest.approx(np.nanmean(values[mine]))
        assert row["mean_with_dead"] == pytest.approx(np.nanmean(everybody))
        assert row["n"] + row["missing"] + row["died"] == mine.sum()
    expected = welch_t(sides[1], sides[0])
    assert [row["p"] for row in result["differences"]][1] == pytest.approx(expected.p)


def test_responders_reach_the_threshold_exactly():
    cohort = Cohort(n=6, groups=("a", "b"))
    cohort.group = np.array([0, 0, 0, 1, 1, 1])
    cohort.columns["hsuv", "preop"] = np.array([0.1] * 6)
    cohort.columns["hsuv", "6m"] = np.array([0.2, 0.19, 0.0, 0.3, np.nan, 0.2])
    result = estimated(
        "quality", cohort.patients(), measure="responders", variable="hsuv", visits=["preop", "6m"], threshold=0.1
    )
    counts = [(row["n"], row["missing"], row["improved"], row["same"], row["worse"]) for row in result["responders"]]
    assert counts == [(3, 0, 1, 1, 1), (2, 1, 2, 0, 0)]


def test_nobody_has_a_value():
    cohort = Cohort()
    for visit in ("preop", "6m"):
        cohort.columns["hsuv", visit] = np.full(cohort.n, np.nan)
    cohort.death_day[:], cohort.died[:] = np.nan, 0
    shared = {"variable": "hsuv", "visits": ["preop", "6m"]}
    for measure, more, part in (
        ("qaly", {"horizon": 6}, "years"),
        ("course", {}, "course"),
        ("responders", {"threshold": 0.1}, "responders"),
    ):
        result = estimated("quality", cohort.patients(), measure=measure, **shared, **more)
        assert all(row["reason"] for row in (*result[part], *result["differences"]))


# As data


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("models", {"model": "ancova", "outcome": "hsuv", "visits": ["6m"], "baseline": "preop"}),
        ("propensity", {**MATCHING, "outcomes": [{"variable": "hsuv", "visit": "6m"}]}),
        ("quality", {"measure": "qaly", "variable": "hsuv", "visits": ["preop", "6m"], "horizon": 6}),
        ("transitions", GRADE),
    ],
)
def test_a_section_comes_back_from_its_json(kind, section):
    read = MODULES[kind].from_json(titled(**section))
    again = MODULES[kind].from_json(written(read))
    assert (again, hash(again)) == (read, hash(read))


@pytest.mark.parametrize(
    ("kind", "section", "why"),
    [
        ("models", {"model": "ancova", "outcome": "hsuv", "visits": ["6m"]}, "needs a baseline"),
        ("models", {"model": "repeated", "outcome": "hsuv", "visits": ["6m"]}, "2 to 30 visits"),
        ("models", {"model": "ancova", "outcome": "hsuv", "visits": ["6m"], "baseline": "6m"}, "among the visits"),
        ("models", {"model": "probit", "outcome": "hsuv"}, "one of ancova, logistic, repeated"),
        ("propensity", MATCHING | {"control": "b"}, "two groups"),
        ("propensity", MATCHING | {"caliper": 0}, "> 0"),
        ("propensity", MATCHING | {"covariates": []}, "at least 1"),
        ("propensity", MATCHING | {"outcomes": ["hsuv"]}, "an object with variable"),
        ("quality", {"measure": "qaly", "variable": "hsuv", "visits": ["preop", "6m"]}, "horizon"),
        ("transitions", GRADE | {"after": "preop"}, "two visits"),
    ],
)
def test_what_does_not_fit_is_refused(kind, section, why):
    with pytest.raises(Refused, match=why):
        MODULES[kind].from_json(titled(**section))
