"""The figures: their numbers against a slow recount, and their files as journals and screen readers get them."""

import csv
import io
import json
import statistics as st
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from django.urls import reverse
from scipy import stats

from registry.analysis.design import cohorts, plans, thresholds
from registry.analysis.figures import canvas, fonts
from registry.analysis.figures.drawings import charts, drawn
from registry.analysis.presentation import narrative, tables
from registry.analysis.reports.figure_numbers import step_of
from registry.analysis.running import runner
from registry.instruments import levels
from registry.models import ComparisonRun
from registry.stats.survival import kaplan_meier, log_rank
from sites.models import AuditEvent
from tests.analysis.conftest import answers, patient, typed
from tests.analysis.reports import slow

pytestmark = pytest.mark.long

# Table 1 of the segment study, doi:10.1177/21925682241297948.
TABLE_1 = {
    "cervical": {"C2": 5, "C3": 6, "C4": 10, "C5": 8, "C6": 5, "C7": 8, "T1": 3},
    "thoracic": {
        "T1": 7, "T2": 12, "T3": 18, "T4": 21, "T5": 17, "T6": 12, "T7": 9, "T8": 11, "T9": 10, "T10": 2,
    },
    "tls": {"T10": 7, "T11": 22, "T12": 15, "L1": 17, "L2": 19, "L3": 15, "L4": 11, "L5": 8, "S": 4},
}  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def compared(as_system, plan=plans.SEGMENT_COMPARISON):
    with as_system():
        return runner.compare(plan, cohorts.SEGI2024)


@pytest.fixture
def result(compared_result):
    return compared_result


@pytest.fixture
def grouped(compared_patients):
    return slow.grouped([patient for patient in compared_patients if slow.in_cohort(patient)])


def row_of(rows, **wanted):
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def values(patients, name, timepoint):
    return [slow.value(patient, name, timepoint) for patient in patients]


def changes(patients, name):
    pairs = zip(values(patients, name, "preop"), values(patients, name, "1m"), strict=True)
    return [round(after - before, 9) for before, after in pairs if before is not None and after is not None]


# Numbers


def lesions_of_table_1(counts):
    """Lesions of one to three consecutive levels that together involve each level as often as the study prints."""
    left = dict(counts)
    while any(left.values()):
        first = next(level for level in left if left[level])
        lesion = (first,)
        # T1 of the cervical group and T10 of TL/L/S come only together with a neighbour.
        if first == "C7" and left.get("T1"):
            lesion = ("C7", "T1")
        if first == "T10" and left.get("T11") and "L1" in left:
            lesion = ("T10", "T11")
        for level in lesion:
            left[level] -= 1
        yield lesion


def test_the_levels_are_those_of_table_1(stored, as_system):
    stored([patient(lesion_levels=lesion) for counts in TABLE_1.values() for lesion in lesions_of_table_1(counts)])
    for row in compared(as_system)["figures"]["levels"]:
        assert {level: count for level, count in row["counts"].items() if count} == TABLE_1[row["group"]]
        assert list(row["counts"]) == list(levels.LEVELS)


@pytest.mark.parametrize("name", ["pain_vas_mm", "barthel_total", "hsuv", "eq_vas"])
@pytest.mark.parametrize("timepoint", ["preop", "1m"])
def test_a_box_has_the_quartiles_and_whiskers_of_its_values(result, grouped, name, timepoint):
    for group, patients in grouped.items():
        row = row_of(result["figures"]["distributions"], variable=name, group=group, timepoint=timepoint)
        known = slow.known(values(patients, name, timepoint))
        q1, median, q3 = np.percentile(known, [25, 50, 75])
        inside = [value for value in known if q1 - 1.5 * (q3 - q1) <= value <= q3 + 1.5 * (q3 - q1)]
        expected = {"q1": q1, "median": median, "q3": q3, "low": min(inside), "high": max(inside)}
        expected |= {"mean": st.fmean(known), "n": len(known), "missing": len(patients) - len(known)}
        assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-12)
        assert sum(count for _, count in row["counts"]) == len(known)


def test_courses_are_counts_of_rounded_pairs(result, grouped):
    for group, patients in grouped.items():
        row = row_of(result["figures"]["trajectories"], variable="pain_vas_mm", group=group)
        pairs = [
            tuple(5 * int(value / 5 + 0.5) for value in pair)
            for pair in zip(*(values(patients, "pain_vas_mm", when) for when in ("preop", "1m")), strict=True)
            if None not in pair
        ]
        assert [(a, b, c) for a, b, c in row["counts"]] == [(*pair, pairs.count(pair)) for pair in sorted(set(pairs))]
        assert (row["n"], row["missing"]) == (len(pairs), len(patients) - len(pairs))


def test_nothing_kept_for_figures_is_a_patients_own(result, compared_patients):
    text = json.dumps({name: result[name] for name in ("figures", "survival", "eq5d_report")})
    assert not any(patient["patient_id"] in text for patient in compared_patients)
    for row in result["figures"]["trajectories"] + result["figures"]["distributions"]:
        step = step_of(row["variable"])
        for *rounded, _ in row["counts"]:
            assert all(abs(value / step - round(value / step)) < 1e-6 for value in rounded)


def test_mean_changes_have_the_interval_of_the_t_test(result, grouped):
    for row in result["figures"]["changes"]:
        differences = changes(grouped[row["group"]], row["variable"])
        # R: t.test(after - before)$conf.int
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert row["n"] == len(differences)
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((st.fmean(differences), low, high), rel=1e-9)


def test_responders_reach_the_threshold(result, grouped):
    rows = result["figures"]["responders"]
    assert {(row["variable"], row["threshold"]) for row in rows} == {
        ("hsuv", 0.039), ("hsuv", 0.071), ("eq_vas", 5), ("eq_vas", 7), ("eq_vas", 19.6),
    }  # fmt: skip
    for row in rows:
        differences = changes(grouped[row["group"]], row["variable"])
        assert row["n"] == len(differences)
        assert row["responders"] == sum(change >= row["threshold"] for change in differences)
        assert row["worsened"] == sum(change <= -row["threshold"] for change in differences)


def test_a_change_of_exactly_the_threshold_responds_and_less_does_not(stored, as_system):
    stored([patient(visits={"preop": answers(eq_vas=40), "1m": answers(eq_vas=after)}) for after in (46, 47, 48, 33)])
    row = row_of(compared(as_system)["figures"]["responders"], group="thoracic", threshold=7)
    assert (row["responders"], row["worsened"], row["n"]) == (2, 1, 4)


def test_less_pain_is_the_better_direction(stored, as_system, monkeypatch):
    threshold = thresholds.Threshold(variable="pain_vas_mm", value=20, setting=thresholds.Label("a", "b"), source="x")
    monkeypatch.setattr(thresholds, "THRESHOLDS", (threshold,))
    stored(
        [patient(visits={"preop": answers(pain_vas_mm=50), "1m": answers(pain_vas_mm=after)}) for after in (30, 31, 70)]
    )
    row = row_of(compared(as_system)["figures"]["responders"], group="thoracic")
    assert (row["responders"], row["worsened"], row["n"]) == (1, 1, 3)


def test_a_threshold_of_one_value_set_is_used_with_it_alone():
    assert 0.03 in [threshold.value for threshold in thresholds.of("hsuv", "AU")]
    assert 0.03 not in [threshold.value for threshold in thresholds.of("hsuv", "JP")]
    assert thresholds.of("barthel_total", "JP") == ()
    assert all(threshold.source and threshold.doi for threshold in thresholds.THRESHOLDS)


def months(patients, since=30):
    """Months from the landmark, day 30 after surgery: the cohort is of those followed so long."""
    known = [patient for patient in patients if slow.followup_days(patient) is not None]
    return (
        np.array([(slow.followup_days(patient) - since) / 30.4375 for patient in known]),
        np.array([patient["vital_status"] == "dead" for patient in known]),
    )


def test_survival_is_that_of_the_statistics(result, grouped):
    for row in result["survival"]["curves"]:
        curve = kaplan_meier(*months(grouped[row["group"]]))
        assert row["steps"]["time"] == pytest.approx(curve.time.tolist())
        assert row["steps"]["survival"] == pytest.approx(curve.survival.tolist())
        assert (row["n"], row["events"], row["median"]) == (curve.n, curve.events.sum(), curve.median)
        time, _ = months(grouped[row["group"]])
        assert row["at_risk_at_ticks"] == [int((time >= tick).sum()) for tick in result["survival"]["ticks"]]
    expected = log_rank([months(patients) for patients in grouped.values()])
    assert result["survival"]["log_rank"]["p"] == pytest.approx(expected.p, rel=1e-9)


def test_follow_up_is_the_reverse_estimate_from_surgery(result, grouped):
    time, died = months([patient for patients in grouped.values() for patient in patients], since=0)
    curve = kaplan_meier(time, ~died)
    follow_up = result["survival"]["follow_up"]
    assert tuple(follow_up.values()) == (curve.median, curve.median_low, curve.median_high)


def test_curves_of_patients_who_had_to_live_so_long_start_on_that_day(result, stored_result):
    assert result["survival"]["landmark_day"] == 30
    assert "from day 30 after surgery" in narrative.methods(typed(stored_result))
    (chart,) = [chart for chart in charts(typed(stored_result)) if chart.code == "survival"]
    assert "day 30 after surgery" in chart.alt
    shown = " ".join(texts(drawn(typed(stored_result), "survival", "svg")))
    assert "curves start on that day" in shown
    assert "Months from day 30 after surgery" in shown
    del stored_result["survival"]["landmark_day"], stored_result["survival"]["follow_up"]  # stored before
    shown = " ".join(texts(drawn(typed(stored_result), "survival", "svg")))
    assert "Months after surgery" in shown
    assert "nobody could die before" in shown


def test_survival_agrees_with_scipy(result, grouped):
    dead = {group: stats.CensoredData.right_censored(t, ~d) for group, (t, d) in
            ((group, months(patients)) for group, patients in grouped.items())}  # fmt: skip
    for row in result["survival"]["curves"]:
        curve = stats.ecdf(dead[row["group"]]).sf
        assert row["steps"]["survival"] == pytest.approx(curve.evaluate(row["steps"]["time"]).tolist())


# Files


@pytest.fixture
def stored_result(result):
    """As it comes back from the database, which sorts the keys: the patients are gone."""
    return tables.in_order(json.loads(json.dumps(result, allow_nan=False, sort_keys=True)))


def texts(svg):
    root = ET.fromstring(svg)  # noqa: S314
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]


def test_every_chart_is_drawn_with_its_n_and_tells_it_in_words(stored_result):
    by_code = {chart.code: chart for chart in charts(typed(stored_result))}
    assert list(by_code) == [
        "flow", "levels",
        *(f"distribution-{name}" for name in ("pain_vas_mm", "barthel_total", "hsuv", "eq_vas")),
        *(f"trajectories-{name}" for name in ("pain_vas_mm", "barthel_total", "hsuv", "eq_vas")),
        "mean-changes", "responders", "eq5d-answers", "eq5d-grid", "survival",
    ]  # fmt: skip
    for code, chart in by_code.items():
        assert "n = " in chart.alt, code
        assert chart.title and chart.rows
        shown = " ".join(texts(drawn(typed(stored_result), code, "svg")))
        assert all(name in shown for name in ("Cervical", "Thoracic", "TL/L/S")), code
        for group, n in stored_result["cohort"]["groups"].items():
            if code in {"flow", "levels"}:
                assert f"n = {n}" in shown and f"n = {n}" in chart.alt, group


def test_a_chart_shows_its_numbers(stored_result):
    shown = " ".join(texts(drawn(typed(stored_result), "survival", "svg")))
    for count in stored_result["survival"]["curves"][0]["at_risk_at_ticks"]:
        assert str(count) in shown
    assert "log-rank P" in shown and "at least 30 days" in shown
    row = row_of(stored_result["figures"]["distributions"], variable="hsuv", group="thoracic", timepoint="1m")
    assert f"n = {row['n']}" in texts(drawn(typed(stored_result), "distribution-hsuv", "svg"))
    assert "MCID 0.039" in texts(drawn(typed(stored_result), "mean-changes", "svg"))


def test_significance_is_marked_by_the_adjusted_p(stored_result):
    for row in stored_result["eq5d_domains"]:
        row["p"] = dict.fromkeys(row["p"], 0.2)
    assert not {"*", "**", "***"} & set(texts(drawn(typed(stored_result), "eq5d-answers", "svg")))
    row["p"] = {"cervical_vs_thoracic": 0.04, "thoracic_vs_tls": 0.004, "cervical_vs_tls": 0.0004}
    assert {"*", "**", "***"} <= set(texts(drawn(typed(stored_result), "eq5d-answers", "svg")))
    assert (
        "Cervical – Thoracic differ, P < 0.05"
        in {chart.code: chart for chart in charts(typed(stored_result))}["eq5d-answers"].alt
    )


def test_the_same_result_gives_the_same_bytes(stored_result):
    for format in ("svg", "png", "pdf", "csv"):
        assert drawn(typed(stored_result), "flow", format) == drawn(typed(stored_result), "flow", format)
    assert b"<dc:date>" not in drawn(typed(stored_result), "flow", "svg")


def test_png_is_of_300_dpi_and_pdf_is_a_pdf(stored_result):
    from PIL import Image

    picture = Image.open(io.BytesIO(drawn(typed(stored_result), "survival", "png")))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert picture.width == pytest.approx(6.8 * 300, abs=1)
    assert drawn(typed(stored_result), "survival", "pdf").startswith(b"%PDF")


def test_made_up_patients_are_called_so_in_the_figure(stored_result):
    said = "SYNTHETIC DATA: these patients do not exist"
    assert said in texts(drawn(typed(stored_result), "levels", "svg", synthetic=True))
    assert said not in texts(drawn(typed(stored_result), "levels", "svg"))


def test_csv_holds_the_numbers_at_full_precision(stored_result):
    rows = list(csv.DictReader(io.StringIO(drawn(typed(stored_result), "mean-changes", "csv").decode())))
    assert [float(row["mean"]) for row in rows] == [row["mean"] for row in stored_result["figures"]["changes"]]
    assert rows[0]["group"] == "cervical"


def test_japanese_on_a_machine_without_a_font_for_it(stored_result, monkeypatch):
    chart = {chart.code: chart for chart in charts(typed(stored_result), "ja")}["levels"]
    assert "頚椎（n = " in chart.alt
    assert fonts.FAMILY in canvas._installed()
    for installed in ({"DejaVu Sans", fonts.FAMILY}, {"DejaVu Sans", "Noto Sans CJK JP", fonts.FAMILY}):
        monkeypatch.setattr(canvas, "_installed", lambda installed=installed: installed)
        drawing = drawn(typed(stored_result), "levels", "svg", "ja")
        assert any("頚椎" in text for text in texts(drawing))
        assert (fonts.FAMILY in drawing.decode()) == ("Noto Sans CJK JP" not in installed)


@pytest.mark.filterwarnings("error")  # matplotlib warns of each character that it draws as a box
def test_no_boxes_in_japanese(stored_result, monkeypatch):
    monkeypatch.setattr(canvas, "_installed", lambda: {"DejaVu Sans", fonts.FAMILY})
    assert drawn(typed(stored_result), "levels", "png", "ja").startswith(b"\x89PNG")


def test_nobody_at_all_is_drawn_too(db, as_system):
    empty = compared(as_system)
    for chart in charts(typed(empty)):
        assert drawn(typed(empty), chart.code, "svg").startswith(b"<?xml")
    assert "survival" not in {chart.code for chart in charts(typed(empty))}


def test_many_groups_and_times_are_drawn(random_patients, as_system):
    plan = plans.segment_comparison(grouping="primary_tumour", followups=("1m", "6m"))
    for chart in charts(typed(result := compared(as_system, plan))):
        assert drawn(typed(result), chart.code, "svg").startswith(b"<?xml")


def test_there_is_no_other_chart_or_format(stored_result):
    with pytest.raises(KeyError):
        drawn(typed(stored_result), "pie", "svg")
    with pytest.raises(KeyError):
        drawn(typed(stored_result), "flow", "gif")
    assert charts(typed({name: part for name, part in stored_result.items() if name != "figures"})) == []


# Addresses


@pytest.fixture
def run(result, bob):
    plan, cohort = plans.SEGMENT_COMPARISON.to_json(), cohorts.SEGI2024.to_json()
    return ComparisonRun.objects.create(plan=plan, cohort=cohort, requested_by=bob, status="done", result=result)


def figure(run, code="flow", format="svg"):
    return reverse("comparison_figure", args=[run.pk, code, format])


@pytest.mark.parametrize(("who", "status"), [("bob", 200), ("dana", 200), ("alice", 404), ("mona", 404), ("ada", 404)])
def test_only_those_who_may_compare_get_figures(client, run, request, who, status):
    client.force_login(request.getfixturevalue(who))
    assert client.get(figure(run)).status_code == status
    assert client.get(reverse("comparison_eq5d_table", args=[run.pk, "levels"])).status_code == status


@pytest.mark.parametrize(
    ("format", "kind", "start"),
    [("svg", "image/svg+xml", b"<?xml"), ("png", "image/png", b"\x89PNG"), ("pdf", "application/pdf", b"%PDF"),
     ("csv", "text/csv; charset=utf-8", b"step,")],
)  # fmt: skip
def test_a_figure_comes_in_each_format(client, run, bob, as_system, format, kind, start):
    client.force_login(bob)
    response = client.get(figure(run, format=format))
    assert response["Content-Type"] == kind and response.content.startswith(start)
    with as_system():
        assert not AuditEvent.objects.filter(action="comparison_downloaded").exists()
    download = client.get(figure(run, format=format), {"download": ""})
    assert download["Content-Disposition"].endswith(f'-flow.{format}"')
    with as_system():
        event = AuditEvent.objects.get(action="comparison_downloaded")
        assert (event.user_id, event.row_id) == (bob.pk, str(run.pk))


def test_a_figure_may_style_itself_and_nothing_more(client, run, bob):
    client.force_login(bob)
    policy = client.get(figure(run))["Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def test_a_figure_that_there_is_not(client, run, bob):
    client.force_login(bob)
    assert client.get(figure(run, "pie")).status_code == 404
    assert client.get(figure(run, format="gif")).status_code == 404
    ComparisonRun.objects.create(plan=run.plan, cohort=run.cohort, status="queued")
    unfinished = ComparisonRun.objects.get(status="queued")
    assert client.get(figure(unfinished)).status_code == 404


def test_the_page_shows_each_figure_with_its_text_and_its_table(client, run, bob):
    client.force_login(bob)
    response = client.get(reverse("comparison_run", args=[run.pk]))
    page = response.content.decode()
    for section in response.context["charts"]:
        assert f"{figure(run, section.code)}?language=en" in page
        assert section.alt and (section.table is None or section.table.rows)
    assert page.count('<img src="') == len(response.context["charts"])
    assert "EQ-5D report" in page and "Paretian classification of health change" in page
    assert "style=" not in page


def test_the_page_is_shown_in_japanese(client, run, bob):
    client.force_login(bob)
    client.cookies["django_language"] = "ja"
    page = client.get(reverse("comparison_run", args=[run.pk])).content.decode()
    assert "EQ-5Dレポート" in page and "この図の数値" in page and "?language=ja" in page
