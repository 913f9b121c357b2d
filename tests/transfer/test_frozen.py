"""The packed columns of a snapshot: read as the registry was, by whom it may, and not once they are something else."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from registry.analysis import cohorts, frozen, plans, runner
from registry.analysis import frame as frames
from registry.models import Assessment, SnapshotPart
from registry.services import snapshots
from sites.access import access_of
from sites.scope import everything

TIMEPOINTS = ("preop", "1m", "12m")


@pytest.fixture
def snapshot(good, bring_in, bob):
    assert bring_in(good).stored
    return frozen.freeze(access=access_of(bob), label="Interim analysis")


def rows(frame):
    """Every patient of a frame as one tuple, in order: the order of a frame's rows is nobody's concern."""
    return sorted(zip(*(frame[name].tolist() for name in ("key", *columns(frame))), strict=True))


def columns(frame):
    return [column.name for column in frames.columns(frame.timepoints)]


def read(snapshot, **more):
    with everything():
        return frozen.read(snapshot, TIMEPOINTS, keep_key=True, **more)


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
        frozen.read(snapshot, ("never",))


def test_the_ids_of_patients(snapshot):
    keys = read(snapshot)["key"]
    with everything():
        assert frozen.patient_ids(snapshot, keys) == frozen.patient_ids(None, keys)
        assert frozen.patient_ids(snapshot, [frames.key_of("S01-0001")]) == ["S01-0001"]
        assert frozen.patient_ids(snapshot, np.empty(0, np.uint64)) == []


def test_a_site_reads_its_own_patients(snapshot, alice, as_person):
    with as_person(alice):
        mine = frozen.read(snapshot, TIMEPOINTS, keep_key=True)
        ids = frozen.patient_ids(snapshot, read(snapshot)["key"])
    assert sorted(mine["key"].tolist()) == sorted(map(frames.key_of, ids))
    assert ids == ["N01-0001", "N01-0002"]


def test_a_packed_part_that_is_not_what_it_was_is_not_read(snapshot):
    with everything(), transaction.atomic():
        part = SnapshotPart.objects.filter(table="frame").first()
        part.pk, part.snapshot, part.hash = None, copy_of(snapshot), "0" * 64
        part.save(force_insert=True)
        with pytest.raises(snapshots.NotIntact):
            frozen.read(part.snapshot, ("preop",))


def copy_of(snapshot):
    """A snapshot of the same rows without parts."""
    other = type(snapshot).objects.get(pk=snapshot.pk)
    other.pk, other.label = None, "Copy"
    other._state.adding = True
    other.pk = type(snapshot)._meta.pk.default()
    other.save(force_insert=True)
    return other


def test_columns_computed_otherwise_by_now_are_read_from_the_tables(snapshot, monkeypatch):
    """As after an update of the program: ages in months, say. The frozen tables are there; the packed columns lie."""
    before = read(snapshot)
    ages = [
        replace(one, sql="p.age_at_surgery * 12") if one.name == "age_at_surgery" else one
        for one in frames.PATIENT_COLUMNS
    ]
    monkeypatch.setattr(frames, "PATIENT_COLUMNS", tuple(ages))
    frozen._declaration.cache_clear()
    try:
        after = read(snapshot)
        with everything():
            assert frozen.patient_ids(snapshot, after["key"]) == ["N01-0001", "N01-0002", "S01-0001"]
    finally:
        frozen._declaration.cache_clear()
    assert sum(after["age_at_surgery"].tolist()) == 12 * sum(before["age_at_surgery"].tolist())


def test_a_snapshot_without_packed_columns_is_read_from_its_tables(snapshot, bob):
    old = snapshots.freeze(access=access_of(bob), label="As before")
    assert old.hash == snapshot.hash
    assert rows(read(old)) == rows(read(snapshot))
    with everything():
        assert frozen.verify(old) and frozen.verify(snapshot)


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
