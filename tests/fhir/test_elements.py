"""Elements that FHIR has and this server does not keep: each is refused by its name, and nothing is stored."""

import pytest

from registry.fhir.mapping import names
from registry.models import Assessment, Patient
from tests.fhir.test_bundles import bundle, entry
from tests.fhir.test_sent_again import PATIENT, count, send  # noqa: F401 - a fixture
from tests.fhir.test_server import ask, frankel, issues, stored  # noqa: F401 - fixtures
from tests.transfer.conftest import good  # noqa: F401 - a fixture

RESPONSE = "QuestionnaireResponse"
CODE = {"linkId": "frankel", "answer": [{"valueCoding": {"code": "C"}}]}
ITEM = f"{RESPONSE}.item[0]"
UNKNOWN = {"url": "urn:other:ward", "valueString": "7F"}


def of_item(**more):
    return {"item": [CODE | more]}


def of_answer(*answers):
    return of_item(answer=list(answers))


OF_RESPONSE = [
    ({"author": {"reference": "Practitioner/1"}}, f"{RESPONSE}.author"),
    ({"encounter": {"reference": "Encounter/1"}}, f"{RESPONSE}.encounter"),
    ({"contained": [{"resourceType": "Practitioner"}]}, f"{RESPONSE}.contained"),
    ({"modifierExtension": [UNKNOWN]}, f"{RESPONSE}.modifierExtension"),
    ({"implicitRules": "urn:rules"}, f"{RESPONSE}.implicitRules"),
    ({"_authored": {"extension": [UNKNOWN]}}, f"{RESPONSE}._authored"),
    ({"text": {"status": "additional", "div": "<div>fell</div>"}}, f"{RESPONSE}.text.status"),
    ({"subject": {"reference": "Patient/N01-0001", "display": "Sato"}}, f"{RESPONSE}.subject.display"),
    ({"extension": [{"url": names.TIMEPOINT, "valueCode": "6m"}, UNKNOWN]}, f"{RESPONSE}.extension[1]"),
    ({"extension": [{"url": names.TIMEPOINT, "valueCode": "6m"}] * 2}, f"{RESPONSE}.extension[1]"),
    ({"extension": [{"url": names.TIMEPOINT, "valueCode": "6m", "id": "a"}]}, f"{RESPONSE}.extension[0]"),
    (of_item(definition="urn:x"), f"{ITEM}.definition"),
    (of_item(modifierExtension=[UNKNOWN]), f"{ITEM}.modifierExtension"),
    (of_item(item=[CODE]), f"{ITEM}.item"),
    (of_item(extension=[UNKNOWN]), f"{ITEM}.extension[0]"),
    (of_item(extension="x"), f"{ITEM}.extension"),
    (of_item(extension=[{"url": []}]), f"{ITEM}.extension[0]"),
    (of_item(extension=[{"url": {}}]), f"{ITEM}.extension[0]"),
    (of_answer({"valueCoding": {"code": "C"}, "item": [CODE]}), f"{ITEM}.answer[0].item"),
    (of_answer({"valueCoding": {"code": "C"}, "extension": [UNKNOWN]}), f"{ITEM}.answer[0].extension"),
    (of_answer({"valueCoding": {"code": "C", "version": "2"}}), f"{ITEM}.answer[0].valueCoding.version"),
    (of_answer({"valueQuantity": {"value": 3}}), f"{ITEM}.answer[0].valueQuantity"),
    (of_answer({"valueCoding": {"code": "C"}, "valueInteger": 3}), f"{RESPONSE}.item.where(linkId='frankel')"),
    (of_answer("C"), f"{ITEM}.answer[0]"),
    (of_item(text={"div": "fell"}), f"{ITEM}.text"),
    (of_answer({"valueCoding": {"code": "C", "display": ["fell"]}}), f"{ITEM}.answer[0].valueCoding.display"),
    ({"language": {"code": "ja"}}, f"{RESPONSE}.language"),
    ({"subject": {"reference": "https://other.example/fhir/Patient/N01-0001"}}, f"{RESPONSE}.subject"),
]


@pytest.mark.parametrize(("more", "path"), OF_RESPONSE, ids=[f"{n}-{path}" for n, (_, path) in enumerate(OF_RESPONSE)])
def test_an_element_that_is_not_stored_is_no_part_of_a_response(ask, stored, as_system, more, path):  # noqa: F811
    status, body, _ = ask("alice", "post", RESPONSE, frankel("N01-0001", "6m") | more)
    assert (status, path in [place for place, _text in issues(body)]) == (422, True), body
    with as_system():
        assert not Assessment.objects.filter(patient="N01-0001", timepoint="6m").exists()


def test_what_says_nothing_of_the_patient_is_taken(ask, stored):  # noqa: F811
    labelled = {
        "id": "from-there",
        "meta": {"profile": ["urn:profile"]},
        "language": "ja",
        "text": {"status": "generated", "div": "<div>C</div>"},
    } | of_item(text="Frankel", id="a")
    status, body, _ = ask("alice", "post", RESPONSE, frankel("N01-0001", "6m") | labelled)
    assert (status, body["id"]) == (201, "6m.frankel.N01-0001")


def test_a_timepoint_of_answers_that_belong_to_none_is_refused(ask, stored):  # noqa: F811
    sent = frankel("N01-0001", "6m", questionnaire="Questionnaire/sins", item=[])
    status, body, _ = ask("alice", "post", RESPONSE, sent)
    assert (status, f"{RESPONSE}.extension" in [place for place, _text in issues(body)]) == (422, True), body


def test_a_mark_has_no_other_elements_either(ask, stored):  # noqa: F811
    address = f"{RESPONSE}/preop.frankel.N01-0001"
    _, body, headers = ask("alice", "get", address)
    mark = body | {"status": "entered-in-error", "contained": []}
    status, answer, _ = ask("alice", "put", address, mark, **{"If-Match": headers["ETag"]})
    assert (status, issues(answer)[0][0]) == (422, f"{RESPONSE}.contained")
    assert ask("alice", "get", address)[1]["status"] == "completed"


OF_PATIENT = [
    ({"address": [{"city": "Nagoya"}]}, "Patient.address"),
    ({"name": []}, "Patient.name"),
    ({"active": False}, "Patient.active"),
    ({"active": 1}, "Patient.active"),
    ({"deceasedBoolean": 0}, "Patient.deceasedBoolean"),
    ({"gender": 1}, "Patient.gender"),
    ({"birthDate": 19500403}, "Patient.birthDate"),
    ({"deceasedBoolean": True}, "Patient.deceasedBoolean"),
    ({"deceasedDateTime": "2026-01-01"}, "Patient.deceasedDateTime"),
    ({"maritalStatus": {"text": "M"}}, "Patient.maritalStatus"),
    ({"generalPractitioner": [{"display": "Dr"}]}, "Patient.generalPractitioner"),
    ({"contained": []}, "Patient.contained"),
    ({"_gender": {"extension": [UNKNOWN]}}, "Patient._gender"),
    ({"extension": [*PATIENT["extension"], UNKNOWN]}, "Patient.extension[1]"),
]


@pytest.mark.parametrize(("more", "path"), OF_PATIENT, ids=[path for _, path in OF_PATIENT])
def test_an_element_that_is_not_stored_is_no_part_of_a_patient(send, as_system, north, more, path):  # noqa: F811
    status, body, _ = send(PATIENT | more)
    assert (status, path in [place for place, _text in issues(body)]) == (422, True), body
    with as_system():
        assert count() == 0


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (bundle("transaction", entry(PATIENT)) | {"signature": {}}, "Bundle.signature"),
        (bundle("batch", entry(PATIENT)) | {"total": 1}, "Bundle.total"),
        (bundle("transaction", entry(PATIENT, "GET", "Patient/N01-0001")), "Bundle.entry[0].resource"),
        (bundle("transaction", entry(PATIENT) | {"fullUrl": ["urn:uuid:1"]}), "Bundle.entry[0].fullUrl"),
    ],
)
def test_an_element_that_is_not_heeded_is_no_part_of_a_bundle(ask, stored, as_system, sent, path):  # noqa: F811
    with as_system():
        before = Patient.objects.count()
    status, body, _ = ask("alice", "post", "", sent)
    assert (status, issues(body)[0][0]) == (422, path)
    with as_system():
        assert Patient.objects.count() == before
