"""Exports as jobs: who sees them, files that can be fetched in parts, failures that leave nothing, expiry."""

import hashlib
import io
import json
import os
import zipfile
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from registry.exports import jobs
from registry.exports.choices import Choices, InvalidChoices
from registry.models import Assessment, Export, Snapshot
from registry.services.files import snapshots
from sites.models import AuditEvent, Membership
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything
from tests.working import export_path

pytestmark = pytest.mark.usefixtures("folder")
FORM = {
    "format": "csv", "cohort": "all", "shape": "long", "content": ["items", "totals"], "values": "codes",
    "language": "en", "missing": "columns", "dates": "dates",
}  # fmt: skip


@pytest.fixture
def registry(good, bring_in):
    assert bring_in(good).stored


def asked(client, **changes):
    """The Export that posting the form made, and the response after its redirect."""
    response = client.post("/export/start/", FORM | changes)
    assert response.status_code == 302, response.content.decode()[:2000]
    return Export.objects.latest("requested_at"), client.get(response["Location"])


def names(response):
    content = b"".join(response.streaming_content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content, archive.namelist(), archive.read("data/patients.csv").decode()


@pytest.mark.parametrize(
    ("name", "ids"),
    [("alice", ["N01-0001", "N01-0002"]), ("charlie", ["S01-0001"]), ("bob", ["N01-0001", "N01-0002", "S01-0001"])],
)
def test_a_small_export_comes_at_once_with_the_own_sites_patients(registry, signed_in, name, ids, folder):
    export, response = asked(signed_in(name))
    content, files, patients = names(response)
    assert [line.split(",")[0] for line in patients.splitlines()[1:]] == ids
    assert {"manifest.json", "codebook.pdf", "data/read_metaspine.R"} <= set(files)
    assert (export.status, export.size, export.manifest["patients"]["exported"]) == ("done", len(content), len(ids))
    assert response["Content-Disposition"].startswith('attachment; filename="metaspine-csv-')
    with everything():
        assert set(AuditEvent.objects.filter(row_id=export.pk).values_list("action", flat=True)) == {
            "export",
            "export_downloaded",
        }


def test_a_download_that_broke_off_goes_on(registry, signed_in):
    client = signed_in("alice")
    export, response = asked(client)
    whole = b"".join(response.streaming_content)
    address = f"/export/{export.pk}/file/"
    part = client.get(address, headers={"Range": "bytes=100-", "If-Range": response["ETag"]})
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 100-{len(whole) - 1}/{len(whole)}")
    assert b"".join(part.streaming_content) == whole[100:]
    assert b"".join(client.get(address, headers={"Range": "bytes=-7"}).streaming_content) == whole[-7:]
    assert b"".join(client.get(address, headers={"Range": "bytes=3-9"}).streaming_content) == whole[3:10]
    assert client.get(address, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    changed = client.get(address, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (changed.status_code, b"".join(changed.streaming_content)) == (200, whole)


def test_an_export_is_its_persons_own_and_only_while_they_may(registry, signed_in, alice, ivo):
    export, _ = asked(signed_in("alice"))
    address = f"/export/{export.pk}/"
    assert signed_in("ivo").get(address).status_code == 404
    assert signed_in("alice").get(address).status_code == 200
    Membership.objects.filter(user=alice).update(ends_on=timezone.localdate() - timedelta(days=1))
    assert signed_in("alice").get(f"{address}file/").status_code == 404


def test_the_preview_says_what_would_leave(registry, signed_in):
    client = signed_in("alice")
    page = client.get("/export/", FORM | {"shape": "wide"}, headers={"HX-Request": "true"}).content.decode()
    assert ("frankel_preop" in page, "N01-0001" in page, "S01-0001" in page, "<html" in page) == (
        True,
        True,
        False,
        False,
    )
    assert "2 of 2 patients" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "parquet", "missing": "tagged"}, "has no tagged missing values"),
        ({"content": []}, "required"),
        ({"format": "doc"}, "doc is not one of the available choices"),
        ({"content": ["hsuv"], "value_sets": []}, "choose a value set"),
    ],
)
def test_choices_that_do_not_go_together_are_told(registry, signed_in, changes, message):
    client = signed_in("alice")
    response = client.post("/export/start/", FORM | changes)
    assert (response.status_code, message in response.content.decode()) == (422, True)
    assert not Export.objects.exists()
    assert client.get("/export/", FORM | changes).status_code in (200, 422)


def test_snapshots_are_not_for_site_people(registry, alice, bob):
    frozen = snapshots.freeze(access=access_of(bob), label="Board")
    choices = Choices(snapshot=str(frozen.pk))
    with pytest.raises(InvalidChoices):
        jobs.request(access=access_of(alice), choices=choices)
    assert jobs.request(access=access_of(bob), choices=choices).rows_expected == 7


def test_what_a_wide_export_expects_is_what_it_writes(registry, bob, folder):
    frozen = snapshots.freeze(access=access_of(bob), label="Board")
    for more in ({}, {"snapshot": str(frozen.pk)}):
        for shape in ("long", "wide"):
            with everything(reason="test"), transaction.atomic():
                export = jobs.request(access=access_of(bob), choices=Choices(shape=shape, **more))
            assert jobs.perform(export.pk, reporting=False)
            export.refresh_from_db()
            rows = sum(export.manifest["rows"].values())
            assert (export.rows_expected, export.rows_written, export.share) == (rows, rows, 1)


def test_a_failed_export_leaves_no_file_and_says_why(registry, signed_in, bob, folder):
    client = signed_in("bob")
    export = jobs.request(access=access_of(bob), choices=Choices())
    Membership.objects.filter(user=bob).update(starts_on=timezone.localdate() + timedelta(days=1))
    assert jobs.perform(export.pk, reporting=False)
    Membership.objects.filter(user=bob).update(starts_on="2018-01-01")
    export.refresh_from_db()
    assert (export.status, list(folder.glob("*"))) == ("failed", []) or not folder.exists()
    page = client.get(f"/export/{export.pk}/").content.decode()
    assert "may no longer export" in page
    assert client.get(f"/export/{export.pk}/file/").status_code == 404


def test_what_breaks_while_writing_leaves_no_file(registry, bob, folder):
    export = jobs.request(access=access_of(bob), choices=Choices(format="sav"))
    folder.touch()  # where the file would be written
    assert jobs.perform(export.pk, reporting=False)
    export.refresh_from_db()
    assert (export.status, export.error["en"]) == (
        "failed",
        "The server has no room for the file, or its store does not answer. Tell the operator.",
    )
    assert not export_path(export).exists()


def test_a_queued_export_can_be_cancelled_and_is_then_not_carried_out(registry, signed_in, bob):
    client = signed_in("bob")
    export = jobs.request(access=access_of(bob), choices=Choices())
    client.post(f"/export/{export.pk}/cancel/")
    assert not jobs.perform(export.pk, reporting=False)
    export.refresh_from_db()
    assert (export.status, export_path(export).exists()) == ("cancelled", False)
    assert "cancelled" in client.get(f"/export/{export.pk}/").content.decode()


def test_files_expire(registry, signed_in, folder):
    client = signed_in("alice")
    export, _ = asked(client)
    assert jobs.expire() == 0
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now())
    assert (jobs.expire(), list(folder.glob("*.zip"))) == (1, [])
    assert client.get(f"/export/{export.pk}/file/").status_code == 404
    assert "removed" in client.get(f"/export/{export.pk}/").content.decode()


def test_a_lost_export_is_sent_again_and_gives_up_in_the_end(registry, bob):
    export = jobs.request(access=access_of(bob), choices=Choices())
    mine = Export.objects.filter(pk=export.pk)
    long_ago = timezone.now() - timedelta(hours=1)
    mine.update(status="running", attempts=1, heartbeat_at=long_ago)
    assert jobs.recover() == [export.pk]
    mine.update(status="running", attempts=3, heartbeat_at=long_ago)
    assert jobs.recover() == []
    assert mine.get().status == "failed"


def test_a_worker_that_was_given_up_leaves_its_successors_file_alone(registry, bob, folder, monkeypatch):
    export = jobs.request(access=access_of(bob), choices=Choices())
    write = jobs.write_package

    def slowly(*message):
        manifest = write(*message)
        if Export.objects.get(pk=export.pk).attempts == 1:  # meanwhile another worker takes over, and is done
            Export.objects.filter(pk=export.pk).update(heartbeat_at=timezone.now() - 2 * jobs.STALE)
            assert jobs.perform(export.pk, reporting=False)
        return manifest

    monkeypatch.setattr(jobs, "write_package", slowly)
    assert jobs.perform(export.pk, reporting=False)
    export.refresh_from_db()
    assert (export.status, export.attempts) == ("done", 2)
    assert hashlib.sha256(export_path(export).read_bytes()).hexdigest() == export.sha256
    assert [path.name for path in folder.iterdir()] == [export_path(export).name]


def test_what_interrupted_workers_left_is_cleared_away(registry, signed_in, folder):
    export, _ = asked(signed_in("alice"))
    long_ago = (timezone.now() - timedelta(days=2)).timestamp()
    for name in (f".{export.pk}.1.part", "f6f0c5c4-0000-4000-8000-000000000000.zip", export_path(export).name):
        (folder / name).touch()
        os.utime(folder / name, (long_ago, long_ago))
    (folder / ".new.1.part").touch()
    assert jobs.expire() == 0
    assert {path.name for path in folder.iterdir()} == {export_path(export).name, ".new.1.part"}


def test_an_export_of_a_snapshot_holds_what_was_frozen(registry, signed_in, bob):
    frozen = snapshots.freeze(access=access_of(bob), label="Board")
    with everything(reason="later"):
        Assessment.objects.filter(timepoint="1m").delete()
    _, now = asked(signed_in("bob"), format="jsonl")
    _, then = asked(signed_in("bob"), format="jsonl", snapshot=str(frozen.pk))
    rows = []
    for response in (now, then):
        with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            rows.append((manifest["rows"]["assessments"], manifest["snapshot"] and manifest["snapshot"]["hash"]))
    assert rows == [(2, None), (3, Snapshot.objects.get().hash)]
