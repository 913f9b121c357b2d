"""The JSON of a comparison's rows is a contract: names, their order, and what is left out where it does not apply."""

import json
import lzma
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.results.endpoints import Hazard
from registry.analysis.results.result import Analysed, Method, Result
from registry.analysis.results.statistics import Counted, Described, Pairwise, Sampled, Second, Tested
from registry.analysis.results.tables import BeforeAfter, Between, ByValueSet, Overall
from registry.analysis.results.transitions import TransitionResult
from registry.analysis.running import runner
from registry.instruments.base import Label
from sites.tenancy.scope import everything
from tests.analysis.conftest import store
from tests.analysis.plans.random_plans import Drawn, People

FIRST_RELEASE = Path(__file__).parents[2] / "releases/0.1.0/registry.sql.xz"
AGE = Described(2, 1, 60.5, 0.5, 60.5, 60.25, 60.75, 60.0, 61.0)
AGE_JSON = (
    '{"n": 2, "missing": 1, "mean": 60.5, "sd": 0.5, "median": 60.5, "q1": 60.25, "q3": 60.75, '
    '"min": 60.0, "max": 61.0}'
)
SEX = Counted(3, 0, {"F": 1, "M": 2})
SEX_JSON = '{"n": 3, "missing": 0, "counts": {"F": 1, "M": 2}}'
NONE = Tested(reason="not estimable because {}")
PAIRS = {"a_vs_b": Tested(p=0.5, statistic=0.0, df=3.5), "a_vs_c": NONE}
ADJUSTED = Pairwise.of(PAIRS, "bh", {"a_vs_b": 1.0})
ROWS = [
    (
        Overall("age", "continuous", "anova", p=0.25, statistic=1.5, df=[2.0, 9.0], groups={"a": AGE}),
        '{"variable": "age", "kind": "continuous", "test": "anova", "p": 0.25, "statistic": 1.5, "df": [2.0, 9.0], '
        '"groups": {"a": ' + AGE_JSON + "}}",
    ),
    (
        Overall(
            *("sex", "categorical", "chi_square"),
            Second("fisher", Tested(p=0.5, monte_carlo=Sampled(0.01, 1000, 1, "large"))),
            **NONE.parts(),
            groups={"a": SEX},
        ),
        '{"variable": "sex", "kind": "categorical", "test": "chi_square", "p_fisher": 0.5, "monte_carlo_fisher": '
        '{"standard_error": 0.01, "resamples": 1000, "seed": 1, "why": "large"}, "p": null, '
        '"reason": "not estimable because {}", "groups": {"a": ' + SEX_JSON + "}}",
    ),
    (
        BeforeAfter(
            *("sex", "a", "1m", "categorical", "fisher"),
            p=1.0,
            second=Second("mcnemar", NONE),
            pairs=3,
            baseline=SEX,
            followup=SEX,
        ),
        '{"variable": "sex", "group": "a", "timepoint": "1m", "kind": "categorical", "test": "fisher", "p": 1.0, '
        '"p_mcnemar": null, "reason_mcnemar": "not estimable because {}", "pairs": 3, '
        '"baseline": ' + SEX_JSON + ', "followup": ' + SEX_JSON + "}",
    ),
    (
        Between("age", "delta", "1m", "continuous", "tukey", groups={"a": AGE}, **Pairwise.of(PAIRS).parts()),
        '{"variable": "age", "timepoint": "delta", "followup": "1m", "kind": "continuous", "test": "tukey", '
        '"p": {"a_vs_b": 0.5, "a_vs_c": null}, "statistic": {"a_vs_b": 0.0}, "df": {"a_vs_b": 3.5}, '
        '"reason": {"a_vs_c": "not estimable because {}"}, "groups": {"a": ' + AGE_JSON + "}}",
    ),
    (
        ByValueSet("JP", [], [Between("hsuv", "1m", "", "continuous", "welch_t", groups={}, **ADJUSTED.parts())]),
        (
            '{"value_set": "JP", "recovery": [], "between_groups": [{"variable": "hsuv", "timepoint": "1m", '
            '"kind": "continuous", "test": "welch_t", "adjust": "bh", "p_raw": {"a_vs_b": 0.5, "a_vs_c": null}, '
            '"statistic": {"a_vs_b": 0.0}, "df": {"a_vs_b": 3.5}, "reason": {"a_vs_c": "not estimable because {}"}, '
            '"p": {"a_vs_b": 1.0}, "groups": {}}]}'
        ),
    ),
]


@pytest.mark.parametrize(("row", "written"), ROWS)
def test_rows_write_themselves_and_are_read_back(row, written):
    assert json.dumps(row.to_json()) == written
    again = type(row).from_json(json.loads(written))
    assert again == row
    assert json.dumps(again.to_json()) == written


def test_a_result_says_what_applies():
    about = ("plan", "1", "JP", "1", "1", "segment", ["a"], [], "preop", ["1m"], None, "metaspine", True, {}, 0.05)
    analysed = Analysed("all", "1", [], [], 3, {"a": 2}, 1, [])
    result = Result(analysed, Method(*about, deaths_without_a_day=0))
    assert json.dumps(result.to_json()) == (
        '{"cohort": {"name": "all", "version": "1", "steps": [], "flow": [], "n": 3, "groups": {"a": 2}, '
        '"in_no_group": 1, "by_site": []}, '
        '"method": {"plan": "plan", "plan_version": "1", "value_set": "JP", "value_set_version": "1", '
        '"segment_rule": "1", "grouping": "segment", "groups": ["a"], "pairs": [], "baseline": "preop", '
        '"followups": ["1m"], "snapshot": null, "software": "metaspine", "synthetic": true, "tests": {}, '
        '"alpha": 0.05, "deaths_without_a_day": 0}, "characteristics": [], "recovery": [], "adverse_events": [], '
        '"between_groups": [], "eq5d_domains": []}'
    )


def test_an_estimate_stands_among_the_values_of_its_row():
    estimate = {"estimate": 2.0, "low": 1.0, "high": 4.0, "p": 0.05}
    row = Hazard("group", "segment", "b", "a", "", **estimate, statistic=1.5).to_json()
    assert json.dumps(row) == (
        '{"model": "group", "variable": "segment", "level": "b", "reference": "a", "visit": "", "estimate": 2.0, '
        '"low": 1.0, "high": 4.0, "p": 0.05, "ph_statistic": null, "ph_df": null, "ph_p": null, "statistic": 1.5}'
    )


def test_a_section_without_a_variable_says_so():
    result = TransitionResult(
        "transitions", "grades", Label("Grades", "等級"), "frankel", "preop", "1m", "", *([] for _ in range(5))
    )
    assert list(result.to_json())[-2:] == ["tests", "names"] and result.to_json()["names"] == {}
    assert same_section(result.to_json()) and same_section({"kind": "transitions", "code": "grades"})


def same_section(stored):
    return json.dumps(TransitionResult.from_json(stored).to_json()) == json.dumps(stored)


def same(stored):
    """Whether a result is written as it was read, to the byte; keys in any order."""
    return json.dumps(Result.from_json(stored).to_json()) == json.dumps(stored)


@pytest.mark.parametrize("seed", range(940, 946))
def test_results_of_drawn_plans_are_read_back_to_the_byte(seed, north):
    plan, cohort = plans.from_json(Drawn(seed).plan()), cohorts.get("all")
    with everything(reason="test"):
        store(north, People(seed).patients())
        result = runner.run(plan, cohort, frames.read(runner.timepoints_needed(plan, cohort)))
    assert same(result)
    assert same(json.loads(json.dumps(result, sort_keys=True)))


def test_results_of_the_first_release_are_read_back_to_the_byte():
    with lzma.open(FIRST_RELEASE, "rt", encoding="utf-8") as dump:
        lines = dropwhile(lambda line: not line.startswith("COPY public.registry_comparisonrun "), dump)
        names = next(lines).partition("(")[2].partition(")")[0].split(", ")
        rows = [line.split("\t") for line in takewhile(lambda line: not line.startswith("\\."), lines)]
    results = [json.loads(row[names.index("result")].replace("\\\\", "\\")) for row in rows]
    assert len(results) == 2
    assert all(map(same, results))


def test_a_row_that_lacks_a_name_is_written_without_it_until_it_is_given_one():
    row = Tested.from_json({"p": None})
    assert row.to_json() == {"p": None}
    row.reason = "few"
    assert row.to_json() == {"p": None, "reason": "few"}
    row = Tested.from_json({"statistic": 2.0, "p": 0.5})
    row.statistic = None
    assert json.dumps(row.to_json()) == '{"statistic": null, "p": 0.5}'
    with pytest.raises(ValueError, match="is no object"):
        Result.from_json([])
