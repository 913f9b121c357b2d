"""Small counts of a plan's sections are hidden so that no sum, no second telling and no share gives them away."""

import copy
import itertools
import json

import pytest
from django.db import transaction
from django.test import override_settings

from registry.analysis.disclosure import of_sections
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.figures import drawings
from registry.analysis.presentation import tables
from sites.models import Site
from sites.tenancy.access import Access, Can, Grant, Role
from tests.analysis.conftest import store, typed
from tests.analysis.sections.test_in_a_run import PLAN, people, ran
from tests.analysis.sections.test_matched_comparisons import MATCHED, VARIABLES, WITHIN

BETWEEN = {
    "code": "all", "sensitivity": ["worst_rank", "complete_cases"],
    "rows": ["primary_tumour", {"variable": "frankel", "visits": ["preop", "6m"]}, {"variable": "walks", "visit": "1m"},
             {"variable": "pain_vas_mm", "visits": ["1m", "12m"]}],
}  # fmt: skip
THRESHOLD = 8


pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def whole(django_db_setup, django_db_blocker):
    """The result of one run, which every test takes a copy of."""
    with django_db_blocker.unblock(), transaction.atomic():
        store(Site.objects.create(code="N01", name="North Hospital", name_ja="北病院"), people())
        within = WITHIN | {"rows": [*WITHIN["rows"], {"variable": "walks", "visit": "1m"}]}
        result = ran(copy.deepcopy(PLAN) | {"variables": VARIABLES, "comparisons": [BETWEEN, MATCHED, within]})
        transaction.set_rollback(True)
    return result


def shown(result):
    with override_settings(SMALL_CELLS=THRESHOLD):
        return tables.shown(typed(result)).to_json()


def readings(count):
    """What a reader may take a count for."""
    if not isinstance(count, Few):
        return {int(count)}
    return set(range(1, THRESHOLD)) if count < THRESHOLD else set(range(THRESHOLD, 200))


def possible(parts, whole):
    """Each part's values that go with what is told of the others and of the whole."""
    for place, part in enumerate(parts):
        others = {0}
        for other in parts[:place] + parts[place + 1 :]:
            others = {a + b for a in others for b in readings(other)}
        yield part, {value for value in readings(part) if any(value + rest in readings(whole) for rest in others)}


def sums(result):
    """(parts, whole) of everything that adds up, as a reader sees it."""
    for entry in result["comparisons"]:
        sizes = {row["group"]: row["n"] for row in entry.get("sizes", ())} or result["cohort"]["groups"]
        for row in entry["rows"]:
            for code, group in row["groups"].items():
                yield from sums_of_group(group, sizes[code])
    yield from sums_of_endpoints(result["endpoints"])
    for entry in result["transitions"]:
        for margin, side in itertools.product(entry["margins"], ("before", "after")):
            at = (margin["group"], margin["grade"])
            yield [row["count"] for row in entry["cells"] if (row["group"], row[side]) == at], margin[side]
    for row in (row for entry in result["qol"] for row in entry.get("responders", ())):
        yield [row["improved"], row["same"], row["worse"]], row["n"]
    for row in result["propensity"][0]["sizes"]:
        yield [row["used"], row["unmatched"]], row["scored"]


def sums_of_group(group, size):
    yield [group["n"], group["missing"]], size
    yield list(group["why"].values()), group["missing"]
    for part in (group, group.get("followup", {}), group.get("baseline_of_compared", {})):
        if part.get("counts"):
            yield list(part["counts"].values()), part["n"]


def sums_of_endpoints(entries):
    for row in (row for entry in entries for row in entry["followed"]):
        yield [row["events"], row["competing"], row["censored"]], row["n"]
        parts = [row["n"], row["missing"], row["before_landmark"]]
        yield parts, sum(map(int, parts))


def test_no_sum_leaves_a_small_count_one_value(whole):
    masked, hidden = shown(whole), 0
    for parts, total in sums(masked):
        if sum(map(int, parts)) != int(total):
            continue
        for part, values in possible(parts, total):
            if isinstance(part, Few) and part < THRESHOLD:
                hidden += 1
                others = [count for count in (*parts, total) if count and count is not part]
                assert len(values) > 1 or not any(not isinstance(other, Few) for other in others), (parts, total)
    assert hidden > 50


def test_what_stands_twice_is_hidden_twice_and_shares_with_their_counts(whole):
    masked = shown(whole)
    between = masked["comparisons"][0]["rows"]
    for row in between:
        (effect,) = row["effects"].values()
        assert [type(n) for n in effect["n"]] == [type(group["n"]) for group in row["groups"].values()]
    walks = next(row for row in between if row["variable"] == "walks")["groups"]
    assert any(isinstance(n, Few) for group in walks.values() for n in group["counts"].values())
    for group in walks.values():
        few = any(isinstance(n, Few) for n in (group["n"], *group["counts"].values()))
        assert (group["share"] is None) == few
    assert all(row["percent"] is None for row in masked["transitions"][0]["cells"] if isinstance(row["count"], Few))
    sizes = {row["group"]: row for row in masked["propensity"][0]["sizes"]}
    for row in masked["propensity"][0]["balance"]:
        if row["level"] and row["treated_before"] is not None:
            assert round(row["treated_before"] * sizes["female"]["scored"]) not in range(1, THRESHOLD)
    assert list(of_sections.relations(typed(masked), THRESHOLD))
    assert whole["comparisons"][0]["rows"][0]["effects"]["male_vs_female"]["n"][0].__class__ is int


def numbers_of(row):
    """(group, number of patients) of everything that a row tells beside the known and unknown of its groups."""
    codes = list(row["groups"])
    for part in ("baseline_of_compared", "baseline_of_all"):
        for code in codes:
            yield from (
                (code, cell[part]["n"]) for cell in (row, row["groups"][code]) if part in cell and cell is not row
            )
            if part in row:
                yield code, row[part][code]["n"]
    for code in codes:
        if "followup" in row["groups"][code]:
            yield code, row["groups"][code]["followup"]["n"]
    for effect in row.get("effects", {}).values():
        yield from zip(codes, effect["n"], strict=True)
        yield from ((code, effect["sets"]) for code in codes if "sets" in effect)
    for part in ("complete_cases", "worst_rank"):
        yield from zip(codes, row.get(part, {}).get("n", ()), strict=False)


def test_no_number_beside_a_group_tells_the_few_who_are_left_out(whole):
    masked, hidden = shown(whole), 0
    for entry in masked["comparisons"]:
        sizes = {row["group"]: row["n"] for row in entry.get("sizes", ())} or masked["cohort"]["groups"]
        for row in entry["rows"]:
            for code, n in numbers_of(row):
                if 0 < int(sizes[code]) - int(n) < THRESHOLD:
                    hidden += 1
                    assert isinstance(n, Few), (entry["code"], row["variable"], row["timepoint"], code)
    assert hidden > 10


def test_complete_pairs_do_not_tell_of_whom_few_values_lack(whole):
    entry = copy.deepcopy(whole)
    matched = entry["comparisons"][1]
    row = next(row for row in matched["rows"] if row["variable"] == "operative_time_min")
    (effect,), (first, second) = row["effects"].values(), row["groups"].values()
    size, sets = matched["sizes"][0]["n"], matched["sizes"][0]["sets"]
    first |= {"n": size - 9, "missing": 9, "why": {}}
    second |= {"n": size - 2, "missing": 2, "why": {}}
    effect |= {"n": [sets - 11, sets - 11], "sets": sets - 11}
    row = next(row for row in shown(entry)["comparisons"][1]["rows"] if row["variable"] == "operative_time_min")
    (effect,) = row["effects"].values()
    assert all(isinstance(n, Few) for n in (effect["sets"], *effect["n"]))


def test_no_difference_of_shares_tells_a_hidden_count(whole):
    seen = 0
    for before, row in ((b, r) for e, m in zip(whole["comparisons"], shown(whole)["comparisons"], strict=True)
                        for b, r in zip(e["rows"], m["rows"], strict=True)):  # fmt: skip
        if row["kind"] != "binary" or "effects" not in row:
            continue
        few = any(
            isinstance(n, Few) for group in row["groups"].values() for n in (group["n"], *group["counts"].values())
        )
        for pair, effect in row["effects"].items():
            seen += few
            for name in {"estimate", "low", "high", "smd"} & effect.keys():
                assert effect[name] == (None if few else before["effects"][pair][name])
    assert seen


def test_a_standardised_difference_goes_with_the_share_that_it_would_tell(whole):
    entry = copy.deepcopy(whole)
    section = entry["propensity"][0]
    sizes = {row["group"]: row for row in section["sizes"]}
    rare = section["balance"][0] | {"level": "rare", "treated_before": 3 / sizes[section["treated"]]["scored"]}
    section["balance"].append(rare | {"treated_after": 0.5, "control_before": 0.5, "control_after": 0.5})
    row = shown(entry)["propensity"][0]["balance"][-1]
    assert (row["treated_before"], row["smd_before"], row["ratio_before"]) == (None, None, None)
    assert (row["control_before"], row["smd_after"]) == (0.5, rare["smd_after"])
    assert isinstance(rare["smd_after"], float)


def test_a_risk_difference_of_pairs_goes_with_a_hidden_count(whole):
    entry = copy.deepcopy(whole)
    section = entry["propensity"][0]
    at = {"variable": "walks", "visit": "1m"}
    section["outcomes"] = [
        {**section["outcomes"][0], **at, "n": 40, "missing": 0, "effect": "risk_difference"} | ends
        for ends in ({"estimate": 0.45, "low": 0.2, "high": 0.7},)
    ]
    section["categories"] = [
        {**at, "level": "yes", "treated": 21, "control": 3}, {**at, "level": "no", "treated": 19, "control": 37},
    ]  # fmt: skip
    (outcome,) = shown(entry)["propensity"][0]["outcomes"]
    assert (outcome["estimate"], outcome["low"], outcome["high"]) == (None, None, None)


@pytest.mark.parametrize("ratio", [1, 3])
def test_matching_tells_no_hidden_number_of_patients(whole, ratio):
    """Of 41 with a score 38 are used: sets, effective n, weights and complete sets tell the three without a partner."""
    entry = copy.deepcopy(whole)
    section = entry["propensity"][0]
    treated, control = section["sizes"]
    treated |= {"n": 43, "scored": 41, "used": 38, "unmatched": 3, "effective": 38.0}
    control |= {"n": 150, "scored": 150, "used": 38 * ratio, "unmatched": 150 - 38 * ratio, "effective": 37.2 * ratio}
    section["fits"][0] |= {"n": 191, "missing": 2, "sets": 38}
    section["outcomes"][0] |= {"n": 35, "missing": 3, "statistic": 2.1, "df": 34}
    section = shown(entry)["propensity"][0]
    treated, (fit,), outcome = section["sizes"][0], section["fits"], section["outcomes"][0]
    hidden = [treated["used"], treated["unmatched"], treated["scored"], fit["n"], fit["missing"], fit["sets"]]
    assert all(isinstance(count, Few) for count in (*hidden, outcome["n"], outcome["missing"]))
    assert treated["effective"] is None
    assert (outcome["statistic"], outcome["df"]) == (None, None)
    assert not section["pairs"]
    assert all(row["weight"] is None for row in section["overlap"] if row["group"] == section["treated"])


def test_numbers_of_groups_together_do_not_tell_the_one_that_is_hidden(whole):
    """Of groups of 50 and 42, 2 of them without a day: a test of 90 would tell the 40, and 23 events the 3 hidden."""
    entry = copy.deepcopy(whole)
    section = entry["endpoints"][0]
    first, second = section["followed"]
    first |= {"n": 50, "missing": 0, "before_landmark": 0, "events": 20, "competing": 0, "censored": 30}
    second |= {"n": 40, "missing": 2, "before_landmark": 0, "events": 3, "competing": 0, "censored": 37}
    test, fit = section["tests"][0], section["fits"][0]
    test |= {"group": "", "n": 90, "statistic": 4.5, "df": 1}
    fit |= {"n": 90, "events": 23, "missing": 0}
    by_level = {"variable": "x", "group": f"{first['group']}_vs_{second['group']}"}
    section["subgroups"] = [
        section["subgroups"][0] | by_level | {"level": level, "n": n, "events": events}
        for level, n, events in (("a", 60, 13), ("b", 30, 10))
    ]
    section = shown(entry)["endpoints"][0]
    first, second = section["followed"]
    assert isinstance(second["n"], Few)
    test, fit, levels = section["tests"][0], section["fits"][0], section["subgroups"]
    assert all(isinstance(count, Few) for count in (test["n"], fit["n"], fit["events"]))
    assert all(any(isinstance(level[name], Few) for level in levels) for name in ("n", "events"))
    assert (test["statistic"], test["df"]) == (None, None)
    entry["endpoints"][0]["followed"][1] |= {"n": 42, "missing": 0, "events": 15, "competing": 0, "censored": 27}
    entry["endpoints"][0]["tests"] = [test | {"n": n, "statistic": 4.5, "df": 1} for n in (92, 90)]
    two = shown(entry)["endpoints"][0]["tests"]  # the second by strata, which of 2 patients are not known
    assert [isinstance(test["n"], Few) for test in two] == [False, True]


def test_degrees_of_freedom_go_with_the_number_of_patients(whole):
    entry = copy.deepcopy(whole)
    model = next(fitted for fitted in entry["models"] if fitted["model"] == "ancova")
    model["fits"][0] |= {"n": 66, "missing": 4}
    model = next(fitted for fitted in shown(entry)["models"] if fitted["model"] == "ancova")
    assert all(row.get("df") is None for part in ("coefficients", "contrasts") for row in model[part])
    assert all(row["df_residual"] is None for row in model["terms"])


def test_differences_of_quality_of_life_tell_no_hidden_number(whole):
    entry = copy.deepcopy(whole)
    section = next(part for part in entry["qol"] if part.get("responders"))
    first, second = section["responders"][:2]
    first |= {"n": 30, "missing": 0, "improved": 15, "same": 10, "worse": 5}
    second |= {"n": 32, "missing": 4, "improved": 3, "same": 29, "worse": 0}
    section["differences"][0] |= {"n": 62, "estimate": -0.41, "low": -0.6, "high": -0.2, "df": 60}
    difference = next(part for part in shown(entry)["qol"] if part.get("responders"))["differences"][0]
    assert isinstance(difference["n"], Few)
    assert difference["df"] is None
    assert (difference["estimate"], difference["low"], difference["high"]) == (None, None, None)


def test_tables_of_hidden_counts_are_told_in_both_languages(whole):
    for language in ("en", "ja"):
        tables_shown = tables.tables(typed(shown(whole)), language)
        cells = [cell for table in tables_shown for row in table.rows for cell in row.cells]
        assert any(f"<{THRESHOLD}" in cell for cell in cells)


FEMALE_2_EVENTS = {"n": 40, "missing": 0, "events": 2, "competing": 0, "censored": 38}


def with_few_events(whole):
    """The endpoint of death, of whose second group two died, with a curve of their own."""
    entry = copy.deepcopy(whole)
    section = next(endpoint for endpoint in entry["endpoints"] if endpoint["code"] == "os")
    section["followed"][1] |= FEMALE_2_EVENTS
    return entry, section["followed"][0]["group"], section["followed"][1]["group"]


def test_a_hidden_number_of_events_is_not_read_from_the_curve(whole):
    entry, other, few = with_few_events(whole)
    section = next(endpoint for endpoint in shown(entry)["endpoints"] if endpoint["code"] == "os")
    assert [row["group"] for row in section["steps"]] == [other]
    assert all(
        isinstance(n, Few) or n == 0 for row in section["at_risk"] if row["group"] == few for n in row["at_risk"]
    )
    read = [row for part in ("rates", "restricted") for row in section[part] if few in row["group"].split("_vs_")]
    assert len(read) == 4
    assert {(row["estimate"], row["low"], row["high"]) for row in read} == {(None, None, None)}
    assert all(row["reason"] for row in read)
    followed = next(row for row in section["followed"] if row["group"] == few)
    assert not any(followed[name] for name in followed if name.startswith(("median", "follow_up")))
    for language, said in (("en", "few patients or events stand behind it"), ("ja", "少数のため示さない")):
        with override_settings(SMALL_CELLS=THRESHOLD):
            result = tables.shown(typed(entry))
        chart = next(
            drawing for drawing in drawings.charts(result, language) if drawing.code == "endpoints-os-survival"
        )
        assert said in chart.alt
        assert b"few" not in chart.csv()
        assert drawings.drawn(result, chart.code, "svg", language)
        table = next(
            candidate for candidate in tables.tables(result, language) if candidate.code == "endpoints-os-followed0"
        )
        assert any(said in note for note in table.notes)
        assert not any("未到達" in cell or "not reached" in cell for cell in table.rows[1].cells)


def test_curves_end_where_few_are_at_risk(whole):
    for before, after in zip(whole["endpoints"], shown(whole)["endpoints"], strict=True):
        for row in after["steps"]:
            (old,) = (
                step
                for step in before["steps"]
                if (step["group"], step["estimator"]) == (row["group"], row["estimator"])
            )
            assert row["time"] == [t for t, n in zip(old["time"], old["at_risk"], strict=True) if n >= THRESHOLD]
            assert len({len(column) for column in row.values() if isinstance(column, list)}) == 1
            assert len(row["time"]) < len(old["time"])
        assert all(row["estimate"] is None for row in after["rates"] if isinstance(row["at_risk"], Few))
        ends = {row["group"]: row["time"][-1] for row in after["steps"]}
        for row in after["restricted"]:  # the area to a horizon that lies beyond would tell how the curve goes on
            beyond = any(row["horizon"] > ends.get(group, 0) for group in row["group"].split("_vs_"))
            assert (row["estimate"] is None, bool(row["reason"])) == (beyond, beyond)
    assert not any("least_at_risk" in entry for entry in whole["endpoints"])
    entry = copy.deepcopy(whole)
    section = entry["endpoints"][0]
    section["horizon"] = 0.5
    section["restricted"] = [row | {"horizon": 0.5} for row in section["restricted"]]
    group = section["followed"][0]["group"]
    for row in (row for row in section["steps"] if row["group"] == group):
        row["at_risk"] = [3 for _count in row["at_risk"]]  # nothing of this curve stays
    section["followed"][0]["median"] = 0.25
    section = shown(entry)["endpoints"][0]
    assert not any(section["followed"][0][name] for name in ("median", "follow_up"))
    hidden = {row["group"]: row["estimate"] is None for row in section["restricted"]}
    assert hidden == {name: group in name.split("_vs_") for name in hidden} and len(set(hidden.values())) == 2


def test_means_of_few_are_not_told(whole):
    entry = copy.deepcopy(whole)
    row = next(row for row in entry["comparisons"][0]["rows"] if row["kind"] == "continuous")
    first, second = row["groups"].values()
    first |= {"n": 3, "missing": 2}
    assert None not in (first["mean"], second["mean"])
    row = next(row for row in shown(entry)["comparisons"][0]["rows"] if row["kind"] == "continuous")
    first, second = row["groups"].values()
    assert {first[name] for name in ("mean", "sd", "median", "q1", "q3", "min", "max")} == {None}
    assert second["mean"] is not None
    (effect,) = row["effects"].values()
    assert (effect["estimate"], effect["low"], effect["high"], effect["smd"]) == (None, None, None, None)
    assert effect["p"] is not None


@pytest.mark.parametrize(("within", "whole_told"), [(frozenset(Can), True), ({Can.READ, Can.COMPARE}, False)])
def test_who_may_export_gets_every_number_as_data(whole, within, whole_told):
    access = Access(1, (Grant(Role.STATISTICIAN, None),), (1,), frozenset(within))
    with override_settings(SMALL_CELLS=THRESHOLD):
        result = tables.for_reader(typed(whole), access)
    assert (result == whole) == whole_told
    text = json.dumps(result["transitions"])
    assert (f'"count": "<{THRESHOLD}"' in text) != whole_told


def test_figures_are_drawn_where_weights_are_hidden(whole):
    entry = copy.deepcopy(whole)
    for row in entry["propensity"][0]["overlap"]:
        row["weight"] = None
    for code in ("propensity-ps-overlap", "propensity-ps-love"):
        assert drawings.drawn(typed(shown(entry)), code, "svg", "en")
