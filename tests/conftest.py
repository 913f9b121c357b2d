"""The cast and the database.

Alice enters data at North, Bob analyses all sites, Charlie enters at South, Dana manages data, Ivo signs at North,
Ada administers. The database is real: migrated by the owner role, used by the application's role, policies and all.
"""

import datetime as dt
import fcntl
import gc
import os
import pickle
import re
import uuid
from contextlib import contextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import translation

from registry import tasks
from registry.demo import DEFAULT_SEED, make_cohort
from registry.services import current_protocol as protocol
from registry.services import standing
from registry.services.entry import patients
from registry.services.protocol import wording
from sites.database import redis_cache
from sites.models import Membership, Site, User
from sites.tenancy.access import Can, Role, access_of
from sites.tenancy.scope import entered, everything
from tests.browsing import Browser
from tests.working import PATIENCE, until

PASSWORD = "correct horse battery"


def pytest_configure():
    # The same examples in every run, however long they take: what a run says depends on the tree alone. To look for new
    # ones: --hypothesis-profile=default.
    hypothesis.settings.register_profile(
        "metaspine",
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("metaspine")
    # A machine that is busy elsewhere keeps a page waiting for a second; a test would then go on without its servers.
    redis_cache.CONNECTING = redis_cache.ANSWERING = PATIENCE
    for database in settings.DATABASES.values():
        database["OPTIONS"]["connect_timeout"] = str(PATIENCE)
    # Argon2 is slow on purpose, and nearly every test creates people.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    # Attempts are counted in the cache, by ids that the next run gives again.
    settings.CACHES["default"]["KEY_PREFIX"] = f"test-{uuid.uuid4().hex}"
    settings.SECOND_FACTOR = "none"  # tests of it say otherwise
    # Each test's client looked through all static files, and asked for none. The browser's server has its own handler.
    settings.WHITENOISE_USE_FINDERS = False
    # Tests ask as often as they like, but for those about asking too often.
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)


def pytest_collection_finish():
    # Modules and tests stay to the end: looking through them for garbage again and again takes a twentieth of the run.
    gc.set_threshold(50_000, 20, 100)
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


TODAY = dt.date(2026, 6, 1)


def template():
    """The name of a migrated database that nobody connects to, for those that are made of it (`copied`)."""
    return f"test_{re.sub(r'_gw[0-9]+$', '', urlsplit(os.environ['OWNER_DATABASE_URL']).path[1:])}_template"


def at_no_database():
    """A connection as the owner's role to the database that nobody works in."""
    maintenance = urlsplit(os.environ["OWNER_DATABASE_URL"])._replace(path="/postgres").geturl()
    return psycopg.connect(maintenance, autocommit=True)


def at_the_server(*statements):
    """What no test's own connection can do: make databases and drop them, as the owner's role.

    A session that was just closed may stay in a database for some seconds, on a machine that is busy: all is then done
    once more.
    """

    def done():
        with suppress(psycopg.errors.ObjectInUse), at_no_database() as server:
            for statement in statements:
                server.execute(statement)
            return True

    until(done)


def copied(source, name):
    """Make the database `name` of another one, in place of what has that name."""
    at_the_server(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" TEMPLATE "{source}"')


def pytest_unconfigure():
    """The templates go with the run: workers of pytest-xdist end before the process that started them."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with suppress(psycopg.OperationalError):  # who only lists the tests needs no server
            with at_no_database() as server:
                made = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [template()])
                names = [name for (name,) in made.fetchall()]
            at_the_server(*(f'DROP DATABASE IF EXISTS "{name}"' for name in names))


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """`with alone("cohort") as path:` is one worker at a time; the path, in a folder that all of a run share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    @contextmanager
    def locked(name):
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder / name

    return locked


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, alone):
    """One test database: the worker that comes first migrates its own as the owner's role, the others copy that."""
    owner, application = connections["owner"], connections["default"]
    name = f"test_{owner.settings_dict['NAME']}"
    with django_db_blocker.unblock():
        with alone("template") as made:
            if made.exists():
                copied(template(), name)
                owner.settings_dict["NAME"] = name
            else:
                owner.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
                owner.close()
                copied(name, template())
                made.touch()
        application.close()
        application.settings_dict["NAME"] = name
        FILLED_BY_TESTS[:] = empty_tables(owner)
        PROTOCOLS.update(keys_of_schedule(owner))
    yield
    with django_db_blocker.unblock():
        with application.cursor() as cursor:
            # A browser that kept a connection open kept a database session of the live server open too.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
        application.close()
        owner.creation.destroy_test_db(name, verbosity=0)


FILLED_BY_TESTS = []
SCHEDULE = ("registry_scheduledvisit", "registry_scheduleversion", "registry_timepoint")
PROTOCOLS = {}  # table of the schedule to the keys of the rows that the migrations made


def _forget_schedules(cursor):
    """Remove the visits that a test planned beside those of the migrations: triggers keep them from everybody else."""
    for table in SCHEDULE:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        key = "code" if table == "registry_timepoint" else "id"
        cursor.execute(f"DELETE FROM {table} WHERE NOT {key}::text = ANY (%s)", [PROTOCOLS[table]])
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def keys_of_schedule(owner):
    with owner.cursor() as cursor:
        for table in SCHEDULE:
            cursor.execute(f"SELECT {'code' if table == 'registry_timepoint' else 'id'}::text FROM {table}")
            yield table, [key for (key,) in cursor.fetchall()]


def empty_tables(owner):
    """Tables that the migrations leave empty: all that tests fill."""
    with owner.cursor() as cursor:
        tables = owner.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f"SELECT NOT EXISTS (SELECT FROM {table})")
            if cursor.fetchone()[0]:
                yield table


@contextmanager
def swept_afterwards():
    """What is committed meanwhile, the audit trail included, is removed by the owner."""
    owner = connections["owner"]
    owner.close()
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    try:
        yield
    finally:
        connection.close()
        with owner.cursor() as cursor:
            cursor.execute("SELECT table_name, name FROM registry_owncolumn")
            for table, name in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP COLUMN "{name}"')
            _forget_schedules(cursor)
            cursor.execute(f"TRUNCATE {', '.join(FILLED_BY_TESTS)} CASCADE")
        owner.close()
        protocol.forget_all()


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """A registry that other processes see: everything is committed, and removed afterwards."""
    with django_db_blocker.unblock(), swept_afterwards():
        yield


@pytest.fixture(scope="session")
def cohort_of(alone):
    """`cohort_of(seed)` is the demonstration's cohort of that seed: made once in a run, by whoever asks first."""

    @cache
    def make(seed=DEFAULT_SEED):
        with alone(f"cohort-{seed}.pickle") as pickled:
            if not pickled.exists():
                pickled.write_bytes(pickle.dumps(make_cohort(seed)))
            return pickle.loads(pickled.read_bytes())  # noqa: S301 - our own

    return make


@pytest.fixture(autouse=True)
def no_protocol(monkeypatch, request):
    """A protocol that a test publishes goes with the test: its columns are rolled back, and so the fields are.

    Time alone makes no process ask for a newer one, or statements could not be counted on a slow machine. Without the
    database a test has the product's own, whatever the one before it published or read.
    """
    monkeypatch.setattr(protocol, "FRESH", float("inf"))
    if "django_db_setup" not in request.fixturenames and not request.node.get_closest_marker("django_db"):
        monkeypatch.setitem(protocol._known, "at", 1.0)
    yield
    if protocol.is_known():
        protocol.forget_all()


@pytest.fixture(autouse=True)
def schedule_read_anew(monkeypatch):
    """Tests write visits and switches by hand, and take them back."""
    monkeypatch.setattr(standing, "FRESH", -1)


@pytest.fixture(autouse=True)
def kept_outside(settings, tmp_path_factory):
    """The folder where each test keeps its seals outside the database; made when something is sealed."""
    settings.SEAL_FOLDER = tmp_path_factory.getbasetemp() / f"seals-{uuid.uuid4().hex}"
    return settings.SEAL_FOLDER


@pytest.fixture(autouse=True)
def english():
    """Each test begins in English, whatever language a page of the one before it was shown in."""
    with translation.override("en"):
        yield


@pytest.fixture
def client():
    """A browser in which nobody is signed in."""
    return Browser()


@pytest.fixture
def north(db):
    return Site.objects.create(code="N01", name="North Hospital", name_ja="北病院")


@pytest.fixture
def south(db):
    return Site.objects.create(code="S01", name="South Hospital", name_ja="南病院")


def person(name, role, site=None, **fields):
    user = User.objects.create_user(f"{name.lower()}@example.org", PASSWORD, name=name, **fields)
    Membership.objects.create(user=user, role=role, site=site, starts_on=dt.date(2018, 1, 1))
    return user


@pytest.fixture
def alice(north):
    return person("Alice", Role.COORDINATOR, north)


@pytest.fixture
def charlie(south):
    return person("Charlie", Role.COORDINATOR, south)


@pytest.fixture
def ivo(north):
    return person("Ivo", Role.INVESTIGATOR, north)


@pytest.fixture
def mona(north):
    return person("Mona", Role.MONITOR, north)


@pytest.fixture
def bob(north, south):
    return person("Bob", Role.STATISTICIAN)


@pytest.fixture
def dana(north, south):
    return person("Dana", Role.DATA_MANAGER)


@pytest.fixture
def ada(db):
    return person("Ada", Role.ADMIN, is_staff=True, is_superuser=True)


@pytest.fixture
def as_person():
    """`with as_person(alice) as access:` acts under a person's own scope."""

    @contextmanager
    def act(user):
        access = access_of(user)
        with entered(access.scope()):
            yield access

    return act


@pytest.fixture
def as_system(db):
    """`with as_system():` reaches every site there is at that moment."""
    return everything


@pytest.fixture
def enrolled(as_person):
    """`enrolled(alice)` is a patient of that person's first site."""

    def enrol_one(user, **changes):
        with as_person(user) as access:
            site = Site.objects.get(pk=access.sites_for(Can.ENTER)[0])
            raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"} | changes
            return patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY)

    return enrol_one


@pytest.fixture
def broker():
    """An empty queue before and after."""
    tasks.app.control.purge()
    yield settings.REDIS_URL
    tasks.app.control.purge()


@pytest.fixture
def licensed(db):
    """Wording of EQ-5D-5L in both languages, of our own making: patients' links ask it."""
    with everything():
        for language in ("en", "ja"):
            wording.load(
                access=None,
                code="eq5d5l",
                language=language,
                content=wording.placeholder(language),
                licence="synthetic",
                is_placeholder=True,
            )
