"""A thousand saves while the web server, the worker and PostgreSQL are killed at random and started again.

All of it in a registry of its own, started as bin/demo starts one.
"""

import http.client
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from django.conf import settings

from registry.embedded import postgres
from registry.embedded.place import place_for
from registry.embedded.services import ensure_services, running
from tests.guard.faults.storm import ANSWERS
from tests.guard.faults.test_faults import start_web
from tests.working import PATIENCE, ROOT

pytestmark = pytest.mark.long

SAVES, SITES, PATIENTS, KILLS = 1000, 6, 28, 9
TIMEPOINTS = ("preop", "1m", "3m", "6m", "12m", "24m")


class Machine:
    """The three kinds of process, each of which can be killed and started again."""

    def __init__(self, place, environment):
        self.place, self.environment = place, environment
        self.web, self.port = start_web(environment)
        self.worker = self.start_worker()
        self.deaths = []

    def start_worker(self):
        command = [sys.executable, "-m", "celery", "-A", "registry", "worker", "-c", "1", "-l", "critical"]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, start_new_session=True)

    def strike(self, victim):
        """kill -9, and start it again."""
        self.deaths.append(victim)
        if victim == "postgres":
            server = postgres.running(self.place)
            server.kill()
            server.wait(PATIENCE)
            ensure_services(self.place.data)
        elif victim == "worker":
            os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()
            self.worker = self.start_worker()
        else:
            os.killpg(self.web.pid, signal.SIGKILL)
            self.web.wait()
            self.web, self.port = start_web(self.environment)

    def end(self):
        for process in (self.web, self.worker):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    # The place of this test's services, not of the run's: PostgreSQL's programs read these.
    data = tmp_path / "data"
    place = place_for(data)
    with running(data) as services:
        environment = services.environ() | {
            "METASPINE_DEBUG": "0",
            "METASPINE_TLS": "0",
            "METASPINE_ALLOWED_HOSTS": "127.0.0.1",
            "METASPINE_SECOND_FACTOR": "none",  # else every save is answered with the way to set one up
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        item = Machine(place, environment)
        try:
            yield item
        finally:
            item.end()


def ask(machine, *arguments, forms=()):
    command = [sys.executable, "-m", "tests.guard.faults.storm", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=machine.environment, input=json.dumps(forms), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def post(machine, session, patient_id, timepoint):
    """(status, address of a redirect) of one save. Raises OSError or HTTPException where no answer comes."""
    token = secrets.token_hex(16)
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={token}"
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(ANSWERS | {"csrfmiddlewaretoken": token, "version": ""})
    web = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=PATIENCE)
    while True:  # nobody there: nothing was sent yet
        try:
            web.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
            web.port = machine.port
    try:
        web.request("POST", f"/patients/{patient_id}/assessments/{timepoint}/", body, headers)
        answer = web.getresponse()
        return answer.status, answer.headers.get("Location", "")
    finally:
        web.close()


class Answers:
    """Forms by what the server said of them: stored, nothing that counts, or something else."""

    def __init__(self):
        self.acknowledged, self.unanswered, self.odd = [], [], []

    def sort(self, patient_id, timepoint, status, address):
        if status == 302 and address.startswith(f"/patients/{patient_id}/"):
            self.acknowledged.append((patient_id, timepoint))
        elif status is None or status >= 500:
            self.unanswered.append((patient_id, timepoint))
            if status:
                time.sleep(0.3)  # PostgreSQL is being started
        else:
            self.odd.append((patient_id, timepoint, status, address))


def answered(machine, key, patient_id, timepoint):
    """(status, address) of a save; no status where nobody answered."""
    try:
        return post(machine, key, patient_id, timepoint)
    except (OSError, http.client.HTTPException):
        return None, ""


def test_a_thousand_saves_among_kills(machine):
    """Each acknowledged save is stored once with its audit row; each other one is absent or whole, and on record."""
    chance = random.Random(20)
    cast = ask(machine, "cast", SITES, PATIENTS)
    mine = [[(key, patient, at) for patient in patients for at in TIMEPOINTS] for key, patients in cast]
    assert sum(map(len, mine)) >= SAVES
    answers_of = Answers()
    turns, ended = threading.Semaphore(0), threading.Event()

    def save(forms):
        for key, patient_id, timepoint in forms:
            answers_of.sort(patient_id, timepoint, *answered(machine, key, patient_id, timepoint))
            turns.release()

    def kill():
        total = sum(map(len, mine))
        # Every kind dies; after the saves at these places the next one does.
        victims = ["web", "worker", "postgres"] * (KILLS // 3)
        chance.shuffle(victims)
        places, done = sorted(chance.sample(range(20, total - 60), KILLS)), 0
        for place, victim in zip(places, victims, strict=True):
            while done < place and not ended.is_set():
                done += turns.acquire(timeout=1)
            machine.strike(victim)

    with ThreadPoolExecutor(SITES + 1) as pool:
        killing = pool.submit(kill)
        try:
            for saving in [pool.submit(save, forms) for forms in mine]:
                saving.result()
        finally:
            ended.set()
        killing.result()

    assert sorted(machine.deaths) == sorted(["web", "worker", "postgres"] * (KILLS // 3))
    assert answers_of.odd == []
    assert len(answers_of.acknowledged) > SAVES / 2 and answers_of.unanswered
    for rows, on_record, answers in ask(machine, "look", forms=answers_of.acknowledged):
        assert (rows, on_record, answers) == (1, 1, ANSWERS)
    for state in ask(machine, "look", forms=answers_of.unanswered):
        assert state in ([1, 1, ANSWERS], [0, 0, None])
