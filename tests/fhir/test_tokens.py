"""The FHIR server honours a program's token as the rest of the API does."""

from sites.people.tokens import TokenScope
from tests.api.conftest import Program, issued

PATIENTS = "/api/fhir/R4/Patient"


def type_of(response):
    assert response.headers["Content-Type"].startswith("application/fhir+json")
    return response.json()["resourceType"]


def test_a_token_reads_its_sites_and_nothing_else(enrolled, alice, charlie, north, bob):
    own, other = enrolled(alice), enrolled(charlie)
    program = Program(issued(bob, (TokenScope.READ,), site_ids=[north.pk]))
    assert program.get(f"{PATIENTS}/{own.pk}").status_code == 200
    hidden = program.get(f"{PATIENTS}/{other.pk}")
    assert (hidden.status_code, type_of(hidden)) == (404, "OperationOutcome")


def test_a_token_that_reads_does_not_write(enrolled, alice):
    enrolled(alice)
    refused = Program(issued(alice, (TokenScope.READ,))).post(PATIENTS, {"resourceType": "Patient"})
    assert (refused.status_code, type_of(refused)) == (403, "OperationOutcome")
    taken = Program(issued(alice)).post(PATIENTS, {"resourceType": "Patient"})
    assert (taken.status_code, type_of(taken)) == (422, "OperationOutcome")


def test_who_asks_too_often_is_told_when_to_come_back(enrolled, alice, settings):
    enrolled(alice)
    settings.API_RATES = {"token": 1, "address": 10**9}
    program = Program(issued(alice))
    assert program.get(PATIENTS).status_code == 200
    refused = program.get(PATIENTS)
    assert (refused.status_code, type_of(refused)) == (429, "OperationOutcome")
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_a_wrong_token_is_asked_to_sign_in(db):
    refused = Program("msp_nothing").get(PATIENTS)
    assert (refused.status_code, type_of(refused)) == (401, "OperationOutcome")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
