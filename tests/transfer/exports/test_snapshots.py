"""Frozen data: nothing changes them, they are compared cell by cell, and an analysis of one stays the same."""

import io
import json
import zipfile

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from registry import tasks
from registry.analysis.data import frame as frames
from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans
from registry.analysis.running import freezing, runner, runs
from registry.models import (
    AdverseEvent,
    Assessment,
    ComparisonRun,
    FollowUpEnd,
    Freezing,
    Patient,
    Snapshot,
    SnapshotPart,
)
from registry.services import jobs
from registry.services.files import snapshots
from registry.services.files.data_source import LIVE
from registry.services.files.snapshots import differences, source_of
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything
from tests.transfer.conftest import END, write_csv


@pytest.fixture
def frozen(good, bring_in, bob):
    assert bring_in(good).stored
    return snapshots.freeze(access=access_of(bob), label="Interim analysis", note="For the board")


def frame(source=LIVE):
    with everything(), transaction.atomic():
        return frames.read(["preop", "1m"], source=source if source is LIVE else source_of(source))


def changed():
    """What happens after the freeze: an answer gets a value, one changes, one loses it; rows come and go."""
    with everything(reason="correction"), transaction.atomic():
        assessment = Assessment.objects.get(patient_id="N01-0001", timepoint="1m")
        assessment.pain_vas_mm, assessment.frankel, assessment.missing = 10, None, {"frankel": "refused"}
        assessment.save(update_fields=["pain_vas_mm", "frankel", "missing"])
        Assessment.objects.get(patient_id="S01-0001").delete()
        AdverseEvent.objects.create(
            patient_id="N01-0002", site_id=assessment.site_id, kind="pneumonia", onset_date="2024-02-01"
        )


def test_a_snapshot_holds_what_an_analysis_reads_and_no_identifier(frozen):
    assert frozen.rows == {"patients": 3, "assessments": 3, "events": 1, "ends": 0}
    assert frozen.hash.startswith("sha256:")
    names = {name for columns in frozen.columns.values() for name, _ in columns}
    assert not names & {"detail", "birth_date", "hospital_number", "initials"}
    live, then = frame(), frame(frozen)
    assert live.snapshot == then.snapshot
    changed()
    assert frame().snapshot != live.snapshot
    assert frame(frozen).snapshot == live.snapshot


def test_the_same_data_freeze_to_the_same_hash(frozen, bob):
    assert snapshots.freeze(access=access_of(bob), label="Again").hash == frozen.hash
    changed()
    assert snapshots.freeze(access=access_of(bob), label="Later").hash != frozen.hash
    with everything():
        assert snapshots.verify(frozen)


def test_ends_of_follow_up_are_frozen_and_an_older_snapshot_does_without(good, bring_in, bob, monkeypatch, tmp_path):
    write_csv(good / "follow_up_ends.csv", [END])
    assert bring_in(good).stored
    with monkeypatch.context() as before:
        before.setattr(snapshots, "TABLES", snapshots.TABLES[:3])
        old = snapshots.freeze(access=access_of(bob), label="Old")
    new = snapshots.freeze(access=access_of(bob), label="New")
    with everything(reason="correction"), transaction.atomic():
        FollowUpEnd.objects.update(end_date="2024-06-01")
        assert [snapshots.verify(snapshot) for snapshot in (old, new)] == [True, True]
        assert [difference.table for difference in differences(source_of(old), LIVE)] == [
            "patients",
            "assessments",
            "events",
        ]
        ends = differences(source_of(new), LIVE)[3]
    assert ends.cells == ((("N01-0001",), "end_date", "2024-05-01", "2024-06-01"),)
    for snapshot, names in ((old, {}), (new, {"follow_up_ends": 1})):
        path = tmp_path / f"{snapshot.label}.zip"
        call_command("export_data", path, snapshot=snapshot.label, stdout=io.StringIO())
        with zipfile.ZipFile(path) as archive:
            rows = json.loads(archive.read("manifest.json"))["rows"]
            assert rows == {"patients": 3, "assessments": 3, "adverse_events": 1} | names
            if names:
                assert b"2024-05-01" in archive.read("data/follow_up_ends.csv")


def test_nobody_changes_a_snapshot(frozen):
    with everything():
        for change in (
            lambda: Snapshot.objects.filter(pk=frozen.pk).update(label="Other"),
            lambda: Snapshot.objects.filter(pk=frozen.pk).delete(),
            lambda: SnapshotPart.objects.all().update(hash=""),
            lambda: SnapshotPart.objects.all().delete(),
        ):
            with (
                pytest.raises((IntegrityError, ProtectedError), match="never changes|referenced"),
                transaction.atomic(),
            ):
                change()
        assert SnapshotPart.objects.count() == 5
        assert snapshots.verify(frozen)


def test_a_part_that_is_not_what_it_was_is_not_read(frozen):
    with everything(), transaction.atomic():
        part = SnapshotPart.objects.first()
        part.pk, part.position, part.hash = None, 9, "0" * 64
        part.save(force_insert=True)
        with pytest.raises(snapshots.NotIntact):
            source_of(frozen)


def test_a_site_reads_its_own_part_of_a_snapshot(frozen, alice, as_person):
    with as_person(alice), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT patient_id FROM {source_of(frozen).patients} ORDER BY 1")
        assert [row_id for (row_id,) in cursor.fetchall()] == ["N01-0001", "N01-0002"]


def test_who_may_freeze(good, bring_in, alice, mona, bob, dana):
    assert bring_in(good).stored
    for user in (alice, mona):
        with pytest.raises(PermissionDenied):
            snapshots.freeze(access=access_of(user), label="No")
    for user in (bob, dana):
        assert snapshots.freeze(access=access_of(user), label=user.name).created_by == user


@pytest.mark.parametrize("label", ["", "   ", "x" * 81, "Interim analysis"])
def test_a_label_is_needed_and_its_own(frozen, bob, label):
    with pytest.raises(snapshots.InvalidLabel):
        snapshots.freeze(access=access_of(bob), label=label)
    assert Snapshot.objects.count() == 1


def test_two_states_are_compared_cell_by_cell(frozen):
    changed()
    with everything(), transaction.atomic():
        patients, assessments, events, _ends = differences(source_of(frozen), LIVE)
    assert not patients.differs
    assert (assessments.added, assessments.removed, assessments.changed) == (0, 1, 1)
    assert (events.added, events.removed, events.changed) == (1, 0, 0)
    assert assessments.columns == {
        "pain_vas_mm": {"added": 0, "changed": 1, "removed": 0},
        "frankel": {"added": 0, "changed": 0, "removed": 1},
        "missing": {"added": 0, "changed": 1, "removed": 0},
    }
    assert (("N01-0001", "1m"), "pain_vas_mm", "70", "10") in assessments.cells
    assert (("N01-0001", "1m"), "frankel", "C", None) in assessments.cells


def test_the_other_way_round_what_was_removed_is_added(frozen):
    with everything(reason="correction"):
        Patient.objects.filter(pk="N01-0001").update(blood_loss_ml=None, missing={"blood_loss_ml": "unknown"})
    with everything(), transaction.atomic():
        there = differences(source_of(frozen), LIVE)[0].columns["blood_loss_ml"]
        back = differences(LIVE, source_of(frozen))[0].columns["blood_loss_ml"]
    assert (there["removed"], back["added"]) == (1, 1)


def test_a_comparison_of_a_snapshot_names_it_and_stays_the_same(frozen, bob):
    plan, cohort = plans.SEGMENT_COMPARISON, cohorts.ALL
    with everything():
        before = runner.compare(plan, cohort)
    changed()
    run = runs.request(access=access_of(bob), plan=plan, cohort=cohort, frozen=frozen)
    with everything():
        result, patients = runner.compare_and_tell(plan, cohort, snapshot=frozen)
    assert result["method"].pop("frozen") == {"label": "Interim analysis", "hash": frozen.hash}
    assert result == before
    assert patients == ["N01-0001", "N01-0002", "S01-0001"]
    assert ComparisonRun.objects.get(pk=run.pk).frozen == frozen


def test_the_pages(frozen, client, bob, alice):
    client.force_login(alice)
    for address in ("/snapshots/", f"/snapshots/{frozen.pk}/", "/snapshots/compare/"):
        assert client.get(address).status_code == 404
    client.force_login(bob)
    assert "Interim analysis" in client.get("/snapshots/").content.decode()
    assert frozen.hash in client.get(f"/snapshots/{frozen.pk}/").content.decode()
    answer = client.post(f"/snapshots/{frozen.pk}/verify/", follow=True).content.decode()
    assert "the hash is the same" in answer
    changed()
    page = client.get("/snapshots/compare/", {"before": frozen.pk, "after": "now"}).content.decode()
    assert '<th scope="row">pain_vas_mm</th>' in page
    assert client.get("/snapshots/compare/", {"before": "nothing", "after": "now"}).status_code == 200
    made = client.post("/snapshots/", {"label": "Second", "note": ""}, follow=True).content.decode()
    assert "Frozen: “Second”." in made
    assert client.post("/snapshots/", {"label": "Second"}).status_code == 422


def test_a_large_registry_is_frozen_by_a_worker(
    frozen, client, bob, mona, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(freezing, "is_small", lambda: False)
    sent = []
    monkeypatch.setattr(tasks.run_freezing, "delay", sent.append)
    client.force_login(bob)
    with django_capture_on_commit_callbacks(execute=True):
        address = client.post("/snapshots/", {"label": "Board", "note": "For the board"}).headers["Location"]
    page = client.get(address).content.decode()
    assert "Waiting for a worker" in page and "For the board" in page
    assert address in client.get("/snapshots/").content.decode()
    assert "being frozen already" in client.post("/snapshots/", {"label": " Board "}).content.decode()
    assert "HX-Refresh" not in client.get(f"{address}progress/").headers

    # Stopped while the columns were packed, when all tables were frozen: nothing of it stays.
    freeze, asked = packed_snapshots.freeze, Freezing.objects.get()
    messages = []

    def stopped(*, tell, **given):
        def stop(share, stage):
            messages.append((share, stage))
            if stage == "columns":
                raise jobs.Cancelled

        return freeze(**given, tell=stop)

    with monkeypatch.context() as patched:
        patched.setattr(packed_snapshots, "freeze", stopped)
        tasks.run_freezing(*sent)
    assert messages == sorted(messages) and messages[0] == (0, "tables")
    assert (Snapshot.objects.count(), SnapshotPart.objects.exclude(snapshot=frozen).count()) == (1, 0)
    assert client.get(f"{address}progress/").headers["HX-Refresh"] == "true"
    assert "The freezing was cancelled." in client.get(address).content.decode()

    # Once more: a worker that was lost after the snapshot was there is followed by one that finds it.
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"{address}again/").status_code == 302
    silent = {"status": "running", "heartbeat_at": timezone.now() - 2 * freezing.STALE}
    tasks.run_freezing(sent[-1])
    made = Snapshot.objects.get(pk=asked.pk)
    Freezing.objects.update(**silent)
    assert freezing.recover() == [asked.pk]
    assert freezing.perform(asked.pk, reporting=False)
    asked.refresh_from_db()
    assert (asked.status, made.label, made.note, made.created_by) == ("done", "Board", "For the board", bob)
    assert made.hash in client.get(address).content.decode()
    assert asked.pk not in [run.pk for run in freezing.without_snapshot()]
    client.post(f"{address}cancel/")
    asked.refresh_from_db()
    assert asked.status == "done"

    # Why it came to nothing is told.
    with pytest.raises(PermissionDenied):
        freezing.request(access=access_of(mona), label="Mine")
    for label, words in (("Board", "There is a snapshot “Board” already."), ("Later", "may no longer freeze")):
        other = Freezing.objects.create(label=label, requested_by=bob if label == "Board" else mona)
        assert freezing.perform(other.pk, reporting=False)
        assert words in client.get(f"/snapshots/{other.pk}/").content.decode()


def test_writers_are_held_off_only_where_none_is_writing(db):
    """A request is in a transaction that sees what others commit meanwhile: what it freezes must stand still."""
    with (
        everything(reason="test"),
        transaction.atomic(),
        psycopg.connect(**connection.get_connection_params()) as other,
    ):
        other.execute("LOCK TABLE registry_assessment IN ROW EXCLUSIVE MODE")  # as every INSERT takes it
        assert not snapshots.hold_writers_off(tries=1)
        other.rollback()
        assert snapshots.hold_writers_off(tries=1)
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("LOCK TABLE registry_patient IN ROW EXCLUSIVE MODE")
