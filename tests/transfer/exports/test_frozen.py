"""The packed columns of a snapshot: read as the registry was, by whom it may, and not once they are something else."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse

from registry.analysis.data import frame as frames
from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans, saved_cohorts
from registry.analysis.running import runner, runs
from registry.exports.choices import Choices
from registry.exports.data.selecting import ExportFailed, selected
from registry.models import Assessment, SnapshotPart
from registry.services.files import snapshots
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything
from tests.analysis.running.test_comparison_pages import FORM

TIMEPOINTS = ("preop", "1m", "12m")


@pytest.fixture
def snapshot(good, bring_in, bob):
    assert bring_in(good).stored
    return packed_snapshots.freeze(access=access_of(bob), label="Interim analysis")


def rows(frame):
    """Every patient of a frame as one tuple, in order: the order of a frame's rows is nobody's concern."""
    return sorted(zip(*(frame[name].tolist() for name in ("key", *columns(frame))), strict=True))


def columns(frame):
    return [column.name for column in frames.columns(frame.timepoints)]


def read(snapshot, **more):
    with everything():
        return packed_snapshots.read(snapshot, TIMEPOINTS, keep_key=True, **more)


def restored(snapshot):
    """What the CSV of a snapshot says, the packed columns aside."""
    with everything(), transaction.atomic():
        return frames.read(TIMEPOINTS, keep_key=True, source=snapshots.source_of(snapshot))


def correct(**values):
    with everything(reason="correction"):
        Assessment.objects.filter(patient_id="N01-0001", timepoint="1m").update(**values)


def test_packed_columns_are_what_the_registry_was(snapshot):
    before = read(None)
    assert rows(read(snapshot)) == rows(before) == rows(restored(snapshot))
    assert read(snapshot).snapshot == before.snapshot
    assert (read(snapshot).site_codes, read(snapshot).regions) == (before.site_codes, before.regions)
    correct(pain_vas_mm=11)
    assert read(None).snapshot != before.snapshot
    assert read(snapshot).snapshot == before.snapshot


def test_only_packed_parts_are_read(snapshot, monkeypatch):
    monkeypatch.setattr(snapshots, "source_of", None)
    counts = []
    assert read(snapshot, on_rows=counts.append).n == 3
    assert counts and max(counts) == 3
    with pytest.raises(ValueError, match="not a timepoint: never"), everything():
        packed_snapshots.read(snapshot, ("never",))


def test_the_ids_of_patients(snapshot):
    keys = read(snapshot)["key"]
    with everything():
        assert packed_snapshots.patient_ids(snapshot, keys) == packed_snapshots.patient_ids(None, keys)
        assert packed_snapshots.patient_ids(snapshot, [frames.key_of("S01-0001")]) == ["S01-0001"]
        assert packed_snapshots.patient_ids(snapshot, np.empty(0, np.uint64)) == []


def test_a_site_reads_its_own_patients(snapshot, alice, as_person):
    with as_person(alice):
        mine = packed_snapshots.read(snapshot, TIMEPOINTS, keep_key=True)
        ids = packed_snapshots.patient_ids(snapshot, read(snapshot)["key"])
    assert sorted(mine["key"].tolist()) == sorted(map(frames.key_of, ids))
    assert ids == ["N01-0001", "N01-0002"]


def test_a_packed_part_that_is_not_what_it_was_is_not_read(snapshot):
    with everything(), transaction.atomic():
        part = SnapshotPart.objects.filter(table="frame").first()
        part.pk, part.snapshot, part.hash = None, copy_of(snapshot), "0" * 64
        part.save(force_insert=True)
        with pytest.raises(snapshots.NotIntact):
            packed_snapshots.read(part.snapshot, ("preop",))


def copy_of(snapshot, columns=None):
    """A snapshot of the same rows without parts."""
    other = type(snapshot).objects.get(pk=snapshot.pk)
    other.pk, other.label, other.columns = None, "Copy", columns or snapshot.columns
    other._state.adding = True
    other.pk = type(snapshot)._meta.pk.default()
    other.save(force_insert=True)
    return other


def test_columns_computed_otherwise_by_now_are_read_from_the_tables(snapshot, monkeypatch):
    """As after an update of the program: ages in months, say. The frozen tables are there; the packed columns lie."""
    before = read(snapshot)
    ages = [
        replace(column, sql="p.age_at_surgery * 12") if column.name == "age_at_surgery" else column
        for column in frames.PATIENT_COLUMNS
    ]
    monkeypatch.setattr(frames, "PATIENT_COLUMNS", tuple(ages))
    packed_snapshots._declaration.cache_clear()
    try:
        after = read(snapshot)
        with everything():
            assert packed_snapshots.patient_ids(snapshot, after["key"]) == ["N01-0001", "N01-0002", "S01-0001"]
    finally:
        packed_snapshots._declaration.cache_clear()
    assert sum(after["age_at_surgery"].tolist()) == 12 * sum(before["age_at_surgery"].tolist())


def test_a_snapshot_without_packed_columns_is_read_from_its_tables(snapshot, bob):
    old = snapshots.freeze(access=access_of(bob), label="As before")
    assert old.hash == snapshot.hash
    assert rows(read(old)) == rows(read(snapshot))
    with everything():
        assert packed_snapshots.verify(old) and packed_snapshots.verify(snapshot)


def test_the_command_compares_a_snapshot(snapshot, tmp_path):
    with everything():
        expected = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
    correct(pain_vas_mm=11)
    out = tmp_path / "result.json"
    call_command("compare_segments", "--snapshot", "Interim analysis", "--output", str(out))
    text = out.read_text()
    assert expected["method"]["snapshot"] in text
    assert snapshot.hash in text
    with pytest.raises(CommandError, match="there is no snapshot “Final”; there are: Interim analysis"):
        call_command("compare_segments", "--snapshot", "Final", stdout=StringIO())


# Items that only a cohort reads

KPS = cohorts.Step("category", {"variable": "kps", "timepoint": "1m", "values": ["70"]})
CONSENT = cohorts.Step("dated_from", {"variable": "consent_date", "first": "2000-01-01"})
ASKED = cohorts.Cohort("asked", "1", cohorts.ALL.label, (KPS, CONSENT))


def test_an_item_that_a_cohort_names_is_that_of_the_snapshot(good, bring_in, bob):
    assert bring_in(good).stored
    correct(kps=70)
    snapshot = packed_snapshots.freeze(access=access_of(bob), label="With KPS")
    with everything():
        before = runner.compare(plans.SEGMENT_COMPARISON, ASKED)
        assert before["cohort"]["n"] == 1
        correct(kps=60)
        assert runner.compare(plans.SEGMENT_COMPARISON, ASKED)["cohort"]["n"] == 0
        after, ids = runner.compare_and_tell(plans.SEGMENT_COMPARISON, ASKED, snapshot=snapshot)
    after["method"].pop("frozen")
    assert (after, ids) == (before, ["N01-0001"])


def without(snapshot, *names):
    """The snapshot as one would be from before these columns were there."""
    columns = {table: [column for column in of if column[0] not in names] for table, of in snapshot.columns.items()}
    return copy_of(snapshot, columns)


def test_a_snapshot_from_before_an_item_says_so(snapshot, bob):
    old = without(snapshot, "kps", "consent_date")
    with everything():
        with pytest.raises(snapshots.Lacking) as error:
            packed_snapshots.read(old, cohorts.timepoints_needed(ASKED))
        assert "asked: Karnofsky performance status, Date of consent. Take a newer snapshot" in error.value.reason.en
        assert "同意取得日。より新しいスナップショット" in error.value.reason.ja
        english, japanese = runs.explained(error.value).split("\n")
        assert (english, japanese) == (error.value.reason.en, error.value.reason.ja)
        assert packed_snapshots.read(snapshot, cohorts.timepoints_needed(ASKED)).n == 3


@pytest.mark.parametrize("lacks", [True, False])
def test_a_comparison_of_what_the_snapshot_lacks_is_refused_when_it_is_asked_for(snapshot, client, bob, lacks):
    with everything():
        old = without(snapshot, "kps") if lacks else snapshot
        saved = saved_cohorts.save(access=access_of(bob), name="KPS 70", steps=(KPS,))
    client.force_login(bob)
    asked = {"cohort_name": f"saved:{saved.pk}", "snapshot": str(old.pk)}
    by_page = client.post(reverse("comparison_new"), FORM | asked)
    assert by_page.status_code == (422 if lacks else 302)
    assert ("from before the registry asked: Karnofsky" in by_page.content.decode()) == lacks
    body = {"cohort": saved.pk, "frozen": str(old.pk)}
    by_program = client.post(reverse("api:comparisons"), body, "application/json")
    assert by_program.status_code == (422 if lacks else 202), by_program.content
    assert ("from before the registry asked: Karnofsky" in by_program.content.decode()) == lacks


def test_an_export_of_what_the_snapshot_lacks_says_so(snapshot, north):
    old = without(snapshot, "kps")
    with everything(), transaction.atomic():
        with pytest.raises(ExportFailed) as error, selected(Choices(cohort=ASKED, snapshot=str(old.pk)), [north.pk]):
            pass
        assert "from before the registry asked: Karnofsky" in error.value.reason.en
        with selected(Choices(cohort=ASKED, snapshot=str(snapshot.pk)), [north.pk]) as selection:
            assert (selection.enrolled, selection.exported) == (2, 0)
