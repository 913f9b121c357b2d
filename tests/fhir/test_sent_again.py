"""Messages that a hospital's engine sends again: nobody is enrolled twice."""

from urllib.parse import quote

import pytest

from registry.fhir.mapping import names
from registry.models import Patient
from registry.services.records import identity
from tests.fhir.test_server import ask, issues  # noqa: F401

NUMBER = {"system": names.HOSPITAL_NUMBER, "value": "0012345"}
PATIENT = {
    "resourceType": "Patient",
    "identifier": [NUMBER],
    "gender": "male",
    "birthDate": "1950-04-03",
    "managingOrganization": {"identifier": {"system": names.SITE_CODE, "value": "N01"}},
    "extension": [{"url": names.CONSENT, "valueDate": "2024-01-08"}],
}
CONDITION = {"If-None-Exist": f"identifier={names.HOSPITAL_NUMBER}|0012345"}


@pytest.fixture
def send(ask):  # noqa: F811
    return lambda body=PATIENT, who="alice", **headers: ask(who, "post", "Patient", body, **headers)


def count():
    return Patient.objects.count()


def test_a_patient_is_enrolled_once_by_the_hospitals_number(send, as_system, north):
    status, first, _ = send(**CONDITION)
    assert status == 201
    status, second, headers = send(**CONDITION)
    assert (status, second["id"]) == (200, first["id"])
    assert headers["Location"].endswith(first["id"])
    assert "0012345" not in str(second)
    status, body, _ = send()
    assert (status, body["issue"][0]["code"]) == (409, "duplicate")
    with as_system():
        assert count() == 1
        assert identity.read(Patient.objects.get())["hospital_number"] == "0012345"


def test_an_idempotency_key_answers_again(send, as_system, north):
    bare = PATIENT | {"identifier": []}
    first, second = (send(bare, **{"Idempotency-Key": "m-1"}) for _ in range(2))
    assert (first[0], first[1]["id"]) == (201, second[1]["id"])
    status, body, _ = send(bare | {"gender": "female"}, **{"Idempotency-Key": "m-1"})
    assert (status, body["resourceType"]) == (409, "OperationOutcome")
    with as_system():
        assert count() == 1


@pytest.mark.parametrize(
    "condition",
    [
        "identifier=0012345",
        "identifier=urn:other|1",
        "family=Tanaka",
        "identifier=a|1&identifier=a|2",
        "",
        "identifier=a|",
    ],
)
def test_a_condition_that_is_not_understood_is_refused(send, as_system, north, condition):
    status, body, _ = send(**{"If-None-Exist": condition})
    assert (status, body["resourceType"]) == (400, "OperationOutcome")
    with as_system():
        assert count() == 0


@pytest.mark.parametrize(
    "identifier",
    [{"system": "urn:oid:1.2.392", "value": "1"}, {"value": "1"}, {"system": names.PATIENT_ID, "value": "N01-0001"}],
)
def test_an_identifier_that_is_not_kept_is_refused(send, north, identifier):
    status, body, _ = send(PATIENT | {"identifier": [identifier]})
    assert (status, body["issue"][0]["expression"]) == (422, ["Patient.identifier[0]"])


def test_a_search_for_an_identifier_heeds_its_system(send, ask, north):  # noqa: F811
    _, enrolled, _ = send()

    def ids_of(token):
        return [
            entry["resource"]["id"] for entry in ask("alice", "get", f"Patient?identifier={token}")[1].get("entry", [])
        ]

    assert ids_of(f"{names.PATIENT_ID}|N01-0001") == ids_of("N01-0001") == [enrolled["id"]]
    assert ids_of("urn:other|N01-0001") == ids_of("|N01-0001") == []


WIDE = NUMBER | {"value": "００１２３４５"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"If-None-Exist": f"identifier={names.PATIENT_ID}|N01-0099"},
        {"If-None-Exist": f"identifier={names.HOSPITAL_NUMBER}|0099999"},
    ],
)
def test_a_number_in_another_spelling_is_the_same_number(send, as_system, north, headers):
    assert send(**CONDITION)[0] == 201
    status, body, _ = send(PATIENT | {"identifier": [WIDE]}, **headers)
    assert (status, body["issue"][0]["code"]) == (409, "duplicate")
    known = quote(f"{names.HOSPITAL_NUMBER}|００１２３４５", safe=":|")
    assert send(PATIENT | {"identifier": [WIDE]}, **{"If-None-Exist": f"identifier={known}"})[0] == 200
    with as_system():
        assert count() == 1


@pytest.mark.parametrize("value", ["00\u200b12", "00\u041012", "1\u0301"])
def test_a_number_with_a_character_that_only_looks_right_is_refused_by_its_name(send, as_system, north, value):
    status, body, _ = send(PATIENT | {"identifier": [NUMBER | {"value": value}]})
    assert (status, body["issue"][0]["expression"]) == (422, ["Patient.identifier[0]"])
    assert "U+" in str(body["issue"][0])
    asked = quote(f"{names.HOSPITAL_NUMBER}|{value}", safe=":|")
    status, body, _ = send(**{"If-None-Exist": f"identifier={asked}"})
    assert status == 400 and "U+" in str(body["issue"][0])
    with as_system():
        assert count() == 0


def test_the_code_of_a_site_has_one_spelling(send, as_system, north):
    organization = {"identifier": {"system": names.SITE_CODE, "value": "Ｎ０１"}}
    assert send(PATIENT | {"managingOrganization": organization})[0] == 201
    organization["identifier"]["value"] = "N\u200b01"
    status, body, _ = send(PATIENT | {"managingOrganization": organization})
    assert status == 422 and "ZERO WIDTH SPACE" in str(body["issue"])


def test_who_was_born_on_the_same_day_is_asked_about(send, as_system, north):
    assert send()[0] == 201
    twin = PATIENT | {"identifier": [NUMBER | {"value": "0099"}]}
    status, body, _ = send(twin)
    assert (status, body["issue"][0]["code"]) == (409, "duplicate")
    assert "N01-0001" in str(body)
    yes = {"url": names.ANOTHER_PERSON, "valueBoolean": True}
    assert send(twin | {"extension": [*PATIENT["extension"], yes]})[0] == 201
    with as_system():
        assert count() == 2
