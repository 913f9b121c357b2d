"""The EQ-5D report against a slow version, and against the worked examples of its definitions."""

import csv
import io
import statistics as st
from collections import Counter

import numpy as np
import pytest
from django.urls import reverse
from scipy import stats

from registry.analysis.design import cohorts, plans
from registry.analysis.documents import eq5d_tables
from registry.analysis.presentation.words import Words
from registry.analysis.reports.eq5d_report import CLASSES, PROFILES, paretian_class, ranks
from registry.analysis.running import runner
from registry.instruments import value_sets
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.models import ComparisonRun
from tests.analysis.conftest import answers, patient, typed
from tests.analysis.reports import slow


def compared(as_system):
    with as_system():
        return runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)


@pytest.fixture
def result(compared_result):
    return compared_result


@pytest.fixture
def groups(compared_patients):
    grouped = slow.grouped([patient for patient in compared_patients if slow.in_cohort(patient)])
    return {"all": [patient for ones in grouped.values() for patient in ones]} | grouped


def profile(patient, timepoint):
    """Such as "21232"; None unless all five answers are there."""
    visit = patient["visits"].get(timepoint, {})
    levels = [visit.get(item.name) for item in DIMENSIONS]
    return None if None in levels else "".join(map(str, levels))


def profiles(patients, timepoint):
    return slow.known([profile(patient, timepoint) for patient in patients])


def pairs(patients):
    outcome = [(profile(patient, "preop"), profile(patient, "1m")) for patient in patients]
    return [pair for pair in outcome if None not in pair]


def paretian(before, after):
    better = sum(b > a for b, a in zip(before, after, strict=True))
    worse = sum(b < a for b, a in zip(before, after, strict=True))
    if better and worse:
        return "mixed_change"
    return "improve" if better else "worsen" if worse else "no_change"


def test_answers_by_level(result, groups):
    for row in result["eq5d_report"]["levels"]:
        given = slow.known(
            [patient["visits"].get(row["timepoint"], {}).get(row["dimension"]) for patient in groups[row["group"]]]
        )
        assert row["counts"] == {str(level): given.count(level) for level in range(1, 6)}
        assert row["any_problem"] == sum(level > 1 for level in given)
        assert (row["n"], row["missing"]) == (len(given), len(groups[row["group"]]) - len(given))


def test_an_answer_counts_without_the_others(stored, as_system):
    stored([patient(visits={"preop": {DIMENSIONS[0].name: 3}, "1m": answers("11111")})])
    report = compared(as_system)["eq5d_report"]
    mobility, self_care = (
        row for row in report["levels"] if row["group"] == "thoracic" and row["timepoint"] == "preop"
        and row["dimension"] in {DIMENSIONS[0].name, DIMENSIONS[1].name}
    )  # fmt: skip
    assert (mobility["n"], mobility["counts"]["3"], self_care["n"]) == (1, 1, 0)
    assert [row["n"] for row in report["profiles"] if row["group"] == "thoracic"] == [0, 1]


def test_the_most_frequent_profiles(result, groups):
    for row in result["eq5d_report"]["profiles"]:
        given = profiles(groups[row["group"]], row["timepoint"])
        expected = sorted(Counter(given).items(), key=lambda pair: (-pair[1], pair[0]))
        assert [(str(state["state"]), state["count"]) for state in row["most_frequent"]] == expected[:10]
        assert (row["n"], row["different"]) == (len(given), len(expected))
        assert row["worst"] == {"state": 55555, "count": given.count("55555")}


def test_level_sum_and_frequency_scores(result, groups):
    report = result["eq5d_report"]
    for row in report["level_sum_scores"]:
        sums = [sum(map(int, profile)) for profile in profiles(groups[row["group"]], row["timepoint"])]
        assert (row["mean"], row["sd"]) == pytest.approx((st.fmean(sums), st.stdev(sums)))
        assert {int(score): count for score, count in row["counts"].items() if count} == Counter(sums)
    for row in report["level_frequency_scores"]:
        given = profiles(groups[row["group"]], row["timepoint"])
        scores = Counter("".join(str(profile.count(level)) for level in "12345") for profile in given)
        assert {score["score"]: score["count"] for score in row["scores"]} == scores
        values = value_sets.get("JP")
        for item in row["scores"]:
            worth = [values.hsuv(int(p)) for p in given if "".join(str(p.count(v)) for v in "12345") == item["score"]]
            assert item["mean_value"] == pytest.approx(st.fmean(worth), rel=1e-9)


@pytest.mark.parametrize(
    ("state", "score", "total"), [("11111", "50000", 5), ("12345", "11111", 15), ("11155", "30002", 13),
                                  ("55555", "00005", 25)],
)  # fmt: skip
def test_scores_of_the_definition(stored, as_system, state, score, total):
    stored([patient(visits={"preop": answers(state)})])
    report = compared(as_system)["eq5d_report"]
    assert report["level_frequency_scores"][0]["scores"][0]["score"] == score
    assert report["level_sum_scores"][0]["mean"] == total


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("11111", "11111", "no_change"), ("21345", "21345", "no_change"), ("22222", "12222", "improve"),
     ("55555", "11111", "improve"), ("11111", "11112", "worsen"), ("12345", "54321", "mixed_change"),
     ("21111", "12111", "mixed_change")],
)  # fmt: skip
def test_the_paretian_classes(before, after, expected):
    first, second = (np.array([[int(level) for level in levels]]) for levels in (before, after))
    assert CLASSES[paretian_class(first, second)[0]] == expected == paretian(before, after)


def test_change_of_profiles(result, groups):
    for row in result["eq5d_report"]["profile_change"]:
        profile_pairs = pairs(groups[row["group"]])
        assert row["classes"] == {name: sum(paretian(*pair) == name for pair in profile_pairs) for name in CLASSES}
        assert (row["n"], row["missing"]) == (len(profile_pairs), len(groups[row["group"]]) - len(profile_pairs))
        assert row["no_problems"] == profile_pairs.count(("11111", "11111"))
    for row in result["eq5d_report"]["dimension_change"]:
        place = [item.name for item in DIMENSIONS].index(row["dimension"])
        profile_pairs = [(before[place], after[place]) for before, after in pairs(groups[row["group"]])]
        assert row["improve"] == sum(after < before for before, after in profile_pairs)
        assert row["worsen"] == sum(after > before for before, after in profile_pairs)
        assert row["no_change"] == sum(after == before for before, after in profile_pairs)


def test_no_problems_are_set_apart_from_no_change(stored, as_system):
    states = [("11111", "11111")] * 2 + [("22222", "22222"), ("22222", "11111"), ("11111", "22222"), ("12111", "21111")]
    stored([patient(visits={"preop": answers(before), "1m": answers(after)}) for before, after in states])
    result = compared(as_system)
    with_all, apart = (
        next(row for row in table.rows if row[0] == "thoracic")[4:]
        for code in ("change", "change-no-problems")
        for table in eq5d_tables.numbers(typed(result))
        if table.code == code
    )
    assert [tuple(value) for value in with_all] == [(3, 6), (1, 6), (1, 6), (1, 6)]
    assert [tuple(value) for value in apart] == [(1, 4), (1, 4), (1, 4), (1, 4), (4, 6), (2, 6)]


@pytest.mark.parametrize(("field", "name"), [("values", "hsuv"), ("eq_vas", "eq_vas")])
def test_summaries(result, groups, field, name):
    for row in result["eq5d_report"][field]:
        all_values = [slow.value(patient, name, row["timepoint"]) for patient in groups[row["group"]]]
        known = slow.known(all_values)
        frequent = Counter(known)
        expected = {
            "mean": st.fmean(known),
            "standard_error": stats.sem(known),
            "median": st.median(known),
            "mode": min(state for state, count in frequent.items() if count == max(frequent.values())),
            "sd": st.stdev(known),
            "kurtosis": stats.kurtosis(known, fisher=False),
            "skewness": stats.skew(known),
            "min": min(known),
            "max": max(known),
            "range": max(known) - min(known),
            "n": len(known),
            "missing": len(all_values) - len(known),
        }
        assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-9)


def test_ranks_share_ties_and_the_best_is_first():
    assert ranks([1.0, 0.5, 0.5, -0.1]).tolist() == [1, 2.5, 2.5, 4]
    values = value_sets.get("JP").table()
    ranked = dict(zip(PROFILES, ranks([values[state] for state in PROFILES]), strict=True))
    assert (ranked[11111], ranked[55555]) == (1, 3125)


def test_the_grid_counts_pairs_by_their_ranks(result, groups):
    values = value_sets.get("JP").table()
    order = stats.rankdata([-values[state] for state in PROFILES])
    ranked = dict(zip(map(str, PROFILES), order, strict=True))
    for row in result["eq5d_report"]["grid"]:
        pairs_of_ranks = [tuple(ranked[value] for value in pair) for pair in pairs(groups[row["group"]])]
        assert row["better"] == sum(after < before for before, after in pairs_of_ranks)
        assert row["worse"] == sum(after > before for before, after in pairs_of_ranks)
        cells = Counter(tuple(int((value - 1) // row["step"]) for value in pair) for pair in pairs_of_ranks)
        assert {(a, b): count for a, b, count in row["counts"]} == cells


def test_every_table_has_rows_in_both_languages(result):
    for language in ("en", "ja"):
        words = Words(typed(result), language)
        for numbers in eq5d_tables.numbers(typed(result), language):
            table = numbers.table(words)
            assert table.title and table.rows
            assert all(len(row.cells) + 1 == len(table.header) for row in table.rows)
    assert eq5d_tables.numbers(typed({"cohort": {}, "method": {}})) == []


def test_a_table_as_csv(client, result, bob):
    plan, cohort = plans.SEGMENT_COMPARISON.to_json(), cohorts.SEGI2024.to_json()
    run = ComparisonRun.objects.create(plan=plan, cohort=cohort, requested_by=bob, status="done", result=result)
    client.force_login(bob)
    response = client.get(reverse("comparison_eq5d_table", args=[run.pk, "values"]))
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [float(row["mean"]) for row in rows] == [row["mean"] for row in result["eq5d_report"]["values"]]
    levels = client.get(reverse("comparison_eq5d_table", args=[run.pk, "levels"])).content.decode()
    first = next(csv.DictReader(io.StringIO(levels)))
    assert int(first["level_1"]) == result["eq5d_report"]["levels"][0]["counts"]["1"]
    assert client.get(reverse("comparison_eq5d_table", args=[run.pk, "nothing"])).status_code == 404
