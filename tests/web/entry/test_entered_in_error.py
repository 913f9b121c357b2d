"""What was entered in error leaves every count and comes back: patients, visits, events."""

import csv
import io

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from registry.analysis.data import frame as frames
from registry.models import AdverseEvent, Assessment, EnteredInError, Patient, Query, Utility
from registry.services.entry import entered_in_error, patients
from registry.services.entry.assessments import save_assessment
from registry.services.files.file_formats import PATIENTS
from registry.services.operations import record_replay
from registry.services.outcomes import compute_outcomes
from registry.services.records.storing import Conflict, Locked
from registry.services.review.queries import raise_query
from registry.services.review.soft_checks import Form
from sites.models import AuditEvent
from sites.tenancy.access import access_of
from sites.tenancy.scope import because, entered, with_errors
from tests.web.conftest import ASSESSMENT


@pytest.fixture
def patient(enrolled, alice, mona, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        for code, day in (("preop", "2026-01-12"), ("1m", "2026-02-12")):
            raw = {name: value for name, value in ASSESSMENT.items() if name != "version"}
            save_assessment(
                access=access, patient=patient, timepoint=code, raw=raw | {"assessment_date": day}, complete=True
            )
        patients.save_adverse_event(
            access=access, patient=patient, raw={"kind": "wound_problem", "onset_date": "2026-02-01"}
        )
        compute_outcomes([patient.pk])
    with as_person(mona) as access:
        raise_query(access=access, patient=patient, form=Form("assessment", timepoint="1m"), text="Which day?")
    return patient


def counts():
    """What code that knows nothing of marks counts."""
    models = (Patient, Assessment, AdverseEvent, Query, Utility)
    return [model.objects.count() for model in models]


def mark(client, patient, record, reason="the wrong person"):
    url = reverse("mark_in_error", args=[patient.pk, record])
    version = client.get(url).context["version"]
    return client.post(url, {"version": version, "reason": reason})


def take_back(client, reason="it was right"):
    with entered(access_of(client.person).scope()), transaction.atomic():
        entry = EnteredInError.objects.filter(taken_back_at=None).first()
    return client.post(reverse("take_back_error", args=[entry.pk]), {"reason": reason})


@pytest.fixture
def at_north(browse, alice):
    client = browse(alice)
    client.person = alice
    return client


def test_a_patient_leaves_every_count_and_comes_back_whole(patient, at_north, alice, as_person, as_system, text):
    with as_system():
        before = counts()
    assert before == [1, 2, 1, 1, 2]
    assert mark(at_north, patient, "patient", reason=" ").status_code == 422
    assert mark(at_north, patient, "patient").url == reverse("entered_in_error")
    with as_system():
        assert counts() == [0] * 5
        assert frames.read(()).n == 0 and frames.read(()).in_error == 1
    for address in (
        reverse("patient", args=[patient.pk]),
        reverse("assessment", args=[patient.pk, "preop"]),
        f"/api/v1/patients/{patient.pk}",
        f"/api/fhir/R4/Patient/{patient.pk}",
    ):
        assert at_north.get(address).status_code == 404, address
    assert patient.pk in text(at_north.get(reverse("entered_in_error")))
    assert "was marked as entered in error" in text(at_north.get(reverse("patients"), {"q": patient.pk}))
    assert take_back(at_north).url == reverse("patient", args=[patient.pk])
    with as_person(alice):
        compute_outcomes([patient.pk])
    with as_system():
        assert counts() == before
        updates = AuditEvent.objects.filter(table_name="registry_patient", action="update").order_by("-pk")
        assert [event.reason for event in updates[:2]] == ["it was right", "the wrong person"]
        assert list(record_replay_findings()) == []


def record_replay_findings():
    for _table, _rows, findings in record_replay.verify():
        yield from findings


def test_no_number_is_given_twice(patient, at_north, enrolled, alice):
    mark(at_north, patient, "patient")
    assert enrolled(alice).pk == "N01-0002"


def test_a_visit_is_recorded_again_in_the_place_of_the_wrong_one(patient, at_north, alice, as_person, text):
    assert mark(at_north, patient, "preop", "answers of somebody else").status_code == 302
    with as_person(alice) as access:
        assert counts() == [1, 1, 1, 1, 1]
        compute_outcomes([patient.pk])
    page = text(at_north.get(reverse("patient", args=[patient.pk])))
    assert "Entered in error: Before surgery" in page
    with as_person(alice) as access:
        raw = {name: value for name, value in ASSESSMENT.items() if name != "version"}
        save_assessment(access=access, patient=patient, timepoint="preop", raw=raw, complete=True)
    refused = take_back(at_north)
    assert refused.status_code == 422 and "recorded once more in the meantime" in text(refused)
    assert mark(at_north, patient, "preop", "typed twice").status_code == 302
    with as_person(alice), with_errors():
        assert Assessment.objects.filter(timepoint="preop").count() == 2
    history = text(at_north.get(reverse("history", args=[patient.pk])))
    assert "answers of somebody else" in history and "Before surgery (entered in error)" in history


def test_an_event_goes_and_comes_back(patient, at_north, alice, as_person):
    with as_person(alice):
        event = AdverseEvent.objects.get()
    assert mark(at_north, patient, f"event-{event.pk}").status_code == 302
    with as_person(alice):
        assert not AdverseEvent.objects.exists()
    take_back(at_north)
    with as_person(alice):
        assert AdverseEvent.objects.get() == event


def test_whose_mark_was_made_first_keeps_it(patient, at_north, alice, as_person):
    mark(at_north, patient, "1m", "first")
    mark(at_north, patient, "patient", "then")
    assert take_back(at_north).status_code == 302  # of the patient: the newest
    with as_person(alice):
        assert list(Assessment.objects.values_list("timepoint", flat=True)) == ["preop"]


def test_what_is_signed_or_changed_meanwhile_stays(patient, ivo, alice, as_person):
    with as_person(ivo), because("signed"):
        Assessment.objects.filter(timepoint="1m").update(state="locked")
    with as_person(alice) as access:
        with pytest.raises(Locked):
            entered_in_error.mark(access=access, row=patient, version=None, reason="x")
        visit = Assessment.objects.get(timepoint="preop")
        with pytest.raises(Conflict):
            entered_in_error.mark(access=access, row=visit, version=visit.version - 1, reason="x")
    with (
        as_person(alice),
        with_errors(),
        pytest.raises(DatabaseError, match="signed form"),
        transaction.atomic(),
        because("past the service"),
    ):
        Patient.objects.filter(pk=patient.pk).update(in_error=1)


def test_the_database_asks_why_and_keeps_what_was_said(patient, at_north, alice, as_person):
    with as_person(alice), with_errors(), pytest.raises(DatabaseError, match="with a reason"), transaction.atomic():
        Patient.objects.filter(pk=patient.pk).update(in_error=1)
    mark(at_north, patient, "1m")
    with as_person(alice), pytest.raises(DatabaseError, match="stays"), transaction.atomic():
        EnteredInError.objects.update(reason="another")
    with as_person(alice), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM registry_assessment")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(("who", "status"), [("mona", 404), ("dana", 404), ("charlie", 404)])
def test_only_the_sites_own_people_mark(request, browse, patient, who, status):
    client = browse(request.getfixturevalue(who))
    assert client.post(reverse("mark_in_error", args=[patient.pk, "1m"]), {"version": "1"}).status_code == status
    listed = client.get(reverse("entered_in_error"))
    assert listed.status_code == 200


def test_a_file_does_not_bring_a_marked_patient_back(patient, at_north, tmp_path):
    mark(at_north, patient, "patient")
    row = {"patient_id": patient.pk, "site_code": "N01", "sex": "male", "consent_date": "2026-01-10"}
    out = io.StringIO()
    writer = csv.DictWriter(out, PATIENTS.columns)
    writer.writeheader()
    writer.writerow(dict.fromkeys(PATIENTS.columns, "") | row)
    file = tmp_path / "patients.csv"
    file.write_text(out.getvalue())
    said = io.StringIO()
    with pytest.raises(CommandError):
        call_command("import_csv", str(tmp_path), stdout=said, stderr=said)
    assert "entered in error" in said.getvalue()
