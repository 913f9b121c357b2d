"""Who withdrew consent and let the data be used no longer comes into no analysis and no file, and is counted."""

import csv
import io
import json
import zipfile

import pytest
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from registry.analysis.data import frame, packed_snapshots
from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner, runs
from registry.exports.data.tables import Selection, blocks, count
from registry.models import FollowUpEnd
from registry.services.files import file_formats, snapshots
from sites.tenancy.access import access_of
from sites.tenancy.scope import everything
from tests.analysis.conftest import answers, patient, store

STOPPED = {"end_kind": "withdrawn", "end_date": "2024-05-01", "end_reason": "privacy", "end_data_use": "stop"}
KEPT = STOPPED | {"end_data_use": "keep"}
REASON = "consent withdrawn: the data must no longer be used"


@pytest.fixture
def registry(north, south):
    """Three patients at N01 and one at S01; nobody has withdrawn."""
    visits = {"preop": answers("45344", 30, pain_vas_mm=40), "1m": answers("13315", 90, pain_vas_mm=20)}
    store(north, [patient(visits=visits) for _ in range(3)])
    store(south, [patient(visits=visits)])


def withdraw(patient_id, site, answer):
    with everything(reason="withdrawal"):
        FollowUpEnd.objects.create(patient_id=patient_id, site=site, **answer)


def analysed(cohort=cohorts.ALL, snapshot=None):
    with everything(), transaction.atomic():
        return runner.compare_and_tell(plans.SEGMENT_COMPARISON, cohort, snapshot=snapshot)


def exported(path, **choices):
    call_command("export_data", path, stdout=io.StringIO(), **choices)
    with zipfile.ZipFile(path) as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("data/patients.csv"), encoding="utf-8")))
        return [row["patient_id"] for row in rows], json.loads(archive.read("manifest.json"))["patients"]


def test_a_comparison_leaves_out_and_counts_whose_data_must_not_be_used(registry, north):
    result, ids = analysed()
    assert (len(ids), [step["n"] for step in result["cohort"]["flow"]]) == (4, [4])
    withdraw("N01-0001", north, KEPT)
    assert analysed()[1] == ids
    withdraw("N01-0002", north, STOPPED)
    result, ids = analysed()
    assert ids == ["N01-0001", "N01-0003", "S01-0001"]
    assert [step["n"] for step in result["cohort"]["flow"]] == [4, 3]
    assert (result["cohort"]["flow"][1]["excluded"], result["cohort"]["flow"][1]["reason"]) == (1, REASON)
    again, same = analysed(cohorts.from_json(result["cohort"]))  # repeated, it is not asked twice
    assert (again["cohort"], same) == (result["cohort"], ids)


def test_a_snapshot_taken_before_the_withdrawal_is_analysed_without_the_patient_too(registry, north, bob):
    packed = packed_snapshots.freeze(access=access_of(bob), label="With packed columns")
    tables = snapshots.freeze(access=access_of(bob), label="Without")
    withdraw("N01-0002", north, STOPPED)
    for snapshot in (packed, tables):
        assert analysed(snapshot=snapshot)[1] == ["N01-0001", "N01-0003", "S01-0001"]
    with everything():
        assert packed_snapshots.verify(packed)


@pytest.mark.parametrize("dates", ["dates", "shifted"])
def test_an_export_leaves_out_and_counts_whose_data_must_not_be_used(registry, north, tmp_path, dates):
    assert exported(tmp_path / "all.zip", dates=dates)[1] == {
        "enrolled": 4,
        "exported": 4,
        "excluded": [],
        "erased": 0,
        "entered_in_error": 0,
    }
    withdraw("N01-0002", north, STOPPED)
    ids, note = exported(tmp_path / "permitted.zip", dates=dates)
    assert ids == ["N01-0001", "N01-0003", "S01-0001"]
    assert note == {
        "enrolled": 4,
        "exported": 3,
        "excluded": [{"reason": REASON, "n": 1}],
        "erased": 0,
        "entered_in_error": 0,
    }


def test_the_registrys_own_files_hold_the_patient_only_for_the_site(registry, north):
    withdraw("N01-0002", north, STOPPED)
    with everything(), transaction.atomic():
        for file, rows in ((file_formats.PATIENTS, 3), (file_formats.ASSESSMENTS, 6)):
            central = Selection((north.pk,))
            text = b"".join(blocks(file, central))
            assert b"N01-0002" not in text and b"N01-0003" in text
            assert count(file, central) == text.count(b"\n") - 1 == rows - rows // 3
            assert b"N01-0002" in b"".join(blocks(file, Selection((north.pk,), identified=True)))


def test_pages_count_the_patient_and_list_who_is_behind_a_number(registry, north, bob, client):
    with everything():
        run = runs.request(access=access_of(bob), plan=plans.SEGMENT_COMPARISON, cohort=cohorts.ALL)
    runs.perform(run.pk)
    client.force_login(bob)
    withdraw("N01-0002", north, STOPPED)
    preview = client.get(reverse("cohort_new"), {"sex": "male"}).context["flow"]
    assert [(step["n"], step.get("excluded")) for step in preview] == [(4, None), (3, 1), (3, 0)]
    address = reverse("cohort_patients")
    assert list(client.get(address, {"step": "1"}).context["page"]) == ["N01-0002"]
    # A run from before the withdrawal keeps its numbers; the list behind them is of today.
    assert list(client.get(address, {"step": "0", "run": run.pk}).context["page"]) == [
        "N01-0001", "N01-0002", "N01-0003", "S01-0001",
    ]  # fmt: skip
    assert client.get(address, {"step": "1", "run": run.pk}).status_code == 404


def test_the_step_is_one_that_a_cohort_may_name_itself(registry, north):
    withdraw("N01-0002", north, STOPPED)
    named = cohorts.Cohort("mine", "1", cohorts.ALL.label, (cohorts.Step("no_tes"), cohorts.PERMITTED))
    assert [step["step"] for step in analysed(named)[0]["cohort"]["flow"]] == [
        "enrolled", "no_tes", "data_use_permitted",
    ]  # fmt: skip
    with everything():
        assert frame.read(["preop"])["data_use_stopped"].sum() == 1
