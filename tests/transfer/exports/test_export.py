"""What goes out: everything that came in, byte for byte again, and no identifier where none may be."""

import csv
import io
import re

import pytest
from django.core.management import CommandError, call_command

from registry.imports.checking.staging import copy_text
from registry.instruments import catalogue
from registry.models import AdverseEvent, Assessment, Patient
from registry.services.files import file_formats
from sites.models import AuditEvent
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, EVENT, PATIENT, texts, write_csv


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_what_came_in_goes_out(good, bring_in, take_out):
    bring_in(good)
    out = take_out("out")
    for name in ("patients", "assessments", "adverse_events"):
        given, written = rows(good / f"{name}.csv"), rows(out / f"{name}.csv")
        assert [{column: row[column] for column in given[0]} for row in written] == given


def test_out_and_in_and_out_again_is_the_same_to_the_byte(good, bring_in, take_out):
    detail = ["=1+1", "'quoted", "a,b", 'say "no"', "two\nlines", "＝全角", "\\N", "\\.", "plain"]
    events = [EVENT | {"onset_date": f"2024-02-{day:02}", "detail": text} for day, text in enumerate(detail, 1)]
    given = [event | {"detail": re.sub("^(?=['=＝])", "'", event["detail"])} for event in events]
    write_csv(good / "adverse_events.csv", given)
    reasons = {"frankel": "", "frankel_missing": "too_ill", "eq_vas": "", "eq_vas_missing": "refused"}
    assessments = [ASSESSMENT, ASSESSMENT | {"timepoint": "1m"} | reasons]
    write_csv(good / "assessments.csv", assessments, list(ASSESSMENT | reasons))
    assert bring_in(good).stored
    first = take_out("first")
    with everything():
        assert [event.detail for event in AdverseEvent.objects.order_by("onset_date")] == detail
        for model in (Assessment, AdverseEvent, Patient):
            model.objects.all().delete()
    assert bring_in(first).stored
    second = take_out("second")
    assert texts(first) == texts(second)
    assert {(count.new, count.changed) for count in bring_in(second).counts.values()} == {(0, 0)}


def test_the_header_is_the_contract_then_the_reasons(good, bring_in, take_out):
    bring_in(good)
    out = take_out("out")
    for file, columns in (
        (file_formats.PATIENTS, catalogue.PATIENT_COLUMNS),
        (file_formats.ASSESSMENTS, catalogue.ASSESSMENT_COLUMNS),
        (file_formats.ADVERSE_EVENTS, catalogue.ADVERSE_EVENT_COLUMNS),
    ):
        header = (out / file.filename).read_text().split("\n")[0].split(",")
        assert tuple(header[: len(columns)]) == columns
        assert all(name.removesuffix("_missing") in columns for name in header)


def test_rows_are_ordered_by_patient_and_timepoint(good, bring_in, take_out):
    times = [("24m", "2026-01-10"), ("3m", "2024-04-10"), ("preop", "2024-01-09")]
    patient = PATIENT | {"last_contact_date": "2026-02-01", "vital_status": "alive", "death_date": ""}
    write_csv(good / "patients.csv", [patient | {"patient_id": f"N01-000{n}"} for n in (2, 1)])
    assessments = [
        ASSESSMENT | {"patient_id": f"N01-000{n}", "timepoint": time, "assessment_date": day}
        for time, day in times
        for n in (2, 1)
    ]
    write_csv(good / "assessments.csv", assessments)
    assert bring_in(good).stored
    assert [(row["patient_id"][-1], row["timepoint"]) for row in rows(take_out("out") / "assessments.csv")] == [
        (n, time) for n in "12" for time in ("preop", "3m", "24m")
    ]


def test_de_identified_has_age_and_neither_birth_date_nor_free_text(good, bring_in, take_out):
    write_csv(good / "adverse_events.csv", [EVENT | {"detail": "Mr Tanaka fell"}])
    bring_in(good)
    out = take_out("out", "--de-identified")
    patients = rows(out / "patients.csv")
    assert (patients[0]["age_at_surgery"], "birth_date" in patients[0]) == ("73", False)
    everything_written = b"".join(texts(out).values())
    assert b"1950" not in everything_written
    assert b"Tanaka" not in everything_written
    assert b"Tanaka" in b"".join(texts(take_out("identified")).values())


def test_a_failed_export_leaves_no_file(good, bring_in, tmp_path):
    bring_in(good)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "assessments.csv").mkdir()  # cannot be replaced by a file
    with pytest.raises(CommandError) as refusal:
        call_command("export_csv", tmp_path / "out", stdout=io.StringIO())
    assert refusal.value.returncode == 2
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []


def test_an_export_is_recorded_with_counts_only(good, bring_in, take_out):
    bring_in(good)
    take_out("out")
    with everything():
        assert AuditEvent.objects.get(action="export", site_id=None).new == {
            "rows": {"patients": 3, "assessments": 3, "adverse_events": 1, "follow_up_ends": 0},
            "identified": True,
        }


def test_the_readme_says_when_the_data_are_synthetic(good, bring_in, take_out, settings):
    bring_in(good)
    assert "SYNTHETIC" not in (take_out("real") / "README.txt").read_text()
    settings.SYNTHETIC = True
    assert "SYNTHETIC" in (take_out("demo") / "README.txt").read_text()


@pytest.mark.parametrize("text", ["=1", "'", "''", "'=", "＠x", "-", "a", "'a", "+1"])
def test_guarding_is_undone(text, db):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {file_formats.guarded_sql('t')} FROM (SELECT %s AS t) AS x", [text])
        guarded = cursor.fetchone()[0]
    assert file_formats.unguarded(guarded) == text
    assert guarded[0] not in "=+-@＝＋－＠"


@pytest.mark.parametrize("text", ["", "a\tb", "\\N", "\\", "line\nline", "\\.", "日本"])
def test_copy_keeps_every_text(text, db):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE texts (t text)")
        with cursor.copy("COPY texts FROM STDIN") as copy:
            copy.write(copy_text(text) + "\n")
        cursor.execute("SELECT t FROM texts")
        assert cursor.fetchall() == [(text,)]
