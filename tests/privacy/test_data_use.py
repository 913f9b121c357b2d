"""Patients who want their data no longer used: left out of comparisons and exports, with a reason that is counted."""

import csv
import io
import zipfile

import pytest
from django.core.management import call_command
from django.db import transaction

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.documents import bundle, verification_numbers
from registry.analysis.running import runner
from registry.exports import choices, jobs
from registry.exports.data.selecting import selected
from registry.models import Export, Patient
from registry.services.files import snapshots
from registry.services.operations import erasure
from registry.services.review.queries import raise_query
from registry.services.review.soft_checks import Form
from registry.tasks import start_comparison
from sites.people.tokens import TokenScope
from sites.tenancy.scope import everything
from tests.analysis.random_frames import Draw
from tests.analysis.running.test_bundle import needs_r, unpacked, verdicts, verify, wrong
from tests.api.conftest import Program, issued
from tests.working import export_path

REASON = cohorts.PERMITTED.reason.en
LUNG = cohorts.Cohort("lung", "1", cohorts.ALL.label, (cohorts.Step("primary_tumour", {"values": ["lung"]}),))


@pytest.fixture
def cast(followed, withdraw, alice, charlie, dana):
    """Four patients: one of North wants the data no longer used, one of South lets them be kept."""
    keeping, stopping, staying, south = followed(alice), followed(alice), followed(alice), followed(charlie)
    withdraw(alice, stopping)
    withdraw(charlie, south, end_data_use="keep")
    return keeping, stopping, staying, south


def chosen(cohort, source=frames.LIVE):
    frame = frames.read(("preop",), keep_key=True, source=source)
    selection = cohorts.select(cohort, frame)
    return selection, frames.patient_ids(frame["key"][selection.chosen], source)


@pytest.mark.parametrize("cohort", [cohorts.ALL, LUNG], ids=["all", "lung"])
def test_a_cohort_leaves_them_out_first_and_counts_them(cast, cohort):
    keeping, _stopping, staying, south = (patient.pk for patient in cast)
    with everything(), transaction.atomic():
        matched, ids = chosen(cohort)
    assert ids == [keeping, staying, south]
    assert [step["n"] for step in matched.flow][:2] == [4, 3]
    assert (matched.flow[1]["excluded"], matched.flow[1]["reason"]) == (1, REASON)
    assert matched.flow[0]["n"] == len(ids) + sum(step["excluded"] for step in matched.flow[1:])
    # The cohort that the result tells of has the step; read back it counts the same, and only once.
    with everything(), transaction.atomic():
        again, _ids = chosen(cohorts.from_json(matched.cohort.to_json()))
    assert again.flow == matched.flow


def test_where_nobody_withdrew_the_flow_is_as_declared(followed, alice):
    followed(alice)
    with everything(), transaction.atomic():
        matched, ids = chosen(LUNG)
    assert [step["step"] for step in matched.flow] == ["enrolled", "primary_tumour"] and len(ids) == 1


def test_comparison_files_and_expected_numbers_tell_of_them(cast, bob, as_person):
    plan = plans.segment_comparison()
    with everything(), transaction.atomic():
        frame = frames.read(runner.timepoints_needed(plan, cohorts.ALL))
        result = runner.run(plan, cohorts.ALL, frame)
        content = io.BytesIO()
        bundle.write(content, result, frame, plan)
    flow = {line["statistic"]: line["value"] for line in verification_numbers.lines(result) if line["code"] == 1}
    assert (flow["flow_n"], flow["flow_excluded"]) == (3, 1)
    with zipfile.ZipFile(content) as archive:
        assert len(archive.read("data.csv").decode().splitlines()) == 1 + 3
        assert REASON in archive.read("README.txt").decode()
    with as_person(bob) as access:
        run = start_comparison(access=access, plan=plan, cohort=cohorts.ALL)
    assert run.cohort == cohorts.ALL.to_json()


@pytest.mark.r
@needs_r
def test_r_finds_the_same_numbers_without_them(db, tmp_path):
    plan = plans.segment_comparison(followups=("3m",))
    frame = Draw(seed=4, n=60, oddity=0).frame(plan.timepoints)
    frame.data["data_use_stopped"][::9] = 1
    result = runner.run(plan, cohorts.SEGI2024, frame)
    assert [step["step"] for step in result["cohort"]["flow"]][:2] == ["enrolled", "data_use_permitted"]
    assert result["cohort"]["flow"][1]["excluded"] == 7
    done = verify(unpacked(tmp_path / "withdrawn", bundle.bundle(result, frame, plan)))
    assert done.returncode == 0, "\n".join(wrong(done))
    assert verdicts(done) == {"withdrawn": "VERIFIED"}


@pytest.mark.parametrize("dates", ["as_is", "shifted"])
@pytest.mark.parametrize("cohort", [cohorts.ALL, LUNG], ids=["all", "lung"])
def test_an_export_accounts_for_them(cast, bob, as_person, settings, tmp_path, cohort, dates):
    settings.EXPORT_FOLDER = tmp_path
    dates = dates if dates in {date.code for date in choices.OFFERED["dates"]} else choices.Choices.dates
    with as_person(bob) as access:
        export = jobs.request(access=access, choices=choices.Choices(cohort=cohort, dates=dates))
    jobs.perform(export.pk, reporting=False)
    export.refresh_from_db()
    assert (export.status, export.error) == (Export.Status.DONE, None)
    patients = export.manifest["patients"]
    assert (patients["enrolled"], patients["exported"]) == (4, 3)
    assert patients["excluded"][0] == {"reason": REASON, "n": 1}
    with zipfile.ZipFile(export_path(export)) as archive:
        for name in ("patients", "assessments", "adverse_events"):
            text = archive.read(f"data/{name}.csv").decode()
            assert cast[1].pk not in text and cast[0].pk in text


def test_the_plain_files_leave_them_out_and_say_how_many(cast, tmp_path):
    call_command("export_csv", tmp_path, "--de-identified", stdout=io.StringIO())
    with (tmp_path / "patients.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["patient_id"] for row in csv.DictReader(stream)] == [cast[0].pk, cast[2].pk, cast[3].pk]
    assert "Left out: 1 patients" in (tmp_path / "README.txt").read_text(encoding="utf-8")


def test_a_snapshot_stays_as_it_is_and_is_read_without_them(followed, withdraw, alice, dana, as_person):
    first, second, third = followed(alice), followed(alice), followed(alice)
    with as_person(dana) as access:
        snapshot = snapshots.freeze(access=access, label="before")
    withdraw(alice, second)
    withdraw(alice, third)
    with as_person(dana) as access, transaction.atomic():
        erasure.erase(access=access, patient=third, extent="everything", typed=third.pk, reason="letter")
    with everything(), transaction.atomic():
        matched, ids = chosen(cohorts.ALL, snapshots.source_of(snapshot))
        assert snapshots.verify(snapshot)
    assert ids == [first.pk] and matched.flow[1]["excluded"] == 2
    asked = choices.Choices(snapshot=str(snapshot.pk))
    with everything(), transaction.atomic(), selected(asked, [alice.memberships.get().site_id]) as selection:
        assert (selection.enrolled, selection.exported) == (3, 1)


def test_what_changed_since_a_snapshot_tells_nothing_of_them(followed, withdraw, alice, dana, as_person):
    stopping, keeping = followed(alice), followed(alice)
    with as_person(dana) as access:
        frozen = snapshots.source_of(snapshots.freeze(access=access, label="before"))
    with everything(reason="source checked"), transaction.atomic():
        Patient.objects.filter(pk__in=[stopping.pk, keeping.pk]).update(blood_loss_ml=42)

    def changed():
        with everything(), transaction.atomic():
            tables = snapshots.differences(frozen, snapshots.LIVE)
        return {key for table in tables for (key, *_one), *_cell in table.cells}

    assert changed() == {stopping.pk, keeping.pk}
    withdraw(alice, stopping)
    assert changed() == {keeping.pk}


def test_programs_of_the_centre_do_not_find_them_and_those_of_the_site_do(cast, alice, dana, mona, browse, as_person):
    keeping, stopping, staying, south = (patient.pk for patient in cast)

    def numbers_seen_by(user):
        listed = browse(user).get("/api/v1/patients").json()["items"]
        return [item["patient_id"] for item in listed]

    assert numbers_seen_by(dana) == [keeping, staying, south]
    assert numbers_seen_by(alice) == numbers_seen_by(mona) == [keeping, stopping, staying]
    reading = issued(alice, [TokenScope.READ])
    listed = Program(reading).get("/api/v1/patients").json()["items"]
    assert [item["patient_id"] for item in listed] == [keeping, stopping, staying]
    with as_person(mona) as access:
        for patient in cast[:2]:
            raise_query(access=access, patient=patient, form=Form("baseline"), text="Which vertebra?")
    for kind in ("assessments", "adverse-events", "queries"):
        of = {
            user: {item["patient_id"] for item in browse(user).get(f"/api/v1/{kind}").json()["items"]}
            for user in (alice, dana)
        }
        assert (stopping in of[alice], stopping in of[dana]) == (True, False)
    fhir = browse(dana).get("/api/fhir/R4/Patient").json()["entry"]
    assert [entry["resource"]["id"] for entry in fhir] == [keeping, staying, south]
    for address in ("/api/v1/patients/{}", "/api/fhir/R4/Patient/{}"):
        assert browse(dana).get(address.format(stopping)).status_code == 404
        assert browse(dana).get(address.format(keeping)).status_code == 200
        assert browse(alice).get(address.format(stopping)).status_code == 200
    assert browse(dana).get(f"/patients/{stopping}/").status_code == 200  # who erases sees whom
