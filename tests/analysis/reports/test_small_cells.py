"""Small counts are hidden where a result is shown, and nowhere else."""

import io
import json
import re

import pytest
from django.urls import reverse

from registry.analysis.design import cohorts, plans
from registry.analysis.disclosure import complementary, small_cells
from registry.analysis.disclosure.small_cells import Few, masked
from registry.analysis.documents import files
from registry.analysis.figures import drawings
from registry.analysis.presentation import tables as presentation
from registry.analysis.presentation.numbers import count_percent, number, percent
from registry.analysis.results.statistics import Counted
from registry.analysis.running import runner
from sites.tenancy.scope import everything
from tests.analysis.conftest import random_registry, typed
from tests.analysis.running.test_comparison_pages import a_run

THRESHOLD = 8


@pytest.fixture(scope="module")
def result(django_db_setup, django_db_blocker):
    with random_registry(django_db_blocker), everything(reason="test"):
        return runner.compare(plans.segment_comparison(value_sets=("JP", "UK")), cohorts.SEGI2024)


def small(result):
    lines = [
        line
        for line in presentation.numbers(typed(result))
        if line[5] in {"n", "count", "missing", "excluded", "pairs"}
    ]
    return [line for line in lines if 0 < line[6] < THRESHOLD]


def test_a_few_is_told_as_fewer_but_counts_as_it_is():
    few = Few(3, 5)
    assert (str(few), f"{few:.1f}", few + 4, json.dumps(few)) == ("<5", "<5", 7, "3")
    assert (count_percent(few, 30), percent(few, 30), number(few, 1)) == ("<5", "–", "<5")
    assert count_percent(6, 30) == "6 (20%)"


def test_counts_below_the_threshold_are_hidden_and_no_others():
    result = {
        "cohort": {"n": 9, "flow": [{"n": 4, "excluded": 0}], "groups": {"a": 5, "b": 4}, "steps": [{"days": 3}]},
        "rows": [{"n": 3, "counts": {"1": 0, "2": 2, "3": 7}, "p": 1, "groups": {"a": {"n": 1, "min": 2}}}],
    }
    masked_result = masked(result, 5)
    assert str(masked_result["cohort"]) == (
        "{'n': 9, 'flow': [{'n': <5, 'excluded': 0}], 'groups': {'a': 5, 'b': <5}, 'steps': [{'days': 3}]}"
    )
    assert str(masked_result["rows"][0]["groups"]) == "{'a': {'n': <5, 'min': 2}}"
    assert str(masked_result["rows"][0]["counts"]) == "{'1': 0, '2': <5, '3': 7}"
    assert masked_result == result and result["cohort"]["groups"]["b"].__class__ is int
    assert masked(result, 0) is result and masked(result, 1) is result


@pytest.fixture
def shown(result, settings):
    settings.SMALL_CELLS = THRESHOLD
    return presentation.shown(typed(result)).to_json()


def test_no_hidden_count_follows_from_what_is_shown(shown):
    sizes, seen = shown["cohort"]["groups"], 0
    for row in rows_of(shown):
        for name in ("counts", "classes"):
            if isinstance(row.get(name), dict) and sum(row[name].values()) == row.get("n"):
                hidden = [count for count in (row["n"], *row[name].values()) if isinstance(count, Few)]
                assert len(hidden) != 1, row
                seen += len(hidden)
        if "group" in row and {"n", "missing"} <= row.keys() and row["n"] + row["missing"] == sizes.get(row["group"]):
            assert isinstance(row["n"], Few) == isinstance(row["missing"], Few) or 0 in (row["n"], row["missing"]), row
    assert seen
    for row in shown["recovery"]:
        assert isinstance(row["pairs"], Few) or not 0 < sizes[row["group"]] - row["pairs"] < THRESHOLD

    for relation in complementary._of_procedures(typed(shown)):
        assert not relation.tells or not [cell for cell in relation.cells if cell.value and not cell.hidden]


@pytest.mark.parametrize("threshold", [3, 5, THRESHOLD])
def test_a_count_of_two_tables_is_told_alike_in_both(result, settings, threshold):
    settings.SMALL_CELLS = threshold
    shown, seen = presentation.shown(typed(result)).to_json(), 0
    for row in shown["eq5d_report"]["levels"]:
        for other in shown["eq5d_domains"]:
            group = other["groups"].get(row["group"])
            if group and (other["variable"], other["timepoint"]) == (row["dimension"], row["timepoint"]):
                assert (str(group["n"]), str(group["counts"])) == (str(row["n"]), str(row["counts"]))
                seen += "≥" in str(row["counts"])
    assert seen


def rows_of(part):
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from rows_of(inner)


def complemented(result):
    """The JSON of a result with small counts, and what tells them, hidden."""
    hidden = typed(masked(result, 5))
    complementary.complement(hidden, 5)
    return hidden.to_json()


def test_the_flow_tells_no_hidden_count():
    def flow(*counts, small=20):
        left, steps = 100, [{"step": "enrolled", "n": 100}]
        for excluded in counts:
            left -= excluded
            steps.append({"step": "one", "n": left, "excluded": excluded})
        groups = {"a": left - small, "b": small}
        result = {"cohort": {"flow": steps, "n": left, "groups": groups, "in_no_group": 0}, "recovery": []}
        cohort = complemented(result)["cohort"]
        counts = [str(count) for step in cohort["flow"] for count in (step.get("excluded"), step["n"])]
        return counts[1:], str(cohort["n"])

    assert flow(10, 20) == (["100", "10", "90", "20", "70"], "70")
    assert flow(3, 20) == (["100", "<5", "≥5", "≥5", "77"], "77")
    assert flow(3, 0, 20) == (["100", "<5", "≥5", "0", "≥5", "≥5", "77"], "77")
    assert flow(1, 20) == (["100", "<5", "≥5", "≥5", "79"], "79")
    assert flow(2, 3) == (["100", "<5", "≥5", "<5", "95"], "95")
    assert flow(3) == (["≥5", "<5", "97"], "97")
    assert flow(10, 20, small=3) == (["100", "10", "90", "≥5", "≥5"], "≥5")
    assert flow(small=3) == (["≥5"], "≥5")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((3, 40, 60), ("<5", "≥5", "60")),
        ((2, 3, 60), ("<5", "<5", "60")),
        ((1, 1, 5, 7), ("<5", "<5", "≥5", "≥5")),  # two that add up to 2 are one each
        ((4, 4, 60), ("<5", "<5", "≥5")),  # and two that add up to 8, four
        ((1, 5, 60), ("<5", "≥5", "≥5")),
        ((1, 0, 0), ("<5", "0", "0")),
        ((5, 0, 7), ("5", "0", "7")),
    ],
)
def test_a_sum_leaves_a_hidden_count_more_than_one_value(counts, expected):
    hidden = {str(place): Few(n, 5) if 0 < n < 5 else n for place, n in enumerate(counts)}
    row = Counted(sum(counts), 0, hidden)
    complementary.close([*complementary._of_row(row)], 5)
    assert tuple(str(n) for n in row.counts.values()) == expected


def test_two_larger_counts_that_a_sum_tells_give_no_small_one_away():
    """Two of at least 5 that add up to 10 are 5 each: in a table, the small count beside one would follow."""
    row, column = {"a": Few(2, 5), "b": Few(5, 5)}, {"c": Few(5, 5), "d": 9}
    known = complementary.Relation([complementary.Cell(row, "b"), *complementary.cells(column)])
    complementary.close([complementary.Relation(complementary.cells(row)), known], 5)
    assert [str(n) for n in (*row.values(), *column.values())] == ["<5", "≥5", "≥5", "≥5"]

    row, column = {"a": Few(2, 5), "b": Few(5, 5)}, {"c": Few(6, 5), "d": 9}
    known = complementary.Relation([complementary.Cell(row, "b"), *complementary.cells(column)])
    complementary.close([complementary.Relation(complementary.cells(row)), known], 5)
    assert column["d"].__class__ is int


def test_the_sites_tell_no_hidden_count(shown):
    report = shown["cohort"]
    row = {"site": "A", "enrolled": 60, "excluded": [2, 0], "analysed": 58}
    other = {"site": "B", "enrolled": 40, "excluded": [8, 12], "analysed": 20}
    cohort = report | {"n": 78, "groups": {"a": 78}, "in_no_group": 0, "by_site": [row, other]}
    cohort["flow"] = [{"n": 100}, {"n": 90, "excluded": 10}, {"n": 78, "excluded": 12}]
    sites = complemented({"cohort": cohort, "recovery": []})["cohort"]["by_site"]
    first, second = ([str(n) for n in (step["enrolled"], *step["excluded"], step["analysed"])] for step in sites)
    assert (first, second) == (["60", "<5", "0", "≥5"], ["40", "≥5", "12", "≥5"])


def test_what_is_computed_from_hidden_counts_is_hidden():
    assert str(small_cells.apart(Few(3, 5), 90)) == "≥5" and str(small_cells.apart(3, 90)) == "90"

    assert str(small_cells.like({"n": Few(3, 5)}, {"a": 2, "b": 9})) == "{'a': <5, 'b': 9}"
    assert small_cells.like({"n": 3}, 2).__class__ is int


def test_csv_hides_every_small_count_and_nothing_else(result, settings):
    assert small(result)
    plain = files.to_csv(typed(result)).decode().splitlines()
    settings.SMALL_CELLS = THRESHOLD
    hidden = files.to_csv(typed(result)).decode().splitlines()
    changed = [(a.rpartition(","), b.rpartition(",")) for a, b in zip(plain, hidden, strict=True) if a != b]
    assert all(a[0] == b[0] for a, b in changed)
    gone = [(a, b) for a, b in changed if not b[2]]  # what is told of as many patients as the limit or more
    assert {a[0].rpartition(",")[2] for a, _ in gone} == {"mean", "sd"}
    changed = [pair for pair in changed if pair not in gone]
    assert len([b for _, b in changed if b[2] == f"<{THRESHOLD}"]) == len(small(result))
    further = [int(a[2]) for a, b in changed if b[2] != f"<{THRESHOLD}"]
    assert further and min(further) >= THRESHOLD
    assert {b[2] for _, b in changed} == {f"<{THRESHOLD}", f"≥{THRESHOLD}"}


def test_html_and_word_hide_small_counts(result, settings):
    from docx import Document

    percent_of_few = re.compile(rf"\b[1-{THRESHOLD - 1}] \(\d+%\)")
    without = {name: part for name, part in result.items() if name != "figures"}  # the page draws each of them
    assert percent_of_few.search(files.to_html(typed(without)).decode())
    settings.SMALL_CELLS = THRESHOLD
    html = files.to_html(typed(result)).decode()
    assert f"&lt;{THRESHOLD}" in html and not percent_of_few.search(html)
    tables = Document(io.BytesIO(files.to_docx(typed(without)))).tables
    cells = [cell for table in tables for cell in table._cells]
    assert any(f"<{THRESHOLD}" in cell.text for cell in cells)
    assert not any(percent_of_few.search(cell.text) for cell in cells)


# Of rows with a hidden number: statistics, means and quartiles of few, what is read from their curves.
GONE = {"statistic", "df", "observed", "expected", "mean", "sd", "median", "q1", "q3", "min", "max", "landmarks"}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_workbook_hides_small_counts_on_every_sheet(result, settings, language):
    from openpyxl import load_workbook

    def sheets():
        book = load_workbook(io.BytesIO(files.to_xlsx(typed(result), language)))
        return [[[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book]

    percent_of_few = re.compile(rf"^[1-{THRESHOLD - 1}] \(\d+%\)$")
    plain = sheets()
    settings.SMALL_CELLS = THRESHOLD
    hidden = sheets()
    *printed, _, numbers = hidden
    assert any(f"<{THRESHOLD}" in str(cell) for rows in printed for row in rows for cell in row)
    assert not any(percent_of_few.match(str(cell)) for rows in hidden for row in rows for cell in row)
    pairs = [(a, b) for a, b in zip(plain[-1], numbers, strict=True) if a != b]
    gone = [(a, b) for a, b in pairs if b[-1] is None]
    assert {"statistic", "mean"} < {re.split("[/_]", str(a[-3]))[0] for a, _ in gone} <= GONE
    pairs = [pair for pair in pairs if pair not in gone]
    words = {True: f"<{THRESHOLD}", False: f"≥{THRESHOLD}"}
    assert pairs and all(a[-1] > 0 and b[-1] == words[a[-1] < THRESHOLD] and a[:-1] == b[:-1] for a, b in pairs)
    counted = [row for row in numbers if str(row[-2]).startswith(("n", "missing", "counts/", "excluded", "pairs"))]
    assert not [row for row in counted if isinstance(row[-1], int) and 0 < row[-1] < THRESHOLD]


def test_json_and_the_stored_result_keep_every_number(result, settings):
    settings.SMALL_CELLS = THRESHOLD
    assert json.loads(files.to_json(result)) == json.loads(json.dumps(result))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_pages_and_figures_are_made_with_small_counts_hidden(client, bob, result, settings, language):
    settings.SMALL_CELLS = THRESHOLD
    run = a_run(bob, status="done", result=result, snapshot="x", progress=1)
    client.force_login(bob)
    client.cookies["django_language"] = language
    page = client.get(reverse("comparison_run", args=[run.pk])).content.decode()
    assert f"&lt;{THRESHOLD}" in page
    assert not re.search(rf">[1-{THRESHOLD - 1}] \(\d+%\)<", page)
    assert not re.search(rf"[^&]<{THRESHOLD}\b", page)
    for chart in drawings.charts(presentation.shown(typed(result)), language):
        address = reverse("comparison_figure", args=[run.pk, chart.code, "svg"])
        assert client.get(address).status_code == 200
    run.refresh_from_db()
    assert run.result == json.loads(json.dumps(result))
