"""What comes in: good files are stored whole, bad ones not at all, and each fault is named by file, row and column."""

import time
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from registry.imports.reach import scope_of
from registry.models import AdverseEvent, Assessment, Import, Patient
from registry.services.entry import patient_links
from registry.services.files import file_formats
from registry.services.records import identity
from sites.models import AuditEvent, Site
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, EVENT, PATIENT, findings, tomorrow, write_csv


def stored():
    with everything():
        return Patient.objects.count(), Assessment.objects.count(), AdverseEvent.objects.count()


def change(folder, name, **changes):
    """Rewrite the first row of a file."""
    first = {"patients": PATIENT, "assessments": ASSESSMENT, "adverse_events": EVENT}[name]
    write_csv(
        folder / f"{name}.csv", [first | changes], [*first, *(column for column in changes if column not in first)]
    )
    for other in {"patients", "assessments", "adverse_events"} - {name}:
        if name == "patients":
            (folder / f"{other}.csv").unlink()


def test_good_files_are_stored_whole(good, bring_in):
    report = bring_in(good)
    assert (report.stored, findings(report), stored()) == (True, [], (3, 3, 1))
    assert {name: vars(counts) for name, counts in report.counts.items()} == {
        "patients": {"new": 3, "changed": 0, "unchanged": 0},
        "assessments": {"new": 3, "changed": 0, "unchanged": 0},
        "adverse_events": {"new": 1, "changed": 0, "unchanged": 0},
    }
    with everything():
        patient = Patient.objects.get(pk="N01-0001")
        assert (patient.lesion_levels, patient.segment_group, patient.age_at_surgery) == (("C7", "T1"), "cervical", 73)
        assert (patient.baseline_state, patient.surgery_state) == ("complete", "complete")
        assert identity.read(patient)["birth_date"].isoformat() == PATIENT["birth_date"]
        assert set(Assessment.objects.values_list("state", flat=True)) == {"complete"}


def test_the_trail_tells_of_an_import_and_of_each_row(good, bring_in, dana):
    bring_in(good, within=scope_of(Import(requested_by=dana)), reason="legacy data")
    with everything():
        events = AuditEvent.objects.filter(user_id=dana.pk, reason="legacy data")
        assert events.filter(table_name="registry_patient", action="insert").count() == 3
        assert events.get(action="import", site_id=None).new["patients"] == {"new": 3, "changed": 0, "unchanged": 0}


def test_a_dry_run_tells_and_stores_nothing(good, bring_in):
    report = bring_in(good, dry_run=True)
    assert (report.acceptable, report.stored, report.counts["patients"].new, stored()) == (True, False, 3, (0, 0, 0))


def test_the_same_files_again_are_unchanged(good, bring_in):
    bring_in(good)
    report = bring_in(good)
    assert report.stored
    assert [(count.new, count.changed) for count in report.counts.values()] == [(0, 0)] * 3


def test_any_subset_is_taken_where_its_patients_are_known(good, bring_in, tmp_path):
    (good / "assessments.csv").rename(tmp_path / "assessments.csv")
    assert bring_in(good).stored
    assert bring_in(tmp_path).stored
    assert stored() == (3, 3, 1)


def test_no_file_is_a_sentence(bring_in, tmp_path):
    assert "none of patients.csv" in findings(bring_in(tmp_path))[0][4]


CELLS = [
    ("patients", {"sex": "m"}, "sex", "must be one of male, female"),
    ("patients", {"patient_id": ""}, "patient_id", "must not be empty"),
    ("patients", {"patient_id": "=1+1"}, "patient_id", "letters, digits"),
    ("patients", {"site_code": "X99"}, "site_code", "no site “X99”"),
    ("patients", {"surgery_date": "2024-02-30"}, "surgery_date", "must be a date"),
    ("patients", {"surgery_date": "10/01/2024"}, "surgery_date", "must be a date"),
    ("patients", {"last_contact_date": tomorrow, "death_date": ""}, "last_contact_date", "in the future"),
    ("patients", {"consent_date": "2024-01-11"}, "surgery_date", "must not be before date of consent"),
    ("patients", {"death_date": "2024-01-01"}, "death_date", "must not be before"),
    ("patients", {"last_contact_date": "2025-03-03"}, "death_date", "must not be before date of last contact"),
    ("patients", {"vital_status": "alive"}, "death_date", "only for"),
    ("patients", {"birth_date": "2024-01-08"}, "consent_date", "must be after date of birth"),
    ("patients", {"lesion_levels": "C7;T13"}, "lesion_levels", "must be levels"),
    ("patients", {"lesion_levels": "C7;C7"}, "lesion_levels", "twice"),
    ("patients", {"operative_time_min": "0"}, "operative_time_min", "from 1 to"),
    ("patients", {"blood_loss_ml": "523.2.1"}, "blood_loss_ml", "whole number"),
    ("patients", {"blood_loss_ml": "99999999999999"}, "blood_loss_ml", "whole number"),
    ("patients", {"sex": "male\nfemale"}, "sex", "must be one of"),
    ("assessments", {"patient_id": "N01-9999"}, "patient_id", "no patient “N01-9999”"),
    ("assessments", {"timepoint": "2m"}, "timepoint", "must be one of preop"),
    ("assessments", {"timepoint": ""}, "timepoint", "must not be empty"),
    ("assessments", {"assessment_date": tomorrow}, "assessment_date", "in the future"),
    ("assessments", {"frankel": "F"}, "frankel", "must be one of A"),
    ("assessments", {"barthel_bathing": "10"}, "barthel_bathing", "must be one of 0, 5"),
    ("assessments", {"eq_vas": "101"}, "eq_vas", "from 0 to 100"),
    ("assessments", {"eq5d_mobility": "6"}, "eq5d_mobility", "must be one of 1"),
    ("assessments", {"frankel": "", "frankel_missing": "forgot"}, "frankel_missing", "must be one of"),
    ("assessments", {"frankel_missing": "not_done"}, "frankel", "a value and a reason"),
    ("adverse_events", {"kind": "headache"}, "kind", "must be one of"),
    ("adverse_events", {"onset_date": ""}, "onset_date", "must not be empty"),
    ("adverse_events", {"onset_date": tomorrow}, "onset_date", "in the future"),
    ("adverse_events", {"clavien_dindo": "VI"}, "clavien_dindo", "must be one of"),
    ("adverse_events", {"detail": "x" * 501}, "detail", "at most 500"),
]


@pytest.mark.parametrize(("name", "changes", "column", "reason"), CELLS)
def test_a_bad_cell_is_named_and_nothing_is_stored(good, bring_in, name, changes, column, reason):
    change(good, name, **{cell: value() if callable(value) else value for cell, value in changes.items()})
    report = bring_in(good)
    file, row, where, _, why = findings(report)[0]
    assert (file, row, where, report.stored, stored()) == (f"{name}.csv", 2, column, False, (0, 0, 0))
    assert reason in why


def test_a_value_that_identifies_is_not_repeated(good, bring_in):
    change(good, "patients", birth_date="1950-4-3")
    text = str(findings(bring_in(good)))
    assert "birth_date" in text
    assert "1950" not in text


def test_rows_named_twice_are_told_with_both_lines(good, bring_in):
    write_csv(good / "patients.csv", [PATIENT, PATIENT | {"sex": "female"}])
    write_csv(good / "assessments.csv", [ASSESSMENT, ASSESSMENT | {"frankel": "D"}])
    write_csv(good / "adverse_events.csv", [EVENT, EVENT])
    report = bring_in(good)
    assert [(file, row) for file, row, *_ in findings(report)] == [
        ("patients.csv", 3),
        ("assessments.csv", 3),
        ("adverse_events.csv", 3),
    ]
    assert findings(report)[1][3] == "N01-0001, preop"
    assert "second assessment" in findings(report)[1][4]
    assert "line 2" in findings(report)[1][4]


def test_a_patient_of_another_site_is_refused(good, bring_in):
    bring_in(good)
    change(good, "patients", site_code="S01")
    report = bring_in(good, update=True, reason="moved")
    assert [cell[:4] for cell in findings(report)] == [("patients.csv", 2, "site_code", "S01")]
    assert findings(report)[0][4].startswith("The patient is enrolled at site N01, and a file moves nobody.")


def test_every_fault_is_counted_and_a_hundred_are_shown(good, bring_in):
    write_csv(good / "adverse_events.csv", [EVENT | {"kind": f"x{n}"} for n in range(250)])
    report = bring_in(good)
    assert (report.errors.total, len(report.errors.shown), report.errors.not_shown) == (250, 100, 150)


def raw(text, encoding="utf-8"):
    return text.encode(encoding)


EVENTS = "patient_id,kind,onset_date\nN01-0001,hematoma,2024-01-12\n"
FILES = {
    "empty": (b"", None, "is empty"),
    "blank": (b"\n\n  \n", None, "is empty"),
    "Shift-JIS": (raw(EVENTS) + "N01-0002,血腫,2024-01-12\n".encode("shift_jis"), 3, "not written in UTF-8"),
    "UTF-16": (raw(EVENTS, "utf-16"), None, "UTF-16"),
    "UTF-16 without a mark": (raw(EVENTS, "utf-16-le"), None, "UTF-16"),
    "a spreadsheet": (b"PK\x03\x04" + b"\0" * 100, None, "is a spreadsheet"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, None, "is a spreadsheet"),
    "NUL": (raw(EVENTS) + b"N01-0001,hema\0toma,2024-01-12\n", 3, "NUL"),
    "semicolons": (raw(EVENTS.replace(",", ";")), 1, "separated by commas"),
    "a missing column": (b"patient_id,kind\nN01-0001,hematoma\n", 1, "lacks 1 of its columns: onset_date"),
    "an unknown column": (raw(EVENTS.replace("kind", "kind,grade")), 1, "unknown columns: grade"),
    "a column twice": (raw(EVENTS.replace("kind", "kind,kind")), 1, "twice: kind"),
    "no header": (raw(EVENTS.split("\n", 1)[1]), 1, "lacks 3"),
    "ten thousand columns": (raw(",".join(f"c{n}" for n in range(10_000)) + "\n"), 1, "lacks 3"),
    "a short row": (raw(EVENTS) + b"N01-0001,hematoma\n", 3, "has 2 cells where the header has 3"),
    "a long row": (raw(EVENTS) + b"N01-0001,hematoma,2024-01-13,," + b"," * 10_000, 3, "where the header has 3"),
    "an open quotation mark": (raw(EVENTS) + b'N01-0001,"hematoma,2024-01-12\n', 3, "quotation mark"),
    "a stray quotation mark": (raw(EVENTS) + b'N01-0001,"hema"toma,2024-01-12\n', 3, "quotation mark"),
    "a cell without end": (raw(EVENTS) + b'N01-0001,"' + b"x" * 200_000 + b'",2024-01-12\n', 3, "quotation mark"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_table_of_ours_is_a_sentence(good, bring_in, name):
    content, row, reason = FILES[name]
    (good / "adverse_events.csv").write_bytes(content)
    started = time.process_time()
    report = bring_in(good)
    assert time.process_time() - started < 5
    file, where, *_, why = findings(report)[0]
    assert (file, where, report.stored, stored()) == ("adverse_events.csv", row, False, (0, 0, 0))
    assert reason in why and len(why) < 1_000  # however long the cell is


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + EVENTS.encode(),
        EVENTS.replace("\n", "\r\n").encode(),
        EVENTS.replace("\n", "\n\n").encode(),
        EVENTS.replace("hematoma", '"hematoma"').encode(),
        b"onset_date, kind ,patient_id\n2024-01-12, hematoma,N01-0001\n",
        EVENTS.encode().rstrip(b"\n"),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "quotes", "other order, blanks", "no last newline"],
)
def test_what_a_spreadsheet_writes_is_accepted(good, bring_in, content):
    (good / "adverse_events.csv").write_bytes(content)
    report = bring_in(good)
    assert (findings(report), stored()) == ([], (3, 3, 1))


def test_a_newline_inside_a_text_is_kept_and_lines_are_counted_on(good, bring_in):
    rows = 'patient_id,kind,onset_date,detail\nN01-0001,other,2024-01-12,"two\nlines"\nN01-0001,x,2024-01-12,\n'
    (good / "adverse_events.csv").write_text(rows)
    assert [(row, column) for _, row, column, *_ in findings(bring_in(good))] == [(4, "kind")]
    (good / "adverse_events.csv").write_text(rows.rsplit("\n", 2)[0] + "\n")
    assert bring_in(good).stored
    with everything():
        assert AdverseEvent.objects.get().detail == "two\nlines"


def test_of_ten_thousand_columns_a_few_are_named(good, bring_in):
    (good / "adverse_events.csv").write_bytes(FILES["ten thousand columns"][0])
    assert findings(bring_in(good))[1][4] == "has 10000 unknown columns: c0, c1, c2, c3, c4, …"


def test_an_unreadable_patients_file_does_not_blame_the_others(good, bring_in):
    (good / "patients.csv").write_bytes(b"")
    assert [file for file, *_ in findings(bring_in(good))] == ["patients.csv"]


def test_unanswered_forms_are_drafts_and_reasons_complete_them(good, bring_in):
    reasons = {"frankel": "", "frankel_missing": "too_ill"}
    rows = [ASSESSMENT | {"frankel": ""}, ASSESSMENT | {"timepoint": "1m"} | reasons]
    write_csv(good / "assessments.csv", rows, [*ASSESSMENT, "frankel_missing"])
    assert bring_in(good).stored
    with everything():
        assert list(Assessment.objects.order_by("timepoint__position").values_list("state", "missing")) == [
            ("draft", {}),
            ("complete", {"frankel": "too_ill"}),
        ]


def test_warnings_do_not_refuse(good, bring_in):
    change(good, "assessments", frankel="A", barthel_mobility="15", assessment_date="2024-01-20")
    report = bring_in(good)
    assert report.stored
    assert {
        (warning.row, warning.column) for warning in report.warnings.shown if warning.file == "assessments.csv"
    } == {
        (2, "frankel, barthel_mobility"),
        (2, "timepoint, assessment_date, surgery_date"),
        (2, "timepoint, tokuhashi_palsy, frankel"),
    }
    assert report.warnings.total == len(report.warnings.shown)


@pytest.mark.parametrize(("born", "count"), [("2003-01-01", 0), ("2005-01-01", 1), ("2007-01-01", 2)])
def test_a_young_patient_is_a_warning(good, bring_in, born, count):
    change(good, "patients", birth_date=born)
    report = bring_in(good)
    assert (report.stored, sum("birth_date" in warning.column for warning in report.warnings.shown)) == (True, count)


def test_rows_that_differ_are_refused_with_both_values(good, bring_in):
    bring_in(good)
    change(good, "assessments", frankel="D", eq_vas="", eq_vas_missing="unknown")
    report = bring_in(good)
    assert (report.stored, report.differences.total) == (False, 1)
    assert [(difference.column, difference.value, difference.reason.en) for difference in report.differences.shown] == [
        ("frankel", "D", "stored: C"),
        ("eq_vas", "∅", "stored: 40"),
        ("eq_vas_missing", "unknown", "stored: ∅"),
    ]
    with everything():
        assert Assessment.objects.get(patient="N01-0001", timepoint="preop").frankel == "C"


def test_an_update_replaces_with_a_reason(good, bring_in):
    bring_in(good)
    change(good, "patients", birth_date="1951-04-03", blood_loss_ml="350")
    report = bring_in(good)
    assert [(difference.column, difference.value, difference.reason.en) for difference in report.differences.shown] == [
        ("birth_date", "…", "differs from what is stored"),
        ("blood_loss_ml", "350", "stored: 300"),
    ]
    report = bring_in(good, update=True, reason="chart reviewed")
    assert (report.stored, report.counts["patients"].changed) == (True, 1)
    with everything():
        patient = Patient.objects.get(pk="N01-0001")
        assert (patient.blood_loss_ml, patient.age_at_surgery) == (350, 72)
        assert identity.read(patient)["birth_date"].isoformat() == "1951-04-03"
        events = AuditEvent.objects.filter(reason="chart reviewed", action="update")
        assert set(events.values_list("table_name", flat=True)) == {"registry_patient", "registry_identity"}
    assert bring_in(good).counts["patients"].unchanged == 1


def test_a_death_that_comes_in_ends_the_patients_links(good, bring_in, charlie, as_person):
    bring_in(good)
    with as_person(charlie) as access:
        patient = Patient.objects.get(pk="S01-0001")
        asked = {"access": access, "timepoint": "1m", "language": "ja", "respondent": "self", "valid": "1d"}
        link, _token = patient_links.create(patient=patient, **asked)
    change(good, "patients", patient_id="S01-0001", site_code="S01")
    assert bring_in(good, update=True, reason="register of deaths").stored
    with everything():
        link.refresh_from_db()
    assert link.revoked_at is not None


def test_an_update_without_a_reason_is_refused(good, bring_in):
    with pytest.raises(ValueError, match="reason"):
        bring_in(good, update=True)


def test_signed_forms_and_lost_answers_are_refused_even_with_a_reason(good, bring_in):
    bring_in(good)
    with everything(reason="signing"):
        Assessment.objects.filter(timepoint="1m").update(state="locked")
    write_csv(
        good / "assessments.csv",
        [ASSESSMENT | {"frankel": ""}, ASSESSMENT | {"timepoint": "1m", "assessment_date": "2024-02-10"}],
    )
    report = bring_in(good, update=True, reason="chart reviewed")
    assert [(row, why[:12]) for _, row, _, _, why in findings(report)] == [(2, "needs a valu"), (3, "The form is ")]


def test_reasons_stay_where_the_file_has_no_column_for_them(good, bring_in):
    change(good, "assessments", frankel="", frankel_missing="too_ill")
    bring_in(good)
    change(good, "assessments", frankel="")
    assert bring_in(good).counts["assessments"].unchanged == 1
    change(good, "assessments", frankel="D")
    assert bring_in(good, update=True, reason="found").stored
    with everything():
        assert Assessment.objects.get(patient="N01-0001", timepoint="preop").missing == {}


def test_sites_are_created_only_when_asked(good, db, capsys):
    with pytest.raises(CommandError) as refusal:
        call_command("import_csv", good)
    assert "created with --create-sites" in capsys.readouterr().err
    assert (refusal.value.returncode, Site.objects.count(), stored()) == (2, 0, (0, 0, 0))
    call_command("import_csv", good, "--create-sites", "--no-compute")
    assert (sorted(Site.objects.values_list("code", flat=True)), stored()) == (["N01", "S01"], (3, 3, 1))


def test_a_site_code_of_another_shape_is_told(good, db):
    change(good, "patients", site_code="north")
    with pytest.raises(CommandError):
        call_command("import_csv", good, "--create-sites")
    assert Site.objects.count() == 0


def test_the_command_names_each_fault_without_a_traceback(good, north, south, capsys):
    change(good, "assessments", frankel="F")
    with pytest.raises(CommandError) as refusal:
        call_command("import_csv", good)
    assert refusal.value.returncode == 2
    assert "assessments.csv, row 2, frankel, “F”: must be one of A, B, C, D, E" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nowhere"], ["--update", "."]])
def test_the_command_refuses_what_it_cannot_do(arguments, db):
    with pytest.raises(CommandError) as refusal:
        call_command("import_csv", *arguments)
    assert refusal.value.returncode == 2


def test_every_column_of_the_contract_is_read(good, bring_in):
    """Each declared item reaches its own column."""
    bring_in(good)
    with everything():
        row = Assessment.objects.get(patient="N01-0001", timepoint="preop")
        assert {name: str(getattr(row, file_formats.STORED_AS.get(name, name))) for name in ASSESSMENT} == ASSESSMENT


def test_a_file_from_before_an_item_was_added_is_taken_and_that_is_said(good, bring_in, monkeypatch):
    bring_in(good)
    rows = [{**ASSESSMENT, "pain_vas_mm": "35"}, {**ASSESSMENT, "timepoint": "3m", "assessment_date": "2024-04-09"}]
    columns = [name for name in ASSESSMENT if name != "eq_vas"]
    write_csv(good / "assessments.csv", [{name: row[name] for name in columns} for row in rows], columns)
    report = bring_in(good, update=True, reason="corrected")
    assert not report.stored and "lacks 1 of its columns: eq_vas" in str(findings(report))

    added = [replace(item, since="2") if item.name == "eq_vas" else item for item in file_formats.ASSESSMENTS.items]
    later = replace(file_formats.ASSESSMENTS, items=tuple(added))
    files = [later if file == later else file for file in file_formats.FILES]
    monkeypatch.setattr(file_formats, "FILES", tuple(files))
    report = bring_in(good, update=True, reason="corrected")
    said = [str(warning.reason) for warning in report.warnings.listed]
    assert report.stored and any("is from before 1 of its columns (eq_vas)" in text for text in said)
    with everything():
        corrected = Assessment.objects.get(patient="N01-0001", timepoint="preop")
        new = Assessment.objects.get(patient="N01-0001", timepoint="3m")
        assert (corrected.pain_vas_mm, corrected.eq_vas) == (35, int(ASSESSMENT["eq_vas"]))
        assert (new.eq_vas, corrected.state, new.state) == (None, "complete", "draft")
