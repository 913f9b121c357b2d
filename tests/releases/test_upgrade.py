"""A registry of each release, with data, is upgraded: nothing is lost, and it is guarded as a new one is."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from registry.guards import checking
from registry.models import Assessment, Patient, Signature
from registry.services.records import identity
from sites.models import AuditEvent
from sites.tenancy.scope import because, everything
from tests.releases import restored

HISTORIES = [(release, drifted) for release in restored.RELEASES for drifted in (False, True)]


@pytest.fixture(
    scope="module", params=HISTORIES, ids=[f"{item}{' drifted' if drifted else ''}" for item, drifted in HISTORIES]
)
def release(request, django_db_setup, django_db_blocker, alone):
    """Inside, both connections lead to the upgraded registry of a release; its name."""
    name, drifted = request.param
    with django_db_blocker.unblock(), restored.upgraded(name, alone, drifted=drifted):
        yield name


@pytest.fixture
def upgraded(release):
    """Whatever a test writes is rolled back."""
    with transaction.atomic(), everything():
        yield release
        transaction.set_rollback(True)


def test_every_row_is_there_and_readable(upgraded):
    patients = Patient.objects.filter(identity__isnull=False)
    assert patients.count() == 106
    assert {identity.read(patient)["birth_date"].year > 1900 for patient in patients} == {True}
    states = Assessment.objects.order_by().values_list("state", flat=True)
    assert set(states) == {"draft", "complete", "verified", "locked"} and len(states) == 355
    assert Signature.objects.count() == 4
    call_command("verify_audit")
    call_command("verify_signatures")
    call_command("verify_records")


def test_the_database_is_guarded_as_declared(release):
    assert checking.differences() == []


def refused(words, act):
    with pytest.raises(DatabaseError, match=words), transaction.atomic():
        act()


@pytest.mark.parametrize("column", ["respondent", "kps", "eq_vas", "assessment_date"])
def test_what_is_signed_stays_and_what_is_complete_or_verified_tells_of_a_change(upgraded, column):
    changed = {"respondent": "interviewer", "kps": 30, "eq_vas": 3, "assessment_date": "2020-01-01"}[column]
    others = Assessment.objects.exclude(**{column: changed}).filter(missing={})
    first = {state: others.filter(state=state).first() for state in ("locked", "complete", "verified")}

    def change(state):
        Assessment.objects.filter(pk=first[state].pk).update(**{column: changed})

    with because("to see"):
        refused("a signed form does not change", lambda: change("locked"))
    refused("only with a reason", lambda: change("complete"))
    with because("to see"):
        change("verified")
        change("complete")
    assert Assessment.objects.get(pk=first["verified"].pk).state == "complete"
    assert AuditEvent.objects.filter(reason="to see", table_name="registry_assessment").count() == 2


def test_a_changed_patient_is_on_record(upgraded):
    patient = Patient.objects.filter(baseline_state="complete").first()
    with because("to see"):
        Patient.objects.filter(pk=patient.pk).update(sex={"male": "female"}.get(patient.sex, "male"))
    assert AuditEvent.objects.get(reason="to see", row_id=patient.pk).table_name == "registry_patient"


@pytest.fixture
def as_dumped_and_restored(release):
    """`pg_dump --schema-only` after one way through a dump: PostgreSQL then writes some texts otherwise."""

    def text():
        whole = restored.schema_of()
        with restored.database(restored.database_name("copy")):
            restored.psql(whole)
            return restored.schema_of()

    return text


NEW = {}  # release to a new registry of this version that knows the release's keys, as text


def test_an_upgraded_database_is_a_new_one_to_the_letter(release, as_dumped_and_restored):
    upgraded = as_dumped_and_restored()
    if release not in NEW:
        with restored.database(restored.database_name("new")):
            call_command("migrate", verbosity=0)
            NEW[release] = as_dumped_and_restored()
    assert NEW[release].splitlines() == upgraded.splitlines()


def test_migrating_again_changes_nothing(release):
    def applied():
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT applied_at FROM registry_guard")
            return cursor.fetchone()

    before = applied()
    call_command("migrate", verbosity=0)
    assert applied() == before


@pytest.mark.parametrize("gone", ["0017_answers_by_link", "0009_faster_loading"])
def test_a_database_between_releases_is_refused_and_left_as_it_is(django_db_setup, django_db_blocker, gone):
    with django_db_blocker.unblock(), restored.database(restored.database_name("between")):
        restored.psql(restored.dump("0.1.0"))
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'registry' AND name >= %s", [gone])
        with pytest.raises(CommandError, match="in the middle of a chain of migrations") as refusal:
            call_command("migrate", verbosity=0)
        assert "release 0.1.0" in str(refusal.value)
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('registry_guard')")
            assert cursor.fetchone() == (None,)


def test_keys_and_dumps_are_of_synthetic_people_alone():
    for release in restored.RELEASES:
        assert "tests alone" in json.dumps(restored.keys(release))
        assert not any(mark in restored.dump(release) for mark in ("/home/", "/root/", "/work"))
