"""What the tests of the guards share: real commits, and the powers of the database's owner."""

from contextlib import contextmanager

import pytest
from django.db import connections, transaction

from registry.services.entry import patients
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered

# With what refers to them.
WIPED = ("study_sites_auditevent", "study_sites_auditseal", "study_sites_site", "study_sites_user")


def as_owner(*statements, params=()):
    """Run statements in one transaction as the tables' owner."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("BEGIN; SET LOCAL lock_timeout = '60s'")
        for statement in statements:
            cursor.execute(statement, params or None)
        cursor.execute("COMMIT")


def tamper(*statements, params=()):
    """What an intruder with the owner's powers could do: no policy and no trigger is in the way."""
    as_owner(
        "ALTER TABLE study_sites_auditevent DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE study_sites_auditseal DISABLE TRIGGER USER",
        *statements,
        "ALTER TABLE study_sites_auditseal ENABLE TRIGGER USER",
        "ALTER TABLE study_sites_auditevent ENABLE ROW LEVEL SECURITY",
        params=params,
    )


def wipe():
    with connections["owner"].cursor() as cursor:
        # Truncating makes new files for sixty tables and their indexes; of empty ones there are none to look at.
        cursor.execute("SELECT sum(pg_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name", [list(WIPED)])
        if cursor.fetchone()[0]:
            cursor.execute(f"TRUNCATE {', '.join(WIPED)} CASCADE")


@contextmanager
def wiped():
    """Commits inside stay in the database until the end; sites, people and events go before and after."""
    wipe()
    try:
        yield
    finally:
        connections["default"].close()
        wipe()
        connections["owner"].close()


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """No transaction around the test, unlike `db`: what commits is seen by other connections, threads, processes."""
    with django_db_blocker.unblock(), wiped():
        yield


def enrol(user, site, today, **changes):
    """A patient of `site`, enrolled by `user` in a transaction of its own."""
    access = access_of(user)
    raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"} | changes
    with entered(access.scope()), transaction.atomic():
        return patients.enrol(access=access, site=site, raw=raw, consented=True, today=today)
