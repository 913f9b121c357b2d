"""Entered in error, and “already enrolled?”, by programs."""

import pytest

from registry.models import Assessment, EnteredInError, Patient
from registry.services.entry import patients
from tests.api.records.test_records import ENROLMENT, alices, patient, problem  # noqa: F401
from tests.conftest import TODAY

WHY = {"reason": "entered twice"}


@pytest.fixture
def visited(alices, patient):  # noqa: F811
    sent = {"patient_id": patient, "timepoint": "preop", "assessment_date": "2026-01-12", "ecog_ps": 1}
    assert alices.post("assessments", sent).status_code == 201
    return patient


def test_a_visit_is_marked_and_counts_again(alices, visited, as_person, alice):  # noqa: F811
    address = f"assessments/{visited}/preop"
    assert problem(alices.post(f"{address}/in-error", {}), 422).keys() == {"reason"}
    marked = alices.post(f"{address}/in-error", WHY)
    assert marked.status_code == 200, marked.content
    body = marked.json()
    assert (body["status"], body["form"], body["code"]) == ("entered-in-error", "assessment", "preop")
    assert alices.get(address).status_code == 404
    with as_person(alice):
        assert not Assessment.objects.exists()
    assert [entry["id"] for entry in alices.get("entries-in-error").json()["items"]] == [body["id"]]
    again = alices.post(f"entries-in-error/{body['id']}/take-back", {"reason": "it was right"})
    assert (again.status_code, again.json()["status"]) == (200, "taken-back")
    assert alices.get(address).status_code == 200
    problem(alices.post(f"entries-in-error/{body['id']}/take-back", {"reason": "once more"}), 409)


def test_a_patient_and_an_event_are_marked(alices, visited, as_person, alice):  # noqa: F811
    with as_person(alice) as access:
        raw = {"kind": "hematoma", "onset_date": "2026-01-20"}
        known = Patient.objects.get(pk=visited)
        event = patients.save_adverse_event(access=access, patient=known, raw=raw, today=TODAY)
    assert alices.post(f"adverse-events/{event.pk}/in-error", WHY).json()["form"] == "adverse_event"
    assert alices.get(f"adverse-events/{event.pk}").status_code == 404
    assert alices.post(f"patients/{visited}/in-error", WHY).json()["record"] == visited
    assert alices.get(f"patients/{visited}").status_code == 404
    with as_person(alice):
        assert {entry.reason for entry in EnteredInError.objects.all()} == {"entered twice"}


def test_another_sites_records_are_not_there(visited, program, charlie):
    theirs = program(charlie)
    for address in (f"patients/{visited}", f"assessments/{visited}/preop"):
        problem(theirs.post(f"{address}/in-error", WHY), 404)
    assert theirs.get("entries-in-error").json()["items"] == []


def test_a_program_is_asked_whether_somebody_is_enrolled_already(alices):  # noqa: F811
    first = alices.post("patients", ENROLMENT).json()["patient_id"]
    for twin in (ENROLMENT, ENROLMENT | {"birth_date": "1949-01-01"}, ENROLMENT | {"hospital_number": "H-2"}):
        assert problem(alices.post("patients", twin), 409) == {"another_person": [first]}
    other = alices.post("patients", ENROLMENT | {"another_person": True})
    assert (other.status_code, other.json()["patient_id"]) == (201, "N01-0002")
    unclear = ENROLMENT | {"birth_date": "1944-01-01", "hospital_number": "H-9", "another_person": "yes"}
    assert problem(alices.post("patients", unclear), 422).keys() == {"another_person"}
    assert alices.post("patients", ENROLMENT | {"sex": "male", "hospital_number": "H-3"}).status_code == 201
