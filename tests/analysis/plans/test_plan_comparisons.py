"""Rows of a plan's comparisons: tests, effects with intervals, n behind each P, why values lack, sensitivity."""

import pytest
from scipy import stats

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.presentation import narrative, tables
from registry.analysis.running import runner
from sites.tenancy.scope import everything
from tests.analysis.conftest import patient, typed

GROUPS = [
    {"code": "lung", "label": {"en": "Lung", "ja": "肺"},
     "steps": [{"step": "primary_tumour", "values": ["lung"]}]},
    {"code": "others", "label": {"en": "Others", "ja": "その他"},
     "steps": [{"step": "primary_tumour", "values": ["breast", "renal", "other"]}]},
]  # fmt: skip
PLAN = {
    "name": "tried",
    "grouping": "named",
    "named": GROUPS,
    "overall_continuous": "t_test",
    "variables": [
        {"name": "low", "label": {"en": "Frankel A–C", "ja": "Frankel A〜C"}, "of": {"item": "frankel"},
         "categories": [{"code": "abc", "holds": ["A", "B", "C"]}, {"code": "de", "holds": ["D", "E"]}]},
        {"name": "complication", "of": {"events": []}},
    ],
    "comparisons": [
        {"code": "before", "title": {"en": "Before surgery", "ja": "術前"},
         "rows": ["age_at_surgery", "sex", "primary_tumour", "complication", {"variable": "frankel", "visit": "preop"},
                  {"variable": "low", "visit": "preop", "test": "chi_square", "effect": "risk_ratio"}]},
        {"code": "after", "title": {"en": "After", "ja": "術後"}, "adjust": "holm", "family": "section",
         "sensitivity": ["worst_rank", "complete_cases"],
         "rows": [{"variable": "pain_vas_mm", "visits": ["preop", "1m"], "test": "mann_whitney"},
                  {"variable": "hsuv", "visit": "1m"},
                  {"variable": "low", "visit": "1m", "effect": "odds_ratio_exact"}]},
        {"code": "within", "title": {"en": "Before and after", "ja": "前後"}, "kind": "within", "exploratory": True,
         "rows": [{"variable": "pain_vas_mm", "visit": "1m"}, {"variable": "low", "visit": "1m"},
                  {"variable": "frankel", "visit": "1m", "test": "marginal_homogeneity"}]},
    ],
}  # fmt: skip


def run(data, cohort="all"):
    plan, cohort = plans.from_json(data), cohorts.get(cohort)
    with everything(reason="test"):
        return runner.run(plan, cohort, frames.read(runner.timepoints_needed(plan, cohort)))


@pytest.fixture
def result(random_patients):
    return run(PLAN)


def rows_of(result, code):
    entry = next(entry for entry in result["comparisons"] if entry["code"] == code)
    return {(row["variable"], row["timepoint"]): row for row in entry["rows"]}


def test_each_row_has_its_test_effect_and_n(result, random_patients):
    row = rows_of(result, "before")["age_at_surgery", ""]
    ages = {
        code: [
            person["age_at_surgery"]
            for person in random_patients
            if person["primary_tumour"] in levels and person["age_at_surgery"]
        ]
        for code, levels in (("lung", ["lung"]), ("others", ["breast", "renal", "other"]))
    }
    expected = stats.ttest_ind(ages["lung"], ages["others"], equal_var=False)
    effect = row["effects"]["lung_vs_others"]
    assert effect["n"] == [len(ages["lung"]), len(ages["others"])]
    assert effect["p"] == row["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (effect["low"], effect["high"]) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert (row["kind"], row["test"], effect["measure"]) == ("continuous", "welch_t", "mean_difference")
    assert row["groups"]["lung"]["missing"] == sum(row["groups"]["lung"]["why"].values())


def test_the_row_of_what_makes_the_groups_has_no_test(result):
    row = rows_of(result, "before")["primary_tumour", ""]
    assert (row["p"], row["reason"], row["effects"]) == (None, "it defines the groups", {})
    assert any("defines the groups" in note for table in tables.tables(typed(result)) for note in table.notes)


def test_families_adjust_p_and_widen_intervals_alike(result):
    rows = list(rows_of(result, "after").values())
    effects = [row["effects"]["lung_vs_others"] for row in rows]
    raw = sorted(effect["p_raw"] for effect in effects)
    assert min(effect["p"] for effect in effects) == pytest.approx(min(1, 4 * raw[0]))
    assert {effect["confidence"] for effect in effects} == {1 - 0.05 / 4}


def test_the_dead_may_be_ranked_worst_and_cases_be_complete(result):
    row = rows_of(result, "after")["pain_vas_mm", "1m"]
    groups = row["groups"].values()
    assert row["worst_rank"]["n"] == [group["n"] + group["why"].get("died_before", 0) for group in groups]
    assert row["complete_cases"]["n"] == [entry["n"] for entry in row["baseline_of_compared"].values()]
    assert rows_of(result, "after")["low", "1m"]["worst_rank"]["p"] is None


def test_before_and_after_are_of_the_same_patients(result):
    row = rows_of(result, "within")["pain_vas_mm", "1m"]
    for group in row["groups"].values():
        assert group["n"] == group["baseline_of_compared"]["n"] == group["followup"]["n"]
        assert group["baseline_of_all"]["n"] >= group["n"]
    grades = rows_of(result, "within")["frankel", "1m"]["groups"]["lung"]
    assert sum(grades["changed"].values()) == grades["n"]


def test_words_name_the_population_the_tests_and_what_was_missing(result):
    text = narrative.methods(typed(result))
    for part in (
        "All enrolled patients",
        "Welch's t test",
        "not adjusted for multiplicity",
        "Holm correction",
        "exploratory",
    ):
        assert part in text
    assert "EQ-5D" not in text and "segment" not in text.lower()
    japanese = narrative.methods(typed(result), "ja")
    assert "Welchのt検定" in japanese and "探索的" in japanese
    titles = [table.title for table in tables.tables(typed(result), "ja")]
    assert titles[1:] == ["術前", "術後", "前後 (探索的)"]


def test_tables_count_each_reason_by_itself(result):
    table = next(table for table in tables.tables(typed(result)) if table.code == "comparisons_after")
    row = rows_of(result, "after")["pain_vas_mm", "1m"]
    assert ("unknown: Died before the visit", "1", "3") in [(line.label, *line.cells[:2]) for line in table.rows]
    assert [group["why"]["died_before"] for group in row["groups"].values()] == [1, 3]


def test_small_expected_counts_are_warned_of(stored):
    who = [("lung", "male")] * 9 + [("lung", "female")] + [("breast", "female")] * 3 + [("breast", "male")]
    stored([patient(primary_tumour=tumour, sex=sex) for tumour, sex in who])
    entry = {"code": "x", "rows": [{"variable": "sex", "test": "chi_square"}]}
    result = run(PLAN | {"comparisons": [entry]})
    row = result["comparisons"][0]["rows"][0]
    assert (row["small_expected"], row["cells"]) == (3, 4)
    table = next(table for table in tables.tables(typed(result)) if table.code == "comparisons_x")
    assert any("3 of 4 expected counts are below 5" in note for note in table.notes)


def test_trend_over_ordered_groups(random_patients):
    named = [
        {"code": code, "label": {"en": code, "ja": code},
         "steps": [{"step": "at_least", "variable": "sins_total", "minimum": low},
                   {"step": "at_most", "variable": "sins_total", "maximum": high}]}
        for code, low, high in (("stable", 0, 6), ("potential", 7, 12), ("unstable", 13, 18))
    ]  # fmt: skip
    entry = {
        "code": "trend",
        "rows": [{"variable": "age_at_surgery", "test": "jonckheere"}, {"variable": "sex", "test": "cochran_armitage"}],
    }
    result = run({"name": "t", "grouping": "named", "named": named, "comparisons": [entry]})
    age, sex = result["comparisons"][0]["rows"]
    assert (age["test"], sex["test"]) == ("jonckheere", "cochran_armitage")
    assert 0 < age["p"] < 1 and 0 < sex["p"] < 1
    assert list(age["effects"]) == result["method"]["pairs"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"code": "x", "rows": [{"variable": "sex", "test": "welch_t"}]},
            "Comparisons 1: sex: test: “welch_t” does not",
        ),
        ({"code": "x", "rows": [{"variable": "frankel"}]}, "“frankel” is assessed at visits: name one"),
        (
            {"code": "x", "rows": [{"variable": "frankel", "visit": "9w"}]},
            "“9w” is no visit of this registry; one of preop",
        ),
        ({"code": "x", "rows": [{"variable": "karnofsky"}]}, "this registry collects no “karnofsky”"),
        ({"code": "x", "rows": []}, "name at least one row"),
        ({"code": "x", "rows": ["sex"], "colour": 1}, "no part colour; it may have adjust"),
        ({"code": "x", "kind": "within", "rows": ["sex"]}, "has no before and after"),
        ({"rows": ["sex"]}, "incomplete or of another shape"),
    ],
)
def test_what_is_no_comparison_is_refused(entry, says):
    with pytest.raises(ValueError, match=".") as caught:
        plans.from_json({"name": "x", "comparisons": [entry]})
    assert says in str(caught.value)


def test_a_plan_with_comparisons_goes_to_json_and_back(db):
    plan = plans.from_json(PLAN)
    assert plans.from_json(plan.to_json()) == plan


def test_a_run_that_can_keep_few_columns_comes_to_the_same(random_patients, result, monkeypatch):
    monkeypatch.setattr(runner, "BYTES_A_PATIENT", runner.MOST_KEPT)
    assert run(PLAN)["comparisons"] == result["comparisons"]
