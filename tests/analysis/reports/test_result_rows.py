"""The JSON of a comparison's rows is a contract: names, their order, and what is left out where it does not apply."""

import json

import pytest

from registry.analysis.running import rows
from registry.analysis.sections.endpoints.result import Hazard
from registry.analysis.sections.typed import Estimate, plain

AGE = rows.Described(2, 1, 60.5, 0.5, 60.5, 60.25, 60.75, 60.0, 61.0)
AGE_JSON = (
    '{"n": 2, "missing": 1, "mean": 60.5, "sd": 0.5, "median": 60.5, "q1": 60.25, "q3": 60.75, '
    '"min": 60.0, "max": 61.0}'
)
SEX = rows.Counted(3, 0, {"F": 1, "M": 2})
SEX_JSON = '{"n": 3, "missing": 0, "counts": {"F": 1, "M": 2}}'
NONE = rows.Tested(reason="not estimable because {}")
PAIRS = {"a_vs_b": rows.Tested(0.5, statistic=0.0, df=3.5), "a_vs_c": NONE}
ADJUSTED = rows.Pairwise(PAIRS, "bh", {"a_vs_b": 1.0})
ROWS = [
    (
        rows.Overall("age", "continuous", "anova", rows.Tested(0.25, statistic=1.5, df=[2.0, 9.0]), {"a": AGE}),
        '{"variable": "age", "kind": "continuous", "test": "anova", "p": 0.25, "statistic": 1.5, "df": [2.0, 9.0], '
        '"groups": {"a": ' + AGE_JSON + "}}",
    ),
    (
        rows.Overall(
            *("sex", "categorical", "chi_square", NONE, {"a": SEX}),
            rows.Second("fisher", rows.Tested(0.5, monte_carlo=rows.Sampled(0.01, 1000, 1, "large"))),
        ),
        '{"variable": "sex", "kind": "categorical", "test": "chi_square", "p_fisher": 0.5, "monte_carlo_fisher": '
        '{"standard_error": 0.01, "resamples": 1000, "seed": 1, "why": "large"}, "p": null, '
        '"reason": "not estimable because {}", "groups": {"a": ' + SEX_JSON + "}}",
    ),
    (
        rows.BeforeAfter(
            "sex", "a", "1m", "categorical", "fisher", rows.Tested(1.0), rows.Second("mcnemar", NONE), 3, SEX, SEX
        ),
        '{"variable": "sex", "group": "a", "timepoint": "1m", "kind": "categorical", "test": "fisher", "p": 1.0, '
        '"p_mcnemar": null, "reason_mcnemar": "not estimable because {}", "pairs": 3, '
        '"baseline": ' + SEX_JSON + ', "followup": ' + SEX_JSON + "}",
    ),
    (
        rows.Between("age", "delta", "continuous", "tukey", rows.Pairwise(PAIRS), {"a": AGE}, "1m"),
        '{"variable": "age", "timepoint": "delta", "followup": "1m", "kind": "continuous", "test": "tukey", '
        '"p": {"a_vs_b": 0.5, "a_vs_c": null}, "statistic": {"a_vs_b": 0.0}, "df": {"a_vs_b": 3.5}, '
        '"reason": {"a_vs_c": "not estimable because {}"}, "groups": {"a": ' + AGE_JSON + "}}",
    ),
    (
        rows.ByValueSet("JP", [], [rows.Between("hsuv", "1m", "continuous", "welch_t", ADJUSTED, {})]),
        (
            '{"value_set": "JP", "recovery": [], "between_groups": [{"variable": "hsuv", "timepoint": "1m", '
            '"kind": "continuous", "test": "welch_t", "adjust": "bh", "p_raw": {"a_vs_b": 0.5, "a_vs_c": null}, '
            '"statistic": {"a_vs_b": 0.0}, "df": {"a_vs_b": 3.5}, "reason": {"a_vs_c": "not estimable because {}"}, '
            '"p": {"a_vs_b": 1.0}, "groups": {}}]}'
        ),
    ),
]


@pytest.mark.parametrize(("row", "written"), ROWS)
def test_rows_write_themselves(row, written):
    assert json.dumps(row.to_json()) == written


def test_a_result_says_what_applies():
    about = ("plan", "1", "JP", "1", "1", "segment", ["a"], [], "preop", ["1m"], None, {}, True, {}, 0.05)
    analysed = rows.Analysed({"name": "all"}, [], 3, {"a": 2}, {"S01": 3})
    result = rows.Result(analysed, rows.Method(*about, deaths_without_a_day=0), {"recovery": []}, {"figures": 1}, {})
    assert json.dumps(result.to_json()) == (
        '{"cohort": {"name": "all", "flow": [], "n": 3, "groups": {"a": 2}, "in_no_group": 1, "by_site": {"S01": 3}}, '
        '"method": {"plan": "plan", "plan_version": "1", "value_set": "JP", "value_set_version": "1", '
        '"segment_rule": "1", "grouping": "segment", "groups": ["a"], "pairs": [], "baseline": "preop", '
        '"followups": ["1m"], "snapshot": null, "software": {}, "synthetic": true, "tests": {}, "alpha": 0.05, '
        '"deaths_without_a_day": 0}, "recovery": [], "figures": 1}'
    )


def test_an_estimate_stands_among_the_values_of_its_row():
    row = plain(Hazard("group", "segment", "b", "a", "", Estimate(2.0, 1.0, 4.0, 0.05), statistic=1.5))
    assert json.dumps(row) == (
        '{"model": "group", "variable": "segment", "level": "b", "reference": "a", "visit": "", "estimate": 2.0, '
        '"low": 1.0, "high": 4.0, "p": 0.05, "ph_statistic": null, "ph_df": null, "ph_p": null, "statistic": 1.5}'
    )
