"""Logs as JSON with the id of the request, metrics and their examples, reports of errors, limits of statements."""

import json
import logging
import os
import re
import subprocess
import sys

import pytest
import sentry_sdk
import yaml
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from sentry_sdk.transport import Transport

from registry.celery import app
from registry.embedded import PROJECT
from registry.health import error_hook, heartbeats, metrics
from registry.models import BackupRecord
from sites.logs import request_id
from sites.logs.json_lines import Formatter
from sites.models import AuditEvent
from sites.tenancy.scope import everything

MONITORING = PROJECT / "docker/monitoring"
ID = re.compile(r"^[0-9a-f]{32}$")


def lines(caplog):
    return [json.loads(Formatter().format(record)) for record in caplog.records]


# Request ids


def test_answers_error_pages_and_the_trail_name_one_request(client, alice, enrolled):
    client.force_login(alice)
    answer = client.get("/nothing-here/", HTTP_X_REQUEST_ID="f" * 32)
    identity = answer["X-Request-ID"]
    assert ID.match(identity) and identity != "f" * 32  # a client's word is not taken
    assert f"<code>{identity}</code>" in answer.content.decode()
    assert client.get("/nothing-here/")["X-Request-ID"] != identity
    assert ID.match(client.get("/api/v1/sites")["X-Request-ID"])
    shown = client.get(reverse("patient_identifiers", args=[enrolled(alice).pk]))
    with everything():
        assert AuditEvent.objects.get(action="identifiers_viewed").request_id == shown["X-Request-ID"]


def test_a_failure_is_a_page_and_a_line_of_one_id(client, alice, caplog, monkeypatch):
    client.force_login(alice)
    client.raise_request_exception = False
    monkeypatch.setattr("registry.web.start.home.render", lambda *_: 1 / 0)
    answer = client.get("/")
    assert answer.status_code == 500
    identity = answer["X-Request-ID"]
    assert identity in answer.content.decode()
    (record,) = [line for line in lines(caplog) if line["logger"] == "registry.requests"]
    assert (record["request"], record["view"], record["status"], record["level"]) == (identity, "home", 500, "WARNING")
    (raised,) = [line for line in lines(caplog) if "exception" in line]
    assert raised["request"] == identity and "ZeroDivisionError" in raised["exception"]


def test_slow_requests_are_told_by_view_and_others_only_by_setting(client, alice, enrolled, settings, caplog):
    caplog.set_level(logging.INFO)
    patient = enrolled(alice)
    client.force_login(alice)
    client.get(f"/patients/{patient.pk}/")
    assert [line for line in lines(caplog) if line["logger"] == "registry.requests"] == []
    settings.SLOW_REQUEST_SECONDS = 0
    client.get(f"/patients/{patient.pk}/")
    settings.SLOW_REQUEST_SECONDS, settings.LOG_REQUESTS = 60, True
    client.get(f"/patients/{patient.pk}/")
    slow, every = (line for line in lines(caplog) if line["logger"] == "registry.requests")
    assert (slow["view"], slow["level"], every["level"]) == ("patient", "WARNING", "INFO")
    assert patient.pk not in json.dumps([slow, every])  # a number of a patient is no matter of logs


def test_json_lines_hold_no_secret_and_their_traceback(caplog):
    try:
        raise OSError("redis://:hunter2secret@broker refused")
    except OSError:
        logging.getLogger("x").exception("at redis://:hunter2secret@broker: %s", "Bearer msp_abcdefghijk")
    (line,) = lines(caplog)
    assert "hunter2secret" not in json.dumps(line) and "abcdefghijk" not in json.dumps(line)
    assert line["level"] == "ERROR" and "OSError" in line["exception"]


def test_a_task_is_sent_with_the_request_that_asks_for_it_and_logs_it(monkeypatch):
    sent = {}
    monkeypatch.setattr("celery.Task.apply_async", lambda self, *args, **options: sent.update(options))
    request_id.begin("a" * 32)
    app.tasks["registry.tasks.send_mail"].delay("x")
    assert sent["headers"] == {"asked_by": "a" * 32}
    request_id.begin("")
    sent.clear()
    app.tasks["registry.tasks.send_mail"].delay("x")
    assert "headers" not in sent


# Metrics


@pytest.fixture
def asked(db, settings):
    settings.METRICS_TOKEN = "right-token"
    BackupRecord.objects.create(kind="backup", size=1)
    BackupRecord.objects.create(kind="drill", size=1)
    heartbeats.alive("task:sweep", 0.1)
    Client().get("/login/")
    return Client().get("/health/metrics", HTTP_AUTHORIZATION="Bearer right-token")


def test_metrics_are_for_who_shows_the_token(db, settings, client):
    assert client.get("/health/metrics").status_code == 404
    settings.METRICS_TOKEN = "right-token"
    for shown in ({}, {"HTTP_AUTHORIZATION": "Bearer wrong"}, {"HTTP_AUTHORIZATION": "Basic right-token"}):
        assert client.get("/health/metrics", **shown).status_code == 401


def names(text):
    return set(re.findall(r"\bmetaspine_[a-z_]+", text))


def test_examples_of_alerts_and_dashboard_ask_for_metrics_that_are_there(asked, settings):
    offered = names(asked.content.decode())
    assert 'metaspine_requests_total{method="GET",status="2xx",view="login"}' in asked.content.decode()
    alerts = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    wanted = names(" ".join(rule["expr"] for rule in alerts))
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    wanted |= names(" ".join(target["expr"] for panel in panels for target in panel["targets"]))
    assert wanted - offered == set()
    assert len(alerts) > 10 and len(panels) > 10
    assert yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]


def test_counts_of_several_processes_are_added(tmp_path):
    """Each web process writes a file of its own."""
    environment = os.environ | {"METASPINE_METRICS_TOKEN": "x", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=PROJECT
        )
        for code in (COUNTING, COUNTING, COUNTING + "print(metrics.exposition()[0].decode())")
    ]
    assert 'metaspine_requests_total{method="GET",status="2xx",view="home"} 6.0' in said[-1].stdout


COUNTING = """
import django, os
os.environ["DJANGO_SETTINGS_MODULE"] = "registry.settings"
django.setup()
from registry.health import metrics
metrics.readiness = lambda: {"database": "failed"}
for _ in range(2): metrics.count("home", "GET", 200, 0.1)
"""


# Reports of errors


class Kept(Transport):
    def __init__(self, options=None):
        super().__init__(options)
        self.events = []

    def capture_envelope(self, envelope):
        self.events.append(envelope.get_event())


def test_reports_of_errors_hold_nobodys_data(client, alice, enrolled, settings, monkeypatch):
    settings.SENTRY_DSN = "https://key@sentry.example/1"
    patient, handler = enrolled(alice), Kept()
    error_hook.install(transport=handler)
    try:
        client.force_login(alice)
        client.raise_request_exception = False

        def failing(*args, hospital_number="H-4711", **more):
            raise ValueError("password=hunter2 of https://x:hunter2secret@there")

        monkeypatch.setattr("registry.web.patients.views.render", failing)
        identity = client.get(f"/patients/{patient.pk}/?code=secretcode")["X-Request-ID"]
        try:
            raise OperationalError(f"DETAIL: Failing row contains ({patient.pk}, 1960-01-02)")
        except OperationalError:
            logging.getLogger("x").exception("job of %s failed", patient.pk)
    finally:
        sentry_sdk.flush()
        sentry_sdk.init()
    text = json.dumps(handler.events, default=str)
    assert handler.events and identity in text and "ValueError" in text and "OperationalError" in text
    for datum in (patient.pk, "H-4711", "hunter2secret", "secretcode", alice.email, "1960-01-02"):
        assert datum not in text


# Limits of statements


def test_a_statement_that_hangs_ends_and_a_new_connection_has_the_limits(db, settings):
    settings.STATEMENT_SECONDS, settings.LOCK_SECONDS = 1, 30
    connection.init_connection_state()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
            assert cursor.fetchone() == ("1s", "30s")
        with (
            pytest.raises(OperationalError, match="statement timeout"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT pg_sleep(20)")
    finally:
        settings.STATEMENT_SECONDS = settings.LOCK_SECONDS = 0
        connection.init_connection_state()


def test_pages_have_limits_and_workers_and_commands_have_none():
    assert 'setdefault("METASPINE_STATEMENT_SECONDS", "300")' in (PROJECT / "registry/wsgi.py").read_text()
    from django.conf import settings

    assert (settings.STATEMENT_SECONDS, settings.LOCK_SECONDS) == (0, 0)
    assert metrics.BUCKETS[-1] > 1
