"""Imports of people of a site: for the own site alone, and without a word on any other."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command

from registry.imports import jobs
from registry.models import Assessment, Import, ImportMapping, Patient
from sites.models import AuditEvent, Membership
from sites.tenancy.access import Role
from tests.api.conftest import Program, issued
from tests.api.test_imports import send as send_by_token
from tests.conftest import person
from tests.transfer.conftest import ASSESSMENT, PATIENT
from tests.transfer.imports.test_import_flow import errors, follow, send, store, text

OWN = PATIENT | {"patient_id": "N01-0007"}
SOUTH = PATIENT | {"patient_id": "S01-0001", "site_code": "S01"}


@pytest.fixture
def browser(client, alice, south):
    client.force_login(alice)
    return client


@pytest.fixture
def somebody_at_south(good, bring_in):
    """Two patients of North and one of South, with visits."""
    assert bring_in(good).stored


def report(browser, **files):
    return follow(browser, send(browser, **{name: text(rows).encode() for name, rows in files.items()}))


def test_a_coordinator_imports_for_the_own_site_and_a_colleague_takes_it_back(
    browser, client, ivo, alice, north, as_system
):
    address = send(browser, patients__csv=text([OWN]).encode(), assessments__csv=text([ASSESSMENT | {
        "patient_id": "N01-0007"}]).encode())  # fmt: skip
    assert errors(follow(browser, address)) == []
    assert store(browser, address, follow=True).status_code == 302
    with as_system():
        assert Patient.objects.get().updated_by_id == alice.pk
        assert Assessment.objects.get().site_id == Patient.objects.get().site_id
        assert set(AuditEvent.objects.filter(action="import").values_list("site_id", flat=True)) == {north.pk}
    client.force_login(ivo)
    undone = client.post(f"{address}undo/", {"reason": "wrong file"}, follow=True)
    assert undone.context["job"].status == "done"
    with as_system():
        assert not Patient.objects.exists()


def test_rows_of_another_site_are_refused_without_telling_what_is_there(browser, somebody_at_south):
    listed = report(browser, patients__csv=[OWN, SOUTH, SOUTH | {"patient_id": "S01-0099"}])
    reason = "“S01” is no site that you import for: N01."
    assert errors(listed) == [(3, "site_code", "S01", reason), (4, "site_code", "S01", reason)]
    listed = report(browser, patients__csv=[OWN | {"patient_id": name} for name in ("S01-0001", "S01-0099")])
    reason = "The numbers of new patients of N01 begin with “N01-”."
    assert errors(listed) == [(2, "patient_id", "S01-0001", reason), (3, "patient_id", "S01-0099", reason)]
    visits = [ASSESSMENT | {"patient_id": name, "timepoint": "1m"} for name in ("S01-0001", "S01-0099")]
    assert [reason for *_, reason in errors(report(browser, assessments__csv=visits))] == [
        "There is no patient “S01-0001”.",
        "There is no patient “S01-0099”.",
    ]


def test_a_number_of_the_own_site_that_moved_away_is_taken(browser, somebody_at_south, bring_in, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "patients.csv").write_text(text([SOUTH | {"patient_id": "N01-0007"}]))
    assert bring_in(elsewhere).stored
    reason = "The number “N01-0007” was given before, and no number is given twice. Enrol the patient under another."
    assert errors(report(browser, patients__csv=[OWN])) == [(2, "patient_id", "N01-0007", reason)]


def test_nobody_of_another_site_learns_of_it(browser, client, charlie, dana):
    address = send(browser, patients__csv=text([OWN]).encode())
    follow(browser, address)
    store(browser, address)
    client.force_login(charlie)
    assert "0007" not in client.get("/import/history/").text
    assert len(client.get("/import/history/").context["rows"]) == 0
    assert {client.get(f"{address}{page}").status_code for page in ("", "undo/", "rows/", "progress/")} == {404}
    assert client.post(f"{address}undo/", {"reason": "no"}).status_code == 404
    client.force_login(dana)
    assert len(client.get("/import/history/").context["rows"]) == 1
    assert client.get(f"{address}undo/").status_code == 200


def test_a_role_for_every_site_that_does_not_import_opens_none_of_others(browser, client, alice, dana):
    client.force_login(dana)
    address = send(client, patients__csv=text([PATIENT, SOUTH]).encode())
    assert store(client, address, follow=True).status_code == 302
    Membership.objects.create(user=alice, role=Role.STATISTICIAN, site=None)
    client.force_login(alice)
    assert client.get(address).status_code == 404
    assert address not in client.get("/import/history/").content.decode()
    assert "imports" not in {panel.code for panel in client.get("/").context["central"]["panels"]}


def test_what_is_stored_is_what_one_may_import_then(browser, alice, as_system):
    address = send(browser, patients__csv=text([OWN]).encode())
    follow(browser, address)
    Membership.objects.filter(user=alice).update(ends_on=dt.date(2020, 1, 1))
    assert store(browser, address).status_code == 404
    job = Import.objects.get()
    assert jobs.request(job, Import.Act.STORE, reason="anyway")
    assert jobs.perform(job.pk).status == "checked"
    with as_system():
        assert not Patient.objects.exists()


def test_by_token_and_by_command(alice, south, north, tmp_path, as_system):
    both = person("Bea", Role.COORDINATOR, north)
    Membership.objects.create(user=both, role=Role.COORDINATOR, site=south, starts_on=dt.date(2018, 1, 1))
    limited = Program(issued(both, site_ids=[north.pk]))
    content = text([OWN, SOUTH]).encode()
    assert send_by_token(limited, content).json()["errors"] == 1
    assert send_by_token(Program(issued(both)), content).json()["errors"] == 0
    (tmp_path / "patients.csv").write_bytes(content)
    with pytest.raises(CommandError):
        call_command("import_file", tmp_path / "patients.csv", by=alice.email, reason="ward")
    (tmp_path / "patients.csv").write_text(text([OWN]))
    call_command("import_file", tmp_path / "patients.csv", by=alice.email, reason="ward")
    with as_system():
        assert [patient.pk for patient in Patient.objects.all()] == ["N01-0007"]


def test_mappings_are_everybodys_to_use_and_their_makers_to_change(browser, client, alice, dana):
    of_dana = ImportMapping.objects.create(name="ward", mapping={"columns": {}}, created_by=dana)
    browser.post("/import/mappings/", {"remove": of_dana.pk})
    assert ImportMapping.objects.exists()
    client.force_login(dana)
    client.post("/import/mappings/", {"remove": of_dana.pk})
    assert not ImportMapping.objects.exists()
