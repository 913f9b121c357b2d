"""With the database away: 503 with Retry-After, and a page that gives back what was typed. Health says so."""

import base64
import hashlib
import html
import re
from dataclasses import asdict
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection, transaction
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.health import errors
from registry.health.checkup.database import answers
from registry.health.checkup.findings import FAILED, Looking
from registry.services.protocol import branding
from sites.database.first_read import first_row
from sites.logs.request_lines import RequestFilter
from sites.models import Site
from sites.people import tokens
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import everything
from tests.conftest import person

NOWHERE = {"HOST": "127.0.0.1", "PORT": "1", "USER": "nobody", "PASSWORD": "", "NAME": "none"}


@pytest.fixture
def away(django_db_blocker, monkeypatch):
    """A database that takes no connection."""
    with django_db_blocker.unblock():
        connection.close()
        for name, value in NOWHERE.items():
            monkeypatch.setitem(connection.settings_dict, name, value)
        yield Client(raise_request_exception=False)
        connection.close()


SESSION = {"sessionid": "x" * 32}
TYPED = {
    "csrfmiddlewaretoken": "y" * 32,
    "ecog_ps": "2",
    "comment": "\n <b>two\nlines</b>",
    "tumour": ["lung", "renal"],
}


def test_what_was_typed_comes_back_to_be_sent_again(away):
    away.cookies.load(SESSION)
    response = away.post("/patients/N01-0001/assessments/preop/?a=1&b=2", TYPED)
    assert response.status_code == 503 and response["Retry-After"] == "10"
    page = response.content.decode()
    assert 'action="/patients/N01-0001/assessments/preop/?a=1&amp;b=2"' in page
    sent = re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', page, re.DOTALL)
    expected = [
        (name, choice) for name, value in TYPED.items() for choice in (value if isinstance(value, list) else [value])
    ]
    assert [(name, html.unescape(value)) for name, value in sent] == expected


def test_a_page_may_be_loaded_again_and_a_password_is_never_given_back(away):
    away.cookies.load(SESSION)
    page = away.get("/patients/")
    assert page.status_code == 503 and b"Try again" in page.content and b"<textarea" not in page.content
    answer = away.post("/login/", {"username": "a@example.org", "password": "correct horse"})
    assert answer.status_code == 503 and b"correct horse" not in answer.content


def test_pages_of_errors_have_the_colours_of_the_study_without_the_database(away, monkeypatch):
    """The policy allows the one style sheet of the page, by its hash; another process knows it by the cache."""
    brand = branding.Brand(short_name="HT-TES", contact="centre@example.org", bar="#5a1e3c", accent="#0b6b3a")
    away.cookies.load(SESSION)
    sources = [
        ({1: brand}, None),
        ({}, asdict(brand)),
        ({}, asdict(brand) | {"bar": "red;} body {"}),
        ({}, {"other": 1}),
    ]
    for number, (known, saved) in enumerate(sources):
        monkeypatch.setattr(branding, "_known", known)
        cache.set(branding.REMEMBERED, saved)
        response = away.get("/patients/")
        page, policy = response.content.decode(), response["Content-Security-Policy"]
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
        if number > 1:
            assert style is None and "sha256" not in policy and "Metaspine" in page
            continue
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert "--bar: #5a1e3c" in style[1] and f"'sha256-{digest}'" in policy and "HT-TES" in page
    monkeypatch.setattr(branding, "_known", {1: brand})
    try:
        raise ValueError
    except ValueError:
        response = errors.server_error(RequestFactory().get("/"))
    assert b"--accent: #0b6b3a" in response.content and "sha256" in response._csp_update["style-src"]
    cache.delete(branding.REMEMBERED)


def test_a_line_names_the_view_and_why_and_neither_address_nor_traceback(away, caplog):
    caplog.handler.addFilter(RequestFilter())
    away.cookies.load(SESSION)
    with caplog.at_level("WARNING", logger="django.request"):
        away.post("/patients/N01-0001/assessments/preop/", TYPED)
        away.get("/patients/N01-0002/nothing/")
    lines = [record for record in caplog.records if record.name == "django.request"]
    assert len(lines) == 2 and not any(record.exc_info or record.exc_text for record in lines)
    assert all("OperationalError: connection" in record.getMessage() for record in lines)
    assert "N01-000" not in caplog.text
    assert settings.LOGGING["handlers"]["console"]["filters"] == ["requests"]


def test_the_api_answers_a_problem_document(away):
    response = away.get("/api/v1/me", headers={"Authorization": "Bearer msp_x"})
    assert response.status_code == 503 and response["Retry-After"] == "10"
    assert response["Content-Type"] == "application/problem+json"


def test_a_session_that_dies_as_a_transaction_begins_is_told_in_djangos_words(committed):
    """The scope is told to PostgreSQL past Django's cursor: what goes wrong there was answered 500."""
    with everything():
        connection.ensure_connection()
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        other.close()
        with pytest.raises(OperationalError), transaction.atomic():
            pass
        connection.close()


def test_a_request_begins_on_a_new_connection_where_the_kept_one_broke(committed, client):
    """Its first statement, of session or token, is what shows it: nothing else asks the connection before."""
    alice = person("Alice", Role.COORDINATOR, Site.objects.create(code="N01", name="North Hospital"))
    client.force_login(alice)
    text = tokens.issue(
        access=access_of(alice), user=alice, name="t", scopes=["read"], expires_at=timezone.now() + timedelta(days=1)
    ).text
    by_token = {"headers": {"Authorization": f"Bearer {text}"}}
    for address, more in (("/", {}), ("/api/v1/me", by_token)):
        assert client.get(address, **more).status_code == 200
        connection.health_check_enabled, connection.health_check_done = True, False  # as between two requests
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address, **more).status_code == 200
        assert not any(query["sql"] == "SELECT 1" for query in asked)
        session = connection.connection
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])
        other.close()
        connection.health_check_enabled, connection.health_check_done = True, False
        assert client.get(address, **more).status_code == 200
        assert connection.connection is not session
    with pytest.raises(OperationalError, match="statement timeout"):  # refused, and not asked twice
        connection.health_check_done = False
        first_row("SELECT set_config('statement_timeout', '50', false), pg_sleep(0.01)", ())
        connection.health_check_done = False
        first_row("SELECT pg_sleep(5)", ())
    connection.close()


def test_a_database_that_takes_no_changes_is_away_to_whoever_saves(committed):
    """A standby that nobody promoted yet answers every question: a save there was an error of the program."""
    alice = person("Alice", Role.COORDINATOR, Site.objects.create(code="N01", name="North Hospital"))
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        eligible = dict.fromkeys(
            re.findall(r'name="(eligible_\w+)"', client.get("/patients/new/").content.decode()), "on"
        )
        typed = {"sex": "female", "birth_date": "1950-02-01", "consent_date": "2026-01-10"} | eligible
        answer = client.post("/patients/new/", typed)
        ready, finding = client.get("/health/ready"), answers(Looking())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET default_transaction_read_only")
    assert answer.status_code == 503 and answer["Retry-After"] == "10" and b"1950-02-01" in answer.content
    assert (ready.status_code, ready.json()["database"]) == (503, "failed")
    assert finding.state == FAILED and "DATABASE_URL" in finding.text


def test_health_tells_a_database_that_is_away_and_one_that_is_there(away, request):
    ready = away.get("/health/ready")
    assert ready.status_code == 503 and ready.json()["database"] == "failed" == ready.json()["status"]
    assert away.get("/health/live").status_code == 200


@override_settings(ALLOWED_HOSTS=[], SECURE_SSL_REDIRECT=True)
def test_health_needs_no_host_name_no_tls_and_no_session(db, client):
    ready = client.get("/health/ready")
    answer = ready.json()
    assert ready.status_code == 200 and answer["status"] == "degraded"
    assert [answer[name] for name in ("database", "migrations", "guards", "broker")] == ["ok"] * 4
    assert [answer[name] for name in ("beat", "worker")] == ["silent"] * 2
    assert client.get("/health/ready?all").status_code == 503
    assert not ready.cookies and "sessionid" not in str(ready.headers)
