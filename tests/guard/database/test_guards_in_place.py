"""A guard that is missing, changed or added is named, nothing is served without, and `migrate` puts it back."""

import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from registry.guards import checking, declared
from tests.conftest import template
from tests.releases import restored
from tests.working import PATIENCE, ROOT


@pytest.fixture(scope="module")
def migrated(django_db_setup, django_db_blocker):
    """A database of its own, so that no other test meets what is done to its guards."""
    with django_db_blocker.unblock(), restored.database(restored.database_name("guarded"), template()):
        yield


def as_owner(sql):
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql)
    connections["owner"].close()


def test_what_migrate_made_is_as_declared(migrated):
    assert checking.differences() == []


HARM = {
    "a trigger dropped": (
        "DROP TRIGGER record_stored ON registry_assessment",
        "trigger registry_assessment.record_stored is not there",
    ),
    "a trigger switched off": (
        "ALTER TABLE registry_patient DISABLE TRIGGER audit_update",
        "trigger registry_patient.audit_update was changed",
    ),
    "a policy dropped": (
        "DROP POLICY read_in_scope ON registry_identity",
        "policy registry_identity.read_in_scope is not there",
    ),
    "a policy added": ("CREATE POLICY mine ON registry_patient USING (true)", "policy registry_patient.mine was added"),
    "policies no more for the owner": (
        "ALTER TABLE registry_patient NO FORCE ROW LEVEL SECURITY",
        "table registry_patient was changed",
    ),
    "a function replaced": (
        "CREATE OR REPLACE FUNCTION in_scope(ability text, site bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "function public.in_scope(text,bigint) was changed",
    ),
    "a function that runs as the owner": (
        "CREATE FUNCTION mine() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "function public.mine() was added",
    ),
    "a right on one column": (
        "GRANT UPDATE (new) ON study_sites_auditevent TO PUBLIC",
        "column study_sites_auditevent.new was changed",
    ),
    "a right to make tables": ("GRANT CREATE ON SCHEMA public TO PUBLIC", "rights on schema public was changed"),
    "a table that inherits": (
        "CREATE TABLE mine () INHERITS (registry_patient)",
        "heir public.mine of registry_patient was added",
    ),
    "a table that is found first": (
        "CREATE SCHEMA mine CREATE TABLE registry_patient (patient_id text)",
        "schema mine was added",
    ),
    "an aggregate": (
        "CREATE AGGREGATE mine (int) (SFUNC = int4pl, STYPE = int)",
        "function public.mine(integer) was added",
    ),
    "another way to look for tables": (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = mine, public', current_database()); END $$",
        "setting search_path was added",
    ),
    "a right given": ("GRANT TRUNCATE ON registry_patient TO PUBLIC", "table registry_patient was changed"),
    "a rule": (
        "CREATE RULE mine AS ON INSERT TO study_sites_auditevent DO INSTEAD NOTHING",
        "rule study_sites_auditevent.mine was added",
    ),
}


# What `migrate` leaves to a person: it may hold rows, or be somebody's.
BY_HAND = {
    "heir": "DROP TABLE mine",
    "schema": "DROP SCHEMA mine CASCADE",
    "setting": "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET search_path', current_database()); END $$",
    "column": "REVOKE UPDATE (new) ON study_sites_auditevent FROM PUBLIC",
    "rights": "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
}


@pytest.mark.parametrize(("harm", "named"), HARM.values(), ids=HARM)
def test_harm_is_named_and_mended(migrated, harm, named):
    as_owner(harm)
    assert checking.differences() == [named]
    if named.split()[0] in BY_HAND:
        as_owner(BY_HAND[named.split()[0]])
        assert checking.differences() == []
        return
    with pytest.raises(checking.Unguarded, match="Run `manage.py migrate`"):
        checking.require()
    call_command("migrate", verbosity=0)
    assert checking.differences() == []


ALTERED = {
    "a constraint dropped": (
        "ALTER TABLE registry_assessment DROP CONSTRAINT assessment_eq_vas_accepted",
        (
            "ALTER TABLE registry_assessment "
            "ADD CONSTRAINT assessment_eq_vas_accepted CHECK (eq_vas >= 0 AND eq_vas <= 100)"
        ),
        "constraint registry_assessment.assessment_eq_vas_accepted is not there",
    ),
    "a total that is no longer generated": (
        "ALTER TABLE registry_assessment ALTER barthel_total DROP EXPRESSION",
        None,
        "column registry_assessment.barthel_total was changed",
    ),
}


@pytest.mark.parametrize(("harm", "mended", "named"), ALTERED.values(), ids=ALTERED)
def test_what_no_migration_made_so_is_for_a_person_to_decide(migrated, harm, mended, named):
    as_owner(harm)
    assert named in checking.differences()
    with pytest.raises(CommandError) as refusal:
        call_command("migrate", verbosity=0)
    assert named in str(refusal.value)
    if mended is None:
        call_command("migrate", "--accept-schema", verbosity=0)
    else:
        as_owner(mended)
        call_command("migrate", verbosity=0)
    assert checking.differences() == []


def test_the_owner_cannot_write_down_that_a_guard_was_never_there(migrated):
    as_owner("DROP TRIGGER keep_result ON registry_comparisonrun")
    as_owner("UPDATE registry_guard SET held = held - 'trigger registry_comparisonrun.keep_result'")
    (clause,) = checking.differences()
    assert "not signed with a key" in clause
    call_command("migrate", verbosity=0)
    assert checking.differences() == []


def test_a_rotated_key_and_another_version(migrated, settings, monkeypatch):
    other = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
    own = settings.FIELD_KEYS
    settings.FIELD_KEYS = [other, *own]
    assert checking.differences() == []
    settings.FIELD_KEYS = [other]
    assert "not signed with a key" in checking.differences()[0]
    settings.FIELD_KEYS = own
    monkeypatch.setattr(declared, "digest", lambda: "another")
    assert checking.differences() == ["it has the guards of another version"]


def test_a_column_that_no_migration_made_is_named(migrated):
    with transaction.atomic(), connection.cursor() as cursor:
        now = checking.catalogue.held(cursor)
    del now["column registry_assessment.frankel"], now["constraint registry_patient.patient_id_shape"]
    assert checking.lacking(now) == [
        "column registry_assessment.frankel is declared and not there: a migration is lacking",
        "constraint registry_patient.patient_id_shape is declared and not there: a migration is lacking",
    ]


SERVERS = {
    "the web server": ["-c", "import registry.wsgi"],
    "a worker": ["-m", "celery", "-A", "registry", "worker", "--pool", "solo", "--loglevel", "CRITICAL"],
}


@pytest.mark.parametrize("arguments", SERVERS.values(), ids=SERVERS)
def test_nothing_is_served_without_guards(migrated, arguments):
    name = connections["default"].settings_dict["NAME"]
    environment = os.environ | {
        variable: urlsplit(os.environ[variable])._replace(path=f"/{name}").geturl()
        for variable in ("DATABASE_URL", "OWNER_DATABASE_URL")
    }
    as_owner("ALTER TABLE registry_patient DISABLE TRIGGER refuse_signed")
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
        )
    finally:
        call_command("migrate", verbosity=0)
    assert done.returncode != 0
    assert "Not serving." in done.stderr and "registry_patient.refuse_signed was changed" in done.stderr
