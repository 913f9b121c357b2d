"""Requests at the same moment, committed for real: one wins, nothing is lost and nothing is done twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connections, transaction

from registry.models import Patient
from sites.models import Site
from sites.tenancy.access import Role
from sites.tenancy.scope import everything
from tests.api.conftest import Program, issued
from tests.conftest import person

ENROLMENT = {
    "site_code": "N01",
    "sex": "female",
    "birth_date": "1950-05-05",
    "consent_date": "2026-01-10",
    "consented": True,
    "another_person": True,
}
ASKERS = 6


@pytest.fixture
def token(committed):
    return issued(person("Alice", Role.COORDINATOR, Site.objects.create(code="N01", name="North")))


def at_once(ask):
    """The answers to `ask(number)` from several threads, each with a database connection of its own."""

    def alone(number):
        try:
            return ask(number)
        finally:
            close_old_connections()
            connections.close_all()

    with ThreadPoolExecutor(ASKERS) as pool:
        return list(pool.map(alone, range(ASKERS)))


def enrolled():
    with everything(), transaction.atomic():
        return list(Patient.objects.values_list("pk", flat=True))


def test_a_post_that_is_sent_several_times_at_once_is_done_once(token):
    answers = at_once(lambda _number: Program(token).post("patients", ENROLMENT, idempotency_key="one"))
    assert [answer.status_code for answer in answers] == [201] * ASKERS
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == ASKERS - 1
    assert enrolled() == ["N01-0001"]


def test_of_several_changes_of_one_version_one_wins(token):
    Program(token).post("patients", ENROLMENT)
    tumours = ("lung", "renal", "breast", "prostate", "thyroid", "other")
    here = "patients/N01-0001/baseline"
    answers = at_once(lambda number: Program(token).patch(here, {"primary_tumour": tumours[number]}, if_match='"1"'))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (ASKERS - 1)
    stored = Program(token).get("patients/N01-0001").json()
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (stored["version"], stored["primary_tumour"]) == (2, winner["primary_tumour"])
