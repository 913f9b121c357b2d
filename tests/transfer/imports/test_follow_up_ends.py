"""Ends of follow-up as a file: out and in whole, by the rules of the form, with differences and undoing."""

import csv
import io

import pytest
from django.db import transaction

from registry.exports.data.tables import Selection
from registry.exports.folder import write_folder
from registry.models import FollowUpEnd, Patient
from registry.services.entry import patient_links
from registry.services.files import file_formats
from registry.services.follow_up import ends
from sites.models import AuditEvent
from sites.tenancy.scope import everything
from tests.transfer.conftest import END, PATIENT, findings, texts, write_csv
from tests.transfer.imports.test_admin_import import confirm, importer, upload  # noqa: F401
from tests.transfer.imports.test_import_flow import columns_of, counts, errors, follow, send, store, text, values_of

STOP = END | {"patient_id": "N01-0002", "end_reason": "privacy", "end_data_use": "stop"}
LOST = END | {"patient_id": "S01-0001", "end_kind": "lost", "end_reason": "moved", "end_data_use": ""}
ENDS = [END, STOP, LOST]


@pytest.fixture
def ended(good):
    """The folder `good` with a patient whose data are kept, one whose data must not be used, and one who was lost."""
    write_csv(good / "follow_up_ends.csv", ENDS)
    return good


def stored_ends():
    with everything(), transaction.atomic():
        return {end.pk: (end.end_kind, end.end_data_use, end.version) for end in FollowUpEnd.objects.order_by("pk")}


def ids(folder, name):
    with (folder / f"{name}.csv").open(newline="") as stream:
        return {row["patient_id"] for row in csv.DictReader(stream)}


def test_they_go_out_and_in_and_out_again_to_the_byte(ended, bring_in, take_out):
    assert bring_in(ended).stored
    first = take_out("first")
    assert (first / "follow_up_ends.csv").read_bytes() == (ended / "follow_up_ends.csv").read_bytes()
    with everything():
        Patient.objects.all().delete()
    assert (stored_ends(), bring_in(first).stored) == ({}, True)
    assert texts(take_out("second")) == texts(first)
    assert {(count.new, count.changed) for count in bring_in(first).counts.values()} == {(0, 0)}


def test_who_must_not_be_used_is_in_none_but_the_sites_own(ended, bring_in, take_out, tmp_path, north):
    bring_in(ended)
    central = take_out("central", "--de-identified")
    for name in ("patients", "follow_up_ends"):
        assert ids(central, name) == {"N01-0001", "S01-0001"}
    with everything(), transaction.atomic():
        write_folder(tmp_path / "own", Selection((north.pk,), identified=True))
    assert ids(tmp_path / "own", "follow_up_ends") == {"N01-0001", "N01-0002"}
    # What a central file says is nothing about the patient who is not in it.
    for name in ("patients", "assessments", "adverse_events"):
        (central / f"{name}.csv").unlink()
    assert bring_in(central).counts["follow_up_ends"].unchanged == 2
    assert stored_ends()["N01-0002"] == ("withdrawn", "stop", 1)


def test_without_any_there_is_a_header_and_an_import_needs_no_file(good, bring_in, take_out):
    bring_in(good)
    out = take_out("out")
    assert (out / "follow_up_ends.csv").read_text() == ",".join(file_formats.FOLLOW_UP_ENDS.columns) + "\n"
    assert bring_in(out).counts["follow_up_ends"].new == 0


WRONG = (
    ({"end_date": "2024-01-07"}, "end_date", ends.BEFORE_CONSENT.en),
    ({"end_date": "2025-03-03"}, "end_date", ends.AFTER_DEATH.en),
    ({"end_date": "2999-01-01"}, "end_date", "is in the future: 2999-01-01"),
    ({"end_data_use": ""}, "end_data_use", "must not be empty"),
    ({"end_reason": ""}, "end_reason", "must not be empty"),
    ({"end_kind": "lost"}, "end_data_use", "is the patient's decision when consent is withdrawn"),
    ({"end_kind": "dead"}, "end_kind", "must be "),
    ({"patient_id": "N01-0404"}, "patient_id", "There is no patient “N01-0404”."),
)


@pytest.mark.parametrize("known", [False, True])
def test_what_no_form_takes_is_refused_by_row_and_column(good, bring_in, known):
    """Against the patients of the same import, and against those that are stored."""
    if known:
        bring_in(good)
        for file in file_formats.CONTRACT:
            (good / file.filename).unlink()
    for changes, column, reason in WRONG:
        write_csv(good / "follow_up_ends.csv", [LOST, END | changes])
        all_findings = findings(bring_in(good))
        assert [(row, name, why.startswith(reason)) for _, row, name, _, why in all_findings] == [(3, column, True)], (
            all_findings
        )
    write_csv(good / "follow_up_ends.csv", [END, END])
    assert [(row, name) for _, row, name, _, _ in findings(bring_in(good))] == [(3, "patient_id")]
    assert stored_ends() == {}
    write_csv(good / "follow_up_ends.csv", ENDS)
    assert bring_in(good).stored


def test_patients_are_not_changed_against_the_end_that_is_recorded(ended, bring_in):
    bring_in(ended)
    for changes, column, reason in (
        ({"death_date": "2024-04-30", "last_contact_date": "2024-04-30"}, "death_date", ends.END_AFTER.en),
        ({"consent_date": "2024-05-02", "surgery_date": "2024-05-03"}, "consent_date", ends.END_BEFORE.en),
    ):
        write_csv(ended / "patients.csv", [PATIENT | changes])
        (ended / "follow_up_ends.csv").unlink(missing_ok=True)
        all_findings = findings(bring_in(ended, update=True, reason="letter"))
        assert [(row, name, why) for _, row, name, _, why in all_findings] == [(2, column, reason)]
    write_csv(ended / "patients.csv", [PATIENT | {"death_date": "2024-04-30", "last_contact_date": "2024-04-30"}])
    write_csv(ended / "follow_up_ends.csv", [END | {"end_date": "2024-04-29"}])
    assert bring_in(ended, update=True, reason="letter").stored


def test_differences_replacing_links_and_undoing(good, browser, bring_in, charlie, as_person):
    bring_in(good)
    with as_person(charlie) as access:
        patient = Patient.objects.get(pk="S01-0001")
        asked = {"access": access, "timepoint": "1m", "language": "ja", "respondent": "self", "valid": "1d"}
        link, _token = patient_links.create(patient=patient, **asked)
    first = send(browser, follow_up_ends__csv=text(ENDS).encode())
    assert errors(follow(browser, first)) == []
    store(browser, first)
    with everything():
        link.refresh_from_db()
        assert AuditEvent.objects.filter(table_name="registry_followupend", reason="from the clinic").count() == 3
    assert link.revoked_at is not None
    browser.post(f"{first}undo/", {"reason": "wrong file"})
    assert stored_ends() == {}
    first = send(browser, follow_up_ends__csv=text(ENDS).encode())
    follow(browser, first)
    store(browser, first)
    second = send(browser, follow_up_ends__csv=text([END | {"end_data_use": "stop"}, LOST]).encode())
    follow(browser, second)
    assert counts(second)["follow_up_ends"] == {"new": 0, "changed": 1, "unchanged": 1}
    rows = follow(browser, f"{second}rows/?file=follow_up_ends&kind=changed").context["rows"]
    assert [row["cells"] for row in rows] == [[["end_data_use", "keep", "stop"]]]
    store(browser, second, update="on")
    assert stored_ends()["N01-0001"] == ("withdrawn", "stop", 2)
    browser.post(f"{second}undo/", {"reason": "wrong file"})
    assert stored_ends()["N01-0001"] == ("withdrawn", "keep", 3)
    refused = browser.get(f"{first}undo/").context["obstacles"]  # all or nothing
    assert [(obstacle.file, obstacle.value) for obstacle in refused.shown] == [("followupend", "N01-0001")]


def test_an_undoing_does_not_contradict_an_end_recorded_since(good, browser, bring_in):
    bring_in(good)
    later = {"death_date": "2025-09-01", "last_contact_date": "2025-09-01"}
    address = send(browser, patients__csv=text([PATIENT | later]).encode())
    follow(browser, address)
    store(browser, address, update="on")

    def death():
        with everything(), transaction.atomic():
            return str(Patient.objects.get(pk=PATIENT["patient_id"]).death_date)

    write_csv(good / "follow_up_ends.csv", [END | {"end_date": "2025-06-01"}])
    for file in file_formats.CONTRACT:
        (good / file.filename).unlink()
    assert bring_in(good).stored
    browser.post(f"{address}undo/", {"reason": "wrong file"})
    assert death() == "2025-09-01"
    write_csv(good / "follow_up_ends.csv", [END])
    assert bring_in(good, update=True, reason="letter").stored
    browser.post(f"{address}undo/", {"reason": "wrong file"})
    assert death() == "2025-03-02"


def test_a_file_with_columns_of_its_own_is_matched(good, browser, bring_in):
    bring_in(good)
    header = ["record_id", "redcap_event_name", "ended", "end_date", "why", "end_data_use"]
    rows = [
        ["N01-0001", "baseline_arm_1", "", "", "", ""],
        ["N01-0001", "end_arm_1", "consent withdrawn", "2024-05-01", "moved away", "keep"],
        ["S01-0001", "end_arm_1", "追跡不能", "2024-06-01", "転居", ""],
    ]
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    address = send(browser, redcap__csv=out.getvalue().encode())
    page = follow(browser, address)
    assert page.templates[0].name == "imports/import_columns.html"
    said = {"redcap_event_name": "", "ended": "end_kind", "why": "end_reason"}
    browser.post(f"{address}columns/", columns_of(page, **said))
    browser.post(f"{address}values/", values_of(follow(browser, address)))
    page = follow(browser, address)
    assert (page.templates[0].name, errors(page)) == ("imports/report.html", [])
    store(browser, address)
    assert stored_ends() == {"N01-0001": ("withdrawn", "keep", 1), "S01-0001": ("lost", None, 1)}


def test_the_administration_screen_brings_them_in(good, importer, bring_in):  # noqa: F811
    bring_in(good)
    preview = upload(importer, FollowUpEnd, text([LOST]).encode())
    assert [(row.row, row.key) for row in preview.context["result"].new] == [(2, "S01-0001")]
    assert confirm(importer, FollowUpEnd, preview).status_code == 302
    assert stored_ends() == {"S01-0001": ("lost", None, 1)}
    assert b"S01-0001" in importer.get("/admin/registry/followupend/").content
