"""What was acknowledged is there once, whole and on record, whatever is killed; and people do not hinder each other."""

import http.client
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import Client

from bench.shared.server import session_of
from registry.models import AdverseEvent, Assessment, Patient
from registry.services.entry.assessments import save_assessment
from registry.services.entry.patients import save_adverse_event
from registry.services.records.storing import Conflict
from sites.models import AuditEvent, Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import TODAY, person
from tests.guard.conftest import enrol
from tests.guard.faults.saving import ANSWERS
from tests.working import PATIENCE, ROOT, free_port, until, waits

SITES = 10
TIMEPOINTS = ("preop", "1m", "3m", "6m", "12m", "24m")


@pytest.fixture
def ten_sites(committed):
    """Ten coordinators, each with the site and its patients: {user: (site, [patient numbers])}."""
    cast = {}
    for number in range(1, SITES + 1):
        site = Site.objects.create(code=f"F{number:02}", name=f"Site {number}")
        user = person(f"Person{number}", Role.COORDINATOR, site)
        cast[user] = site, [enrol(user, site, TODAY).pk for _ in range(4)]
    return cast


@pytest.fixture
def environment():
    """Of a process on the test's own database."""
    test = connections["default"].settings_dict
    place = "?" + urlencode({"host": test["HOST"]}) if test["HOST"].startswith("/") else ""
    host = "" if place else test["HOST"]
    port = f":{test['PORT']}" if test["PORT"] and not place else ""
    place += f"&port={test['PORT']}" if test["PORT"] and place else ""
    user, password = quote(test["USER"], safe=""), quote(test["PASSWORD"], safe="")
    return os.environ | {
        "DATABASE_URL": f"postgresql://{user}:{password}@{host}{port}/{test['NAME']}{place}",
        "METASPINE_DEBUG": "0",
        "METASPINE_TLS": "0",
        "METASPINE_ALLOWED_HOSTS": "127.0.0.1",
        "METASPINE_SECOND_FACTOR": "none",  # as in the tests' own process
    }


def on_record(patient_id, timepoint):
    """(stored answers or None, number of insert events) of one assessment. Call it in the system's scope."""
    row = Assessment.objects.filter(patient_id=patient_id, timepoint_id=timepoint).first()
    stored = row and {name: str(getattr(row, name)) for name in ANSWERS}
    events = AuditEvent.objects.filter(
        table_name="registry_assessment", action="insert", new__patient_id=patient_id, new__timepoint_id=timepoint
    )
    return stored, events.count()


def test_a_killed_process_leaves_what_it_acknowledged_and_nothing_of_the_rest(ten_sites, environment):
    user, (_site, patient_ids) = next(iter(ten_sites.items()))
    command = [sys.executable, "-m", "tests.guard.faults.saving", str(user.pk), *patient_ids]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    output = [process.stdout.readline().split() for _ in patient_ids]
    assert output == [["saved", patient_id] for patient_id in patient_ids[:-1]] + [["open", patient_ids[-1]]]
    process.kill()
    process.wait()
    until(lambda: not idle_in_transaction())
    with everything(), transaction.atomic():
        assert [on_record(patient_id, "preop") for patient_id in patient_ids] == [(ANSWERS, 1)] * 3 + [(None, 0)]
    # The dead process holds no lock: the same form is saved by the next one who tries.
    access = access_of(user)
    with entered(access.scope()), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '60s'")
        patient = Patient.objects.get(pk=patient_ids[-1])
        save_assessment(access=access, patient=patient, timepoint="preop", raw=ANSWERS, today=TODAY)
    with everything(), transaction.atomic():
        assert on_record(patient_ids[-1], "preop") == (ANSWERS, 1)


def idle_in_transaction():
    """Whether another session of this database is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0] > 0


def start_web(environment):
    """gunicorn on a free port, in a process group of its own."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "registry.wsgi",
        "--worker-class",
        "gthread",
        "--log-level",
        "critical",
    ]
    command += ["--workers", "1", "--threads", "4", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)

    def answers():
        """Whether it does: the port is there before the process that answers, so it is asked for a page."""
        assert process.poll() is None, "the web server ended"
        with suppress(OSError, http.client.HTTPException):
            web = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            web.request("GET", "/health/live")
            return web.getresponse().status == 200

    try:
        until(answers)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    return process, port


def new_form(cookie):
    """(headers, body) with which a browser sends the answers for a visit that has none yet."""
    token = secrets.token_hex(16)
    headers = {
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}; {settings.CSRF_COOKIE_NAME}={token}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode(ANSWERS | {"csrfmiddlewaretoken": token, "version": ""})
    return headers, body


def post_until_it_dies(port, cookie, forms):
    """Post one form after the other; returns those that were answered with a redirect, and those that were not."""
    headers, body = new_form(cookie)
    acknowledged, unanswered, refused = [], [], []
    for patient_id, timepoint in forms:
        try:
            web = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            web.request("POST", f"/patients/{patient_id}/assessments/{timepoint}/", body, headers)
            status = web.getresponse().status
            (acknowledged if status == 302 else refused).append((patient_id, timepoint, status))
        except (OSError, http.client.HTTPException):
            unanswered.append((patient_id, timepoint))
    return acknowledged, unanswered, refused


@pytest.mark.parametrize("saves_before", [5, 30])
def test_a_killed_web_server_has_stored_each_save_that_it_answered(ten_sites, environment, saves_before):
    process, port = start_web(environment)
    forms = {
        user: [(patient_id, at) for patient_id in mine for at in TIMEPOINTS]
        for user, (_site, mine) in ten_sites.items()
    }
    cookies = {user: session_of(user) for user in forms}
    killed = threading.Event()

    def kill():
        def enough():
            with connection.cursor() as cursor:
                cursor.execute("SELECT last_value FROM registry_assessment_id_seq")
                return cursor.fetchone()[0] >= first_id + saves_before

        try:
            until(enough, every=0.002)
        finally:
            connection.close()
            os.killpg(process.pid, signal.SIGKILL)
        killed.set()

    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('registry_assessment_id_seq')")
        first_id = cursor.fetchone()[0]
    with ThreadPoolExecutor(SITES + 1) as pool:
        killing = pool.submit(kill)
        posting = [pool.submit(post_until_it_dies, port, cookies[user], forms[user]) for user in forms]
        killing.result()
        results = [future.result() for future in posting]
    process.wait()
    assert killed.is_set()
    acknowledged = [(patient_id, at) for done, _, _ in results for patient_id, at, _status in done]
    unanswered = [form for _, lost, _ in results for form in lost]
    assert [refused for _, _, refused in results] == [[]] * SITES
    assert acknowledged and unanswered
    with everything(), transaction.atomic():
        assert {on_record(*form) == (ANSWERS, 1) for form in acknowledged} == {True}
        half = [form for form in unanswered if on_record(*form) not in ((ANSWERS, 1), (None, 0))]
        assert half == []


def test_of_two_who_record_an_event_in_the_same_instant_the_second_is_told(ten_sites):
    user, (_site, (patient_id, *_others)) = next(iter(ten_sites.items()))
    with everything(), transaction.atomic():
        patient = Patient.objects.get(pk=patient_id)
    event = {"kind": "pneumonia", "onset_date": "2026-01-20", "clavien_dindo": "II"}

    def post():
        try:
            client = Client()
            client.force_login(user)
            return client.post(
                f"/patients/{patient_id}/adverse-events/new/", event | {"clavien_dindo": "I", "save": ""}
            )
        finally:
            connection.close()

    access = access_of(user)
    with ThreadPoolExecutor(1) as pool:
        with entered(access.scope()), transaction.atomic():
            save_adverse_event(access=access, patient=patient, raw=event, today=TODAY)
            second = pool.submit(post)
            until(waiting_for_another)
        response = second.result(PATIENCE)
    assert response.status_code == 422
    assert "is already recorded on that day" in response.content.decode()
    with everything(), transaction.atomic():
        assert list(AdverseEvent.objects.values_list("clavien_dindo", flat=True)) == ["II"]


def waiting_for_another():
    """Whether a session waits for a transaction of another one."""
    with connections["owner"].cursor() as cursor:
        return waits(cursor, "transactionid")


def test_fifty_people_of_ten_sites_at_once(ten_sites):
    """Nobody waits for ever, no update is lost, nobody meets a row of another site, no number is given twice."""
    threads, corrections = 50, 4
    for user, (_site, mine) in ten_sites.items():
        access = access_of(user)
        with entered(access.scope()), transaction.atomic():
            for item in mine[:2]:
                patient = Patient.objects.get(pk=item)
                raw = ANSWERS | {"pain_vas_mm": "0"}
                save_assessment(access=access, patient=patient, timepoint="preop", raw=raw, today=TODAY)
    people = list(ten_sites) * (threads // SITES)
    together = threading.Barrier(threads)
    conflicts = Counter()

    def add_one(access, patient_id):
        """Read, add one, save; again from the start if somebody else saved in between."""
        while True:
            with entered(access.scope()), transaction.atomic():
                row = Assessment.objects.get(patient_id=patient_id, timepoint_id="preop")
                patient = Patient.objects.get(pk=patient_id)
            raw = ANSWERS | {"pain_vas_mm": str(row.pain_vas_mm + 1)}
            try:
                with entered(access.scope()), transaction.atomic():
                    save_assessment(
                        access=access, patient=patient, timepoint="preop", raw=raw, version=row.version, today=TODAY
                    )
                return
            except Conflict:
                conflicts[patient_id] += 1

    def work(user):
        try:
            site, mine = ten_sites[user]
            access = access_of(user)
            together.wait(PATIENCE)
            number = enrol(user, site, TODAY).pk
            for turn in range(corrections):
                add_one(access, mine[turn % 2])
            with entered(access.scope()), transaction.atomic():
                sites = {*Patient.objects.values_list("site_id", flat=True)}
                sites |= {*AuditEvent.objects.values_list("site_id", flat=True)}
            return number, sites == {site.pk}
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, people, timeout=PATIENCE))
    assert all(only_own for _number, only_own in results)
    assert len({number for number, _only_own in results}) == threads
    each = corrections * threads // SITES // 2
    with everything(), transaction.atomic():
        rows = Assessment.objects.values_list("pain_vas_mm", "version")
        assert set(rows) == {(each, each + 1)}
        events = AuditEvent.objects.filter(table_name="registry_assessment", action="update")
        assert events.count() == threads * corrections
        assert Patient.objects.count() == SITES * 4 + threads
