"""No live secret in a log, a queue or an error report."""

import base64
import json
import logging
import runpy
import secrets
import sys

import pytest
import redis
from django.conf import settings as configured
from django.db import transaction
from django.test import Client, RequestFactory
from django.views.debug import get_default_exception_reporter_filter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from registry import tasks
from registry.celery import app
from sites.logs.redaction import ADDRESSES, Formatter, redacted
from tests.guard.crawl import addresses

SECRET_ARGUMENTS = {"token", "key"}


@pytest.fixture
def token():
    return secrets.token_urlsafe(32)


def test_every_address_with_a_secret_is_taken_out_of_logs(token):
    secret = [address for address in addresses() if SECRET_ARGUMENTS.intersection(address.arguments)]
    assert {address.name for address in secret} >= {
        "patient_link",
        "invitation",
        "account_reset_password_from_key",
        "digest_stop",
    }
    values = {"token": "short-secret:1", "key": "short-secret:1", "uidb36": "1", "step": 3}
    for address in secret:
        url = address.url(values)
        assert url.startswith(tuple(f"/{beginning}/" for beginning in ADDRESSES)), address.name
        assert "short-secret" not in redacted(f"Not Found: {url}")


@pytest.mark.parametrize(
    "line",
    [
        "Not Found: /answers/{}/",
        "Not Found: /ANSWERS/{}",
        "Not Found: /nonsense/{}/more",
        "Unauthorized: /login/?next=/invitation/{}/",
        "Unauthorized: /login/?next=%2Fanswers%2F{}%2F",
        "Forbidden (Referer checking failed - https://registry.example/answers/{}/3/ does not match): /login/",
        "GET /sso/callback/?code={}&state=x HTTP/1.1",
        "Authorization: Bearer msp_{}",
        "'HTTP_AUTHORIZATION': 'Bearer {}'",
        "redis://:{}@broker:6379/0 refused",
        "postgresql://metaspine_app:{}@db:5432/metaspine",
    ],
)
def test_a_secret_is_taken_out_wherever_it_stands(line, token):
    assert token not in redacted(line.format(token))


def test_what_is_no_secret_stays():
    lines = [
        "audit seal 12 over 300 events: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "Not Found: /patients/S07-0012/assessments/preop/",
        "comparison 0c3c37c2-94be-4ac6-8f5f-3cb2f3b5b4a1: its files will be made when somebody asks for them",
        "violates check constraint registry_assessment_barthel_bathing_within_its_declared_range",
    ]
    assert [redacted(line) for line in lines] == lines


def test_a_refused_link_is_logged_without_its_token(db, caplog, token):
    asked = [f"/answers/{token}/", f"/invitation/{token}/", f"/password/new/1-{token}/", f"/Answers/{token}/"]
    with caplog.at_level(logging.DEBUG):
        for address in asked:
            assert Client().get(address).status_code == 404
            assert Client(enforce_csrf_checks=True).post(address, {"name": "x"}).status_code in (403, 404)
        Client().post("/api/v1/patients", headers={"authorization": f"Bearer msp_{token}"})
    assert len(caplog.records) >= len(asked)
    assert token not in caplog.text and token not in str([record.args for record in caplog.records])
    assert "Not Found: /answers/[redacted]" in caplog.text


def test_a_traceback_is_logged_without_a_secret(caplog, token):
    try:
        raise ValueError(f"no such link /answers/{token}/")
    except ValueError:
        logging.getLogger("registry.anything").exception("failed at /answers/%s/", token)
    assert "no such link /answers/[redacted]" in caplog.text and token not in caplog.text


def test_the_web_server_writes_none_either(token, capfd):
    """gunicorn's own logger, with our configuration, before there is any Django."""
    config = Config()
    for name, value in runpy.run_path(str(configured.BASE_DIR / "gunicorn.conf.py")).items():
        if name in config.settings:
            config.set(name, value)
    logger = Logger(config)
    assert all(isinstance(handler.formatter, Formatter) for handler in logger.error_log.handlers)
    logger.error_log.handlers[0].setStream(sys.stderr)
    logger.error("Error handling request /answers/%s/", token)
    output = capfd.readouterr().err
    assert "Error handling request" in output and token not in output


def test_a_mail_waits_in_the_broker_sealed(broker, committed, settings, token):
    settings.MAIL = True
    with transaction.atomic():
        tasks.start_mail("New password", f"https://registry.example/password/new/1-{token}/", "alice@example.org")
    server = redis.Redis.from_url(broker.replace("redis+socket", "unix").replace("virtual_host", "db"))
    waiting = server.lrange(app.conf.task_default_queue, 0, -1)
    messages = b"".join(waiting)
    assert b"send_mail" in messages
    bodies = b"".join(base64.b64decode(json.loads(message)["body"]) for message in waiting)
    assert token.encode() not in messages + bodies and b"alice@" not in messages + bodies


def test_without_a_mail_server_no_link_is_made_and_the_page_says_whom_to_ask(
    client, alice, settings, caplog, capfd, django_capture_on_commit_callbacks
):
    settings.MAIL, settings.CONTACT = False, "Data centre, extension 1234"
    with caplog.at_level(logging.DEBUG), django_capture_on_commit_callbacks() as callbacks:
        page = client.post("/password/forgotten/", {"email": alice.email}).content.decode()
    assert "Ask an administrator" in page and "Data centre, extension 1234" in page
    assert callbacks == [] and "/password/new/" not in caplog.text + "".join(capfd.readouterr())
    with django_capture_on_commit_callbacks() as callbacks:
        tasks.start_mail("x", "y", alice.email)
    assert callbacks == []


def test_an_error_report_has_no_values(token):
    request = RequestFactory().post(
        "/enrol/", {"birth_date": "1955-04-03"}, headers={"authorization": f"Bearer {token}"}
    )
    filtering = get_default_exception_reporter_filter()
    try:
        birth_date = "1955-04-03"
        raise ValueError(len(birth_date))
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    report = (
        f"{filtering.get_traceback_frame_variables(request, frame)} {filtering.get_post_parameters(request)} "
        f"{filtering.get_safe_request_meta(request)}"
    )
    assert "birth_date" in report and "1955-04-03" not in report and token not in report


@pytest.mark.parametrize(("arguments", "lines"), [("", 0), ("--access-logfile -", 1)])
def test_the_web_server_logs_requests_only_where_it_is_asked_and_no_line_twice(monkeypatch, capfd, arguments, lines):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)
    settings = runpy.run_path(str(configured.BASE_DIR / "gunicorn.conf.py"))
    config = Config()
    config.set("logconfig_dict", settings["logconfig_dict"])
    logger = Logger(config)
    logger.access_log.info("GET /patients/N01-0001/")
    logger.error_log.info("it began")
    said = "".join(capfd.readouterr())
    assert (said.count("/patients/"), said.count("it began")) == (lines, 1)
