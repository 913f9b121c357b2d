"""A real browser against a real server, as the application's own role.

Django's live server flushes the database after each test, which the application's role may not; so the data of these
tests are committed once for a module, and removed by the owner afterwards.
"""

import datetime as dt
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connection, transaction
from django.test import Client
from django.test.testcases import LiveServerThread

from registry.celery import app
from registry.models import Assessment, Patient
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import Site
from sites.tenancy.access import Can, Role, access_of
from sites.tenancy.scope import entered
from tests.conftest import person, swept_afterwards
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY
from tests.working import PATIENCE

playwright = pytest.importorskip("playwright.sync_api")
playwright.expect.set_options(timeout=1000 * PATIENCE)

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZES = {"desktop": (1440, 900), "tablet": (820, 1180), "phone": (360, 740)}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


def _enrolled(access, site):
    with entered(access.scope()), transaction.atomic():
        raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
        return patients.enrol(access=access, site=site, raw=raw, consented=True, today=dt.date(2026, 6, 1))


def _followed(access, patient):
    with entered(access.scope()), transaction.atomic():
        patients.save_form(
            access=access,
            patient=patient,
            form="baseline",
            raw=BASELINE | {"birth_date": "1955-04-03", "sins_pain": "1"},
            complete=True,
        )
        patients.save_form(access=access, patient=patient, form="surgery", raw=SURGERY, complete=True)
        save_assessment(access=access, patient=patient, timepoint="preop", raw=ASSESSMENT, complete=True)
        later = ASSESSMENT | {"assessment_date": "2026-02-14", "pain_vas_mm": "15", "eq_vas": "75", "frankel": "E"}
        save_assessment(access=access, patient=patient, timepoint="1m", raw=later, complete=True)
        patients.save_adverse_event(
            access=access, patient=patient, raw={"kind": "pneumonia", "onset_date": "2026-01-20", "clavien_dindo": "II"}
        )


def _asked(access, patient):
    with entered(access.scope()), transaction.atomic():
        form = Form("assessment", timepoint="preop")
        return queries.raise_query(access=access, patient=patient, form=form, field="frankel", text="Source says C.")


@pytest.fixture(scope="module")
def cast(django_db_setup, django_db_blocker):
    """Alice at North with a followed patient and a new one; Bob, Dana and Ada; committed for the whole module."""
    app.conf.task_always_eager = True
    with django_db_blocker.unblock(), swept_afterwards():
        # Playwright's loop has a connection of its own, which a module in between may have ended from outside of it.
        connection.close()
        north = Site.objects.create(code="N01", name="North Hospital", name_ja="北病院", enrolment_target=40)
        Site.objects.create(code="S01", name="South Hospital", name_ja="南病院")
        alice, bob = person("Alice", Role.COORDINATOR, north), person("Bob", Role.STATISTICIAN)
        mona, ivo = person("Mona", Role.MONITOR, north), person("Ivo", Role.INVESTIGATOR, north)
        dana, ada = person("Dana", Role.DATA_MANAGER), person("Ada", Role.ADMIN, is_staff=True, is_superuser=True)
        access = access_of(alice)
        assert access.may(Can.ENTER, north.pk)
        followed, new = _enrolled(access, north), _enrolled(access, north)
        _followed(access, followed)
        query = _asked(access_of(mona), followed)
        people = {"alice": alice, "bob": bob, "dana": dana, "ada": ada, "mona": mona, "ivo": ivo}
        yield SimpleNamespace(**people, followed=followed.pk, new=new.pk, query=query.pk, access=access, north=north.pk)
    app.conf.task_always_eager = False


@pytest.fixture(scope="module")
def server(cast):
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()


@pytest.fixture(scope="module")
def chromium():
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright runs its loop in this thread
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def new_page(chromium, server, cast, django_db_blocker):
    """`new_page("alice", errors, size="tablet")` is a page on which that person is signed in.

    errors  the list to which its scripts' errors are added
    """

    def open_page(who, errors, size="desktop", **options):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, base_url=server, **options)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
        )
        if who:
            with django_db_blocker.unblock():
                client = Client()
                client.force_login(getattr(cast, who))
            context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
        return page

    return open_page


@pytest.fixture
def opened(new_page):
    """`opened("alice", size="tablet")` is a page on which that person is signed in. A script's error fails the test."""
    pages, errors = [], []

    def open_page(who, size="desktop", **options):
        pages.append(new_page(who, errors, size, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()
    assert errors == []


def resize(page, width, height):
    """Give the page a screen of that size, unless it has it: Chromium lays out and paints anew whatever it is told."""
    if page.viewport_size != (size := {"width": width, "height": height}):
        page.set_viewport_size(size)


@pytest.fixture(scope="module")
def pages_to_look_at():
    """By person, the page that looks for them at one address after the other, and the errors of its scripts."""
    pages = {}
    yield pages
    for page, _errors in pages.values():
        page.context.close()


@pytest.fixture
def looking(new_page, pages_to_look_at):
    """`looking("alice")` is a page on which she is signed in, for tests that send nothing and leave nothing behind.

    It is the same one for all of a module: what pages have in common is fetched and read once. A script's error fails
    the test.
    """
    looked = []

    def page_of(who):
        if who not in pages_to_look_at:
            errors = []
            pages_to_look_at[who] = new_page(who, errors), errors
        page, errors = pages_to_look_at[who]
        errors.clear()
        looked.append(errors)
        resize(page, *SIZES["desktop"])
        return page

    yield page_of
    assert [error for errors in looked for error in errors] == []


@pytest.fixture
def assessments(cast, django_db_blocker):
    """`assessments(patient_id, timepoint)` is what is stored."""

    def read(patient_id, timepoint):
        with django_db_blocker.unblock(), entered(cast.access.scope()), transaction.atomic():
            return Assessment.objects.filter(patient_id=patient_id, timepoint_id=timepoint).first()

    return read


@pytest.fixture
def patients_of_north(cast, django_db_blocker):
    """How many patients Alice's site has now."""

    def count():
        with django_db_blocker.unblock(), entered(cast.access.scope()), transaction.atomic():
            return Patient.objects.count()

    return count
