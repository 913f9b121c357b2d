"""Own instruments in files: a CSV in and out, what its cells may not hold, the codebook and the statistics formats."""

import json

import pytest

from registry.models import Assessment, OwnRecord, Query
from registry.services.review import soft_checks_bulk
from tests.transfer.conftest import ASSESSMENT, PATIENT, bring_in, findings, good, write_csv  # noqa: F401 - fixtures

OWN = {"srs_given": "1", "srs_dose_gy": "24.0", "srs_fractions": "3", "srs_sites": "rib;other", "srs_other": "skull",
       "srs_first": "2026-01", "srs_at": "08:30", "srs_planned": "2026-01-20", "srs_intent": "cure"}  # fmt: skip
NONE = dict.fromkeys(OWN, "") | {"srs_given": "0"}


@pytest.fixture
def files(publish, dose, good, bring_in):  # noqa: F811
    """`files(row, …)` brings in assessments of one patient, at one visit after the other; the report."""
    publish(dose)

    def act(*rows):
        visits = [
            ASSESSMENT | {"timepoint": code} | row for code, row in zip(("preop", "1m", "3m"), rows, strict=False)
        ]
        write_csv(good / "patients.csv", [PATIENT])
        write_csv(good / "assessments.csv", visits, list(visits[0]))
        return bring_in(good)

    return act


def test_a_csv_comes_in_complete_by_its_version(files, as_system):
    report = files(OWN, NONE)
    assert (findings(report), report.stored) == ([], True)
    with as_system():
        first, second = Assessment.objects.order_by("timepoint__position")
    assert (first.srs_sites, first.srs_first, first.state) == (("rib", "other"), "2026-01", "complete")
    assert (second.srs_dose_gy, second.state, second.asked_by) == (None, "complete", first.asked_by)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("srs_dose_gy", "80.1", "must be a number from 0 to 80 Gy"),
        ("srs_sites", "rib;lung", "must be codes among rib, spine, other"),
        ("srs_first", "2026-13", "must be a day, a month or a year"),
        ("srs_at", "25:00", "must be a time from 00:00 to 23:59"),
        ("srs_given", "0", "is not asked here"),
    ],
)
def test_what_a_cell_may_not_hold(files, column, value, says):
    all_findings = findings(files(OWN | {column: value}))
    assert all_findings and all(finding[1] == 2 for finding in all_findings)
    assert any(says in str(finding) for finding in all_findings), json.dumps(all_findings, default=str)


def check(name, when):
    return {"name": name, "when": when, "says": {"en": f"{name}, is it right?", "ja": f"{name}、正しいですか"}}


def test_own_soft_checks_speak_before_an_import_is_stored(publish, dose, good, bring_in, as_system):  # noqa: F811
    """Of visits, of repeating forms, of the patient; over answers of the patient and over answers that are missing."""
    publish(
        dose
        | {
            "checks": [
                check("high", "[srs_dose_gy] / [srs_fractions] > 20"),
                check("cross", "[srs_given] = 1 and [sins_pain] = 3"),
                check("unplanned", "[srs_given] = 1 and [srs_intent] = ''"),
                check("rib", "[srs_sites(rib)] = 1 and [srs_dose_gy] >= 60"),
                check("late", "[srs_given] = 1 and [srs_planned] > [surgery_date] and [death_date] <> ''"),
            ]
        }
    )
    walk = {
        "metaspine": "instrument", "format": 1, "code": "walk", "title": {"en": "Walk"}, "record": "repeat",
        "items": [{"name": "walk_m", "label": {"en": "Metres"}, "kind": "whole", "minimum": 0, "maximum": 900}],
        "checks": [check("far", "[walk_m] > 600 and [sex] = 'male'")],
    }  # fmt: skip
    publish(walk)
    items = [{"name": "pack_years", "label": {"en": "Pack years"}, "kind": "whole", "minimum": 0, "maximum": 200}]
    publish(
        walk | {"code": "smoke", "record": "baseline", "items": items, "checks": [check("lot", "[pack_years] > 99")]}
    )
    write_csv(good / "patients.csv", [PATIENT | {"pack_years": "120"}])
    high = OWN | {"srs_fractions": "1", "srs_intent": "", "srs_dose_gy": "60.0"}
    visits = {"preop": NONE, "1m": OWN, "3m": high}
    rows = [ASSESSMENT | {"timepoint": code} | row for code, row in visits.items()]
    write_csv(good / "assessments.csv", rows, list(rows[0]))
    write_csv(good / "own_walk.csv", [{"patient_id": "N01-0001", "walk_m": metres} for metres in ("5", "800")])
    (good / "adverse_events.csv").unlink()
    said = {
        ("patients.csv", 2, "pack_years", "lot"),
        ("assessments.csv", 4, "srs_dose_gy, srs_fractions", "high"),
        ("assessments.csv", 3, "sins_pain, srs_given", "cross"),
        ("assessments.csv", 4, "sins_pain, srs_given", "cross"),
        ("assessments.csv", 4, "srs_given, srs_intent", "unplanned"),
        ("assessments.csv", 4, "srs_dose_gy, srs_sites", "rib"),
        ("assessments.csv", 3, "death_date, srs_given, srs_planned, surgery_date", "late"),
        ("assessments.csv", 4, "death_date, srs_given, srs_planned, surgery_date", "late"),
        ("own_walk.csv", 3, "sex, walk_m", "far"),
    }
    for dry_run in (True, False):
        report = bring_in(good, dry_run=dry_run)
        assert findings(report) == []
        ours = [finding for finding in report.warnings.listed if finding.reason.en.endswith("is it right?")]
        assert {(fault.file, fault.row, fault.column, fault.reason.en.split(",")[0]) for fault in ours} == said
        assert len(ours) == len(said) and ours[0].reason.ja.endswith("正しいですか")
    with as_system():
        assert OwnRecord.objects.count() == 2
        soft_checks_bulk.sweep()  # which asks what the import said, and no more
        asked = Query.objects.exclude(rule="").values_list("rule", "timepoint")
        own = [
            (rule.rpartition(".")[2], visit)
            for rule, visit in asked
            if rule.partition(".")[0] in ("srs", "smoke", "walk")
        ]
        lines = {2: "preop", 3: "1m", 4: "3m"}
        assert sorted(own, key=str) == sorted(
            [(name, lines[row] if file == "assessments.csv" else None) for file, row, _, name in said], key=str
        )
        assert soft_checks_bulk.sweep() == (0, 0, 0)
    rows = [{name: row[name] for name in (*ASSESSMENT, "srs_fractions")} for row in rows]
    rows[2]["srs_fractions"] = "2"  # a file that brings one of the answers: the others are those that are stored
    write_csv(good / "assessments.csv", rows, list(rows[0]))
    report = bring_in(good, update=True, reason="chart")
    ours = [(finding.row, finding.column) for finding in report.warnings.listed if finding.reason.en.startswith("high")]
    assert ours == [(4, "srs_dose_gy, srs_fractions")]


@pytest.mark.parametrize("are_stored", [True, False])
@pytest.mark.parametrize(("value", "is_asked"), [("3", True), ("0", False)])
def test_an_item_that_the_patients_answers_alone_ask_for(publish, dose, good, bring_in, value, is_asked, are_stored):  # noqa: F811
    """A condition over the patient's own answers, stored or in the same import, and over an answer of another form that
    the file does not bring."""
    items = [{"name": "late", "label": {"en": "Late"}, "kind": "yes_no", "show_if": f"[sins_pain] = {value}"},
             {"name": "later", "label": {"en": "Later"}, "kind": "yes_no", "show_if": "[srs_given] = ''"}]  # fmt: skip
    publish(dose)
    publish({"code": "effects", "title": {"en": "Effects"}, "record": "assessment", "items": items})
    if are_stored:
        assert bring_in(good).stored
    write_csv(good / "assessments.csv", [ASSESSMENT | {"late": "1", "later": "0"}])
    said = findings(bring_in(good, update=True, reason="chart"))
    assert [(row, column) for _, row, column, *_ in said] == ([] if is_asked else [(2, "late")])


@pytest.mark.parametrize(("value", "state"), [("3", "draft"), ("0", "complete")])
def test_a_form_that_lacks_what_is_asked_is_a_draft(publish, dose, good, bring_in, as_system, value, state):  # noqa: F811
    items = [{"name": "late", "label": {"en": "Late"}, "kind": "yes_no", "show_if": f"[sins_pain] = {value}"}]
    publish({"code": "effects", "title": {"en": "Effects"}, "record": "assessment", "items": items})
    assert bring_in(good).stored
    with as_system():
        assert set(Assessment.objects.values_list("state", flat=True)) == {state}
