"""The pages: who sees them, what leaves for whom, and that nothing is stored before it is confirmed."""

import csv
import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone

from registry import tasks
from registry.analysis.design import cohort_flows
from registry.exports.preview import PreviewOf
from registry.health import heartbeats
from registry.imports.files import uploads
from registry.models import Assessment, ExportPreset, Import, ImportPart, Patient, SavedCohort
from registry.services.files import file_formats
from sites.models import AuditEvent
from sites.tenancy.access import Role
from sites.tenancy.scope import everything
from tests.conftest import person
from tests.transfer.conftest import ASSESSMENT, write_csv


@pytest.fixture
def erin(dana):
    return person("Erin", Role.DATA_MANAGER)


def download(client, what, **fields):
    response = client.post("/export/download/", {"what": what} | fields)
    return response, b"".join(response.streaming_content) if response.streaming else b""


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_file_of_made_up_patients_is_named_so(signed_in, settings, synthetic):
    settings.SYNTHETIC = synthetic
    response, _ = download(signed_in("alice"), "patients")
    assert ("synthetic-patients.csv" in response["Content-Disposition"]) == synthetic


@pytest.mark.parametrize(
    ("name", "export", "importing"),
    [
        ("alice", 200, 200),
        ("ivo", 200, 200),
        ("bob", 200, 404),
        ("dana", 200, 200),
        ("mona", 404, 404),
        ("ada", 404, 404),
    ],
)
def test_who_opens_the_pages(signed_in, name, export, importing):
    client = signed_in(name)
    assert (client.get("/export/").status_code, client.get("/import/").status_code) == (export, importing)
    assert client.post("/export/download/", {"what": "patients"}).status_code == export


@pytest.mark.parametrize(
    ("name", "ids"),
    [("alice", ["N01-0001", "N01-0002"]), ("charlie", ["S01-0001"]), ("bob", ["N01-0001", "N01-0002", "S01-0001"])],
)
def test_each_gets_the_patients_of_the_own_sites(good, bring_in, signed_in, name, ids):
    bring_in(good)
    client = signed_in(name)
    _, content = download(client, "patients")
    assert [row["patient_id"] for row in csv.DictReader(io.StringIO(content.decode()))] == ids
    page = client.get("/export/").content.decode()
    assert [number for number in ("N01-0001", "N01-0002", "S01-0001") if number in page] == ids


@pytest.mark.parametrize(("name", "status"), [("alice", 200), ("bob", 404), ("dana", 404)])
def test_birth_dates_leave_only_for_the_sites_own_people(good, bring_in, signed_in, name, status):
    bring_in(good)
    client = signed_in(name)
    response, content = download(client, "patients", identified="on")
    assert (response.status_code, b"1950-04-03" in content) == (status, status == 200)
    assert b"S01-0001" not in content
    _, plain = download(client, "patients")
    assert b"age_at_surgery" in plain
    assert b"birth_date" not in plain
    assert ('name="identified"' in client.get("/export/").content.decode()) == (status == 200)


def test_the_zip_holds_every_file_and_is_recorded(good, bring_in, signed_in, alice):
    bring_in(good)
    response, content = download(signed_in("alice"), "zip")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == sorted(["README.txt", *(file.filename for file in file_formats.FILES)])
    assert archive.read("assessments.csv").count(b"\n") == 3
    assert response["Cache-Control"] == "no-store"
    with everything():
        event = AuditEvent.objects.get(action="export")
        assert (event.user_id, event.site.code if hasattr(event, "site") else event.site_id) == (
            alice.pk,
            alice.memberships.get().site_id,
        )
        assert event.new == {
            "rows": {"patients": 2, "assessments": 2, "adverse_events": 1, "follow_up_ends": 0},
            "identified": False,
            "sites": 1,
        }


def upload(client, folder):
    files = {path.stem: path.open("rb") for path in folder.glob("*.csv")}
    return client.post("/import/", files)


def test_an_import_is_checked_then_confirmed(good, signed_in, dana):
    client = signed_in("dana")
    response = upload(client, good)
    address = response.headers["Location"]
    page = client.get(address)
    assert (page.status_code, dict(page.context["files"])["patients"]["new"]) == (200, 3)
    with everything():
        assert Patient.objects.count() == 0
    assert client.post(address, {"reason": " "}).status_code == 422
    assert client.post(address, {"reason": "legacy data", "alike": "on"}).status_code == 302
    with everything():
        assert Patient.objects.count() == 3
        assert set(AuditEvent.objects.filter(table_name="registry_patient").values_list("user_id", "reason")) == {
            (dana.pk, "legacy data")
        }
    assert ImportPart.objects.count() == 0
    assert "legacy data" in client.get(address).content.decode()


def test_differences_are_stored_only_when_ticked(good, bring_in, signed_in):
    bring_in(good)
    write_csv(good / "assessments.csv", [ASSESSMENT | {"frankel": "D"}])
    client = signed_in("dana")
    address = upload(client, good).headers["Location"]
    assert '<span class="old">C</span>' in client.get(address).content.decode()
    assert client.post(address, {"reason": "chart"}).status_code == 422
    assert client.post(address, {"reason": "chart", "update": "on", "alike": "on"}).status_code == 302
    with everything():
        assert Assessment.objects.get(patient="N01-0001", timepoint="preop").frankel == "D"


def test_faults_are_shown_and_nothing_is_stored(good, signed_in):
    write_csv(good / "assessments.csv", [ASSESSMENT | {"frankel": "<b>F</b>"}])
    client = signed_in("dana")
    address = upload(client, good).headers["Location"]
    page = client.get(address).content.decode()
    assert "&lt;b&gt;F" in page
    assert client.post(address, {"reason": "anyway"}).status_code == 422
    with everything():
        assert Patient.objects.count() == 0


def test_uploads_are_their_uploaders_own_encrypted_and_do_not_last(good, signed_in, dana, bob, erin, settings):
    address = upload(signed_in("dana"), good).headers["Location"]
    job = Import.objects.get()
    content = b"".join(bytes(part.content) for part in ImportPart.objects.all())
    assert b"1950-04-03" not in content
    assert b"1950-04-03" in b"".join(uploads.stored(job, "file:1")) + b"".join(uploads.stored(job, "file:2"))
    assert signed_in("bob").get(address).status_code == 404
    assert signed_in("erin").get(address).status_code == 404  # another data manager
    assert signed_in("dana").get(address).status_code == 200
    assert uploads.forget_old() == 0
    settings.IMPORT_FILES_KEPT = -settings.IMPORT_FILES_KEPT
    assert uploads.forget_old() == 1
    assert (ImportPart.objects.count(), signed_in("dana").get(address).status_code) == (0, 302)


def test_discarded_files_are_gone(good, signed_in, dana):
    client = signed_in("dana")
    address = upload(client, good).headers["Location"]
    assert client.post(f"{address}discard/").status_code == 302
    assert client.get(address).status_code == 302


def test_a_file_that_is_too_large_is_refused_with_a_sentence(good, signed_in, monkeypatch):
    client = signed_in("dana")
    monkeypatch.setattr(uploads, "LARGEST", 100)
    response = upload(client, good)
    assert (response.status_code, "is larger than" in response.content.decode()) == (422, True)
    monkeypatch.undo()
    assert upload(client, good).status_code == 302


def test_no_file_is_a_sentence(signed_in):
    response = signed_in("dana").post("/import/", {})
    assert (response.status_code, "Choose at least one file" in response.content.decode()) == (422, True)


@pytest.mark.parametrize("address", ["/export/", "/import/", "/import/history/", "/import/mappings/"])
def test_the_pages_need_no_inline_script_or_style(signed_in, address):
    page = signed_in("dana").get(address).content.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page


CHOSEN = {
    "format": "xlsx", "cohort": "all", "shape": "wide", "content": ["items", "states"], "values": "labels",
    "language": "ja", "missing": "none", "dates": "days", "timepoints": ["preop"], "instruments": ["frankel"],
    "mark": "no",
}  # fmt: skip


def test_choices_are_kept_under_a_name_and_fill_the_page(good, bring_in, signed_in, alice, tmp_path):
    bring_in(good)
    client = signed_in("alice")
    assert client.post("/export/keep/", CHOSEN | {"name": " "}).status_code == 422
    page = client.post("/export/keep/", CHOSEN | {"name": "Each  month", "shared": "on"}, follow=True)
    preset = ExportPreset.objects.get(name="Each month")
    assert (preset.created_by, preset.shared, page.context["preset"]) == (alice, True, preset)
    form = page.context["form"]
    assert {name: form[name].value() for name in CHOSEN} == CHOSEN
    (shown,) = [preview for preview in page.context["previews"] if preview.name == "patients"]
    assert "state_preop" in [name for name, _label in shown.columns]
    out = signed_in("charlie")
    assert "Each month" in out.get(f"/export/?preset={preset.pk}").text
    assert out.post("/export/remove/", {"remove": preset.pk}).status_code == 404
    assert out.post("/export/keep/", CHOSEN | {"name": "Each month", "shared": "on"}).status_code == 422
    call_command("export_data", tmp_path / "out.zip", preset="Each month", shape="long", stdout=io.StringIO())
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        choices = json.loads(archive.read("manifest.json"))["choices"]
    assert (choices["format"], choices["shape"], choices["timepoints"]) == ("xlsx", "long", ["preop"])
    assert signed_in("alice").post("/export/remove/", {"remove": preset.pk}).status_code == 302
    assert not ExportPreset.objects.exists()


def test_of_kept_choices_somebody_makes_those_that_they_may(signed_in, bob):
    cohort = SavedCohort.objects.create(
        name="Lung", version=1, steps=[{"step": "primary_tumour", "values": ["lung"]}], created_by=bob
    )
    client = signed_in("bob")
    client.post("/export/keep/", CHOSEN | {"name": "Lung", "shared": "on", "cohort": f"saved:{cohort.pk}"})
    preset = ExportPreset.objects.get()
    assert client.get(f"/export/?preset={preset.pk}").context["form"]["cohort"].value() == f"saved:{cohort.pk}"
    page = signed_in("alice").get(f"/export/?preset={preset.pk}")
    assert (page.context["form"]["cohort"].value(), page.context["preset_faults"]) == ("all", ["Patients"])


def test_in_a_large_registry_a_worker_counts_what_would_be_exported_for_each_persons_own_sites(
    good, bring_in, signed_in, monkeypatch
):
    bring_in(good)
    here = signed_in("alice").get("/export/").context["preview"]
    sent = []
    monkeypatch.setattr(cohort_flows, "is_large", lambda: True)
    monkeypatch.setattr(tasks.preview_export, "delay", lambda *asked: sent.append(asked) or True)
    first = signed_in("alice").get("/export/")
    assert first.context["counting"]
    assert b"No worker takes jobs at the moment" in first.content
    heartbeats.alive(heartbeats.QUEUE + "jobs")
    assert b"No worker" not in signed_in("alice").get("/export/", headers={"HX-Request": "true"}).content
    (asked,) = sent  # once, however often the page looks
    tasks.preview_export(*asked)
    page = signed_in("alice").get("/export/")
    preview = page.context["preview"]
    assert (preview.exported, preview.tables) == (here.exported, here.tables)
    assert preview.exported == 2
    question = PreviewOf.from_json(asked[0])
    lies = cache.get(question.key)  # rows of patients are in it: the cache has them encrypted
    assert len(lies) > 100 and b"N01-0001" not in lies
    cache.set(question.key, lies[:-8])  # nor is what somebody else put there ever loaded
    assert cohort_flows.stored(question) is None
    cache.set(question.key, lies)
    assert b"Counted " in page.content
    assert signed_in("charlie").get("/export/").context["counting"]  # of another site, counted by itself
    assert sent[1][0]["site_ids"] != asked[0]["site_ids"]
    tasks.preview_export(*sent[1])
    assert signed_in("charlie").get("/export/").context["preview"].exported == 1
    later = timezone.now() + cohort_flows.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(cohort_flows.timezone, "now", lambda: later)
    assert signed_in("alice").get("/export/").status_code == 200
    assert sent[2:] == [asked]  # what is old is counted anew
