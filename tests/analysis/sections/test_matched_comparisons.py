"""Tables between the groups of a matched cohort: its patients alone, tests and effects of its pairs, in every file."""

import copy
import json

import numpy as np
import pytest
from scipy import stats

from registry.analysis.data import frame as frames
from registry.analysis.design import plans
from registry.analysis.design.errors import Refused
from registry.analysis.presentation import narrative, tables
from registry.analysis.running import runner
from registry.analysis.sections import reading
from sites.tenancy.scope import everything
from tests.analysis.conftest import store, typed
from tests.analysis.running.test_bundle import needs_r, unpacked, verify, wrong
from tests.analysis.sections.test_in_a_run import EVERYBODY, PLAN, people
from tests.analysis.sections.test_verification import content_of

ROWS = [
    "age_at_surgery", "operative_time_min", "primary_tumour", "procedure", "sex",
    {"variable": "pain_vas_mm", "visits": ["preop", "1m"]}, {"variable": "frankel", "visit": "1m"},
    {"variable": "blood_loss_ml", "test": "signed_rank_uncorrected"},
    {"variable": "walks", "visit": "1m"}, {"variable": "ecog_high", "visit": "1m", "effect": "odds_ratio"},
    {"variable": "hsuv", "visit": "1m", "test": "none"},
]  # fmt: skip
VARIABLES = [
    {"name": "walks", "label": {"en": "Walks", "ja": "歩行可能"}, "of": {"item": "frankel"},
     "categories": [{"code": "yes", "holds": ["D", "E"]}, {"code": "no", "holds": ["A", "B", "C"]}]},
    {"name": "ecog_high", "label": {"en": "ECOG above 2", "ja": "ECOG 3以上"}, "of": {"item": "ecog_ps"},
     "categories": [{"code": "yes", "holds": [3, 4]}, {"code": "no", "holds": [0, 1, 2]}]},
]  # fmt: skip
MATCHED = {
    "code": "pairs", "title": {"en": "Matched patients", "ja": "マッチした患者"}, "matched": "ps", "adjust": "holm",
    "sensitivity": ["complete_cases", "worst_rank"], "rows": ROWS,
}  # fmt: skip
WEIGHTED = {
    "code": "weights", "title": {"en": "Weighted patients", "ja": "重み付けした患者"}, "matched": "ps",
    "sensitivity": ["complete_cases"],
    "rows": [*ROWS[:7], {"variable": "walks", "visit": "1m", "effect": "odds_ratio"},
             {"variable": "ecog_high", "visit": "1m", "effect": "risk_ratio"}],
}  # fmt: skip
WITHIN = {"code": "within", "kind": "within", "matched": "ps", "rows": [{"variable": "pain_vas_mm", "visit": "1m"}]}


def plan_of(*entries, **propensity):
    (section,) = copy.deepcopy(PLAN["propensity"])
    return {
        **{name: PLAN[name] for name in ("name", "grouping", "overall_continuous") if name in PLAN},
        "propensity": [section | propensity], "variables": VARIABLES, "comparisons": list(entries),
    }  # fmt: skip


@pytest.fixture
def read(north):
    store(north, people())

    def data(given):
        plan = plans.from_json(json.loads(json.dumps(given)))
        with everything(reason="test"):
            frame = frames.read(runner.timepoints_needed(plan, EVERYBODY))
        return runner.data_of(plan, frame, EVERYBODY), runner.run(plan, EVERYBODY, frame)

    return data


def row_of(result, name, visit="", place=0):
    rows = result["comparisons"][place]["rows"]
    return next(row for row in rows if (row["variable"], row["timepoint"]) == (name, visit))


def test_pairs_are_compared_by_tests_of_pairs(read):
    data, result = read(plan_of(MATCHED))
    made = reading.read_of(data).patients.matched.made(data.plan.entries("propensity")[0])
    pairs = np.flatnonzero(made.inside)[made.matched.pairs]
    first = list(data.groups).index("female") < list(data.groups).index("male")
    values = data.column("pain_vas_mm", "1m").values[pairs]
    values = values if first else values[:, ::-1]
    values = values[~np.isnan(values).any(axis=1)]
    expected = stats.ttest_rel(values[:, 0], values[:, 1])
    row = row_of(result, "pain_vas_mm", "1m")
    (effect,) = row["effects"].values()
    assert (row["test"], effect["sets"], effect["n"]) == ("paired_t", len(values), [len(values)] * 2)
    assert 10 < len(values) < len(pairs)
    assert row["p"] == effect["p_raw"] == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(effect["confidence"])
    assert (effect["low"], effect["high"]) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert [size["n"] for size in result["comparisons"][0]["sizes"]] == [len(pairs)] * 2
    assert sum(group["n"] + group["missing"] for group in row["groups"].values()) == 2 * len(pairs)
    used = {row["variable"]: row["test"] for row in result["comparisons"][0]["rows"]}
    assert (used["primary_tumour"], used["frankel"], used["walks"]) == ("bowker", "signed_rank_exact", "mcnemar_exact")
    assert row_of(result, "sex")["reason"] == "it defines the groups"
    assert row_of(result, "hsuv", "1m")["effects"].popitem()[1]["estimate"] is not None


def test_the_table_and_the_words_say_whose_pairs_they_are(read):
    _, result = read(plan_of(MATCHED, WITHIN))
    sets = result["comparisons"][0]["sizes"][0]["sets"]
    for language, parts in (
        ("en", (f"({sets} pairs)", "paired t test", "exact McNemar test", f"n = {sets}")),
        ("ja", (f"（{sets}対）", "対応のあるt検定", "正確McNemar検定", f"n = {sets}")),
    ):
        table, within = (
            candidate
            for candidate in tables.tables(typed(result), language)
            if candidate.code in ("comparisons_pairs", "comparisons_within")
        )
        text = "\n".join((*table.notes, *table.header))
        assert all(part in text for part in parts), text
        assert f"n = {sets}" in str(within.spans)
        assert f"{sets}" in narrative.methods(typed(result), language)
    assert "matched patients are not independent" in narrative.methods(typed(result))


def test_weighted_groups_are_compared_by_robust_tests(read):
    data, result = read(plan_of(WEIGHTED, method="weighting", estimand="ate"))
    made = reading.read_of(data).patients.matched.made(data.plan.entries("propensity")[0])
    (entry,) = result["comparisons"]
    row, (code, other) = row_of(result, "pain_vas_mm", "1m"), data.groups
    values, weights = data.column("pain_vas_mm", "1m").values, made.weights
    for name in (code, other):
        chosen = np.zeros(values.size, bool)
        chosen[data.groups[name]] = True
        chosen &= (weights > 0) & ~np.isnan(values)
        group = row["groups"][name]
        assert group["n"] == chosen.sum() and group["mean"] == pytest.approx(
            np.average(values[chosen], weights=weights[chosen]), rel=1e-12
        )
    (effect,) = row["effects"].values()
    assert effect["estimate"] == pytest.approx(row["groups"][code]["mean"] - row["groups"][other]["mean"], rel=1e-9)
    assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(row["statistic"])), rel=1e-9)
    walks = row_of(result, "walks", "1m")
    assert sum(walks["groups"][code]["weighted"].values()) == pytest.approx(1)
    assert (walks["test"], row_of(result, "frankel", "1m")["test"]) == ("weighted_difference", "weighted_wald")
    assert [size["effective"] < size["n"] for size in entry["sizes"]] == [True, True]
    for language, part in (("en", "effective sample sizes"), ("ja", "有効サンプルサイズ")):
        (table,) = (
            candidate for candidate in tables.tables(typed(result), language) if candidate.code == "comparisons_weights"
        )
        assert part in "\n".join(table.notes)
        details = {
            label: value
            for candidate in table.rows
            for cell in candidate.cells
            for label, value in getattr(cell, "details", ())
        }
        assert "vcovHC" in str(details) or "crossprod" in str(details)
    assert "robust (sandwich)" in narrative.methods(typed(result))


def test_weights_that_cannot_be_had_leave_tables_that_say_why(read):
    _, result = read(plan_of(WEIGHTED, method="weighting", covariates=["sex"], exact=[]))
    (entry,) = result["comparisons"]
    assert "separates" in entry["reason"] and [size["n"] for size in entry["sizes"]] == [0, 0]
    row = row_of(result, "age_at_surgery")
    assert (row["p"], row["reason"]) == (None, "not estimable because a group has no observations")
    assert tables.tables(typed(result), "en") and tables.tables(typed(result), "ja")


def test_the_dead_rank_worst_in_pairs_by_the_sign_of_each(read):
    _, result = read(plan_of(MATCHED))
    worst_rank = row_of(result, "pain_vas_mm", "1m")["worst_rank"]
    assert worst_rank["test"] == "sign_of_pairs" and worst_rank["wins"] + worst_rank["losses"] + worst_rank[
        "ties"
    ] <= min(worst_rank["n"])
    assert worst_rank["p"] == pytest.approx(
        stats.binomtest(worst_rank["wins"], worst_rank["wins"] + worst_rank["losses"]).pvalue, rel=1e-9
    )
    (table,) = (candidate for candidate in tables.tables(typed(result), "en") if candidate.code == "comparisons_pairs")
    assert any(f"better in {worst_rank['wins']}, worse in {worst_rank['losses']}" in line.label for line in table.rows)
    _, several = read(plan_of(MATCHED, ratio=2))
    assert "one control" in row_of(several, "pain_vas_mm", "1m")["worst_rank"]["reason"]


def test_several_controls_have_no_table_of_pairs_and_nobody_no_test(read):
    _, several = read(plan_of(MATCHED, ratio=2))
    row = row_of(several, "walks", "1m")
    assert (row["p"], row["reason"]) == (
        None,
        "not estimable because tables of pairs take one control for each treated patient",
    )
    assert row_of(several, "age_at_surgery")["p"] is not None
    _, nobody = read(plan_of(MATCHED, caliper=1e-12))
    assert nobody["comparisons"][0]["sizes"] == [
        {"group": code, "n": 0, "sets": 0} for code in list(nobody["cohort"]["groups"]) if code in ("male", "female")
    ]
    assert row_of(nobody, "age_at_surgery")["reason"] == "not estimable because nobody could be matched"
    assert tables.tables(typed(nobody), "ja")


@pytest.mark.parametrize(
    ("entry", "propensity", "fits"),
    [
        ({"matched": "other"}, {}, "ps"),
        ({}, {"method": "weighting"}, "independent pairs"),
        ({}, {"replace": True}, "independent pairs"),
        ({"kind": "within", "rows": WITHIN["rows"], "sensitivity": []}, {"method": "weighting"}, "independent pairs"),
        ({"sensitivity": []}, {"method": "weighting"}, "weighted_difference"),
        ({"rows": [{"variable": "age_at_surgery", "test": "welch_t"}]}, {}, "paired_t"),
        ({"sensitivity": ["best_rank"]}, {}, "worst_rank"),
        ({"matched": 1}, {}, "such as ps"),
        ({}, {"treated": "nobody"}, "female"),
    ],
)
def test_what_has_no_pairs_is_refused_with_what_fits(north, entry, propensity, fits):
    with pytest.raises(Refused, match=fits):
        plans.from_json(plan_of(MATCHED | entry, **propensity))


@pytest.mark.r
@needs_r
def test_r_computes_matched_comparisons_again(north, tmp_path):
    store(north, people())
    made = [
        plan_of(MATCHED, WITHIN),
        plan_of(MATCHED, ratio=2, treated="male", control="female"),
        plan_of(MATCHED, caliper=1e-12),
        plan_of(WEIGHTED, method="weighting", estimand="overlap"),
        plan_of(WEIGHTED, replace=True, treated="male", control="female"),
    ]
    for place, data in enumerate(made):
        unpacked(tmp_path / str(place), content_of(data))
    checked = verify(*(tmp_path / str(place) for place in range(len(made))))
    assert checked.returncode == 0, "\n".join(wrong(checked)) + checked.stderr
