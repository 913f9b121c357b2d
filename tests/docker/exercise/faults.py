"""Faults in the whole compose: what becomes of forms that people save while a container is killed, filled up, doubled.

The load, the way of counting and the columns are those of `bin/bench faults`; here each part is a container of
compose.yaml, people come through its proxy, and the database lies on a small disk of its own.
"""

import contextlib
import json
import subprocess
import time

import psycopg

from bench.storing.faults import PEOPLE, TIMEPOINTS, TITLES, under_load
from tests.docker.exercise.engine import PREFIX, STORE, Failed, podman, until
from tests.docker.exercise.visitor import Visitor

SECONDS, ROOM, PATIENTS = 6, "1g", 3000
SMALL = STORE / "small"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"  # of Services.Dockerfile
TOMORROW = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+26h", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}


def small_disk(services):
    """Have the database lie on a disk that can be filled; in this process's own mount namespace."""
    SMALL.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", SMALL], check=True)
    volumes = services["db"]["volumes"]
    services["db"]["volumes"] = [volume.replace("database:", f"{SMALL}:", 1) for volume in volumes]


class Person(Visitor):
    """Somebody who saves forms, and signs in again where the session has ended."""

    def __init__(self, email, password):
        self.account = email, password
        super().__init__(email, password)

    def post(self, path, fields, status=None):
        if status is not None:
            return super().post(path, fields, status)
        answer = self.exchange("POST", path, *self.form(fields))
        if answer.status == 302 and answer.headers["Location"].startswith("/login/"):
            with contextlib.suppress(Failed):  # the database may be away
                self.__init__(*self.account)
            return 503, b""
        return answer.status, answer.content

    def close(self):
        """Each request has a connection of its own."""


# What is done while people save. Each gets the Containers, and leaves all of them running.


def nothing(containers):
    time.sleep(1)


def killed(name, seconds=1):
    """The container dies at once, and is started again as `restart: unless-stopped` has it."""

    def fault(containers):
        containers.kill(name)
        time.sleep(seconds)
        containers.resume(name)

    return fault


def backend(containers):
    first = "grep -la '^postgres: metaspine_app' /proc/[0-9]*/cmdline | head -1 | cut -d/ -f3"
    containers.inside("db", "sh", "-c", f"kill -9 $({first})")


def web_process(containers):
    containers.inside("web", "sh", "-c", "kill -9 $(cat /proc/1/task/1/children | cut -d' ' -f1)")


def two_beats(containers):
    containers.start("beat", called="beat-2")
    time.sleep(4)
    containers.stop("beat-2")


def disk(containers):
    filler = SMALL / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * (1 << 20))
    time.sleep(3)
    filler.unlink(missing_ok=True)
    time.sleep(1)
    containers.resume("db")


def connections(containers):
    environment, held = containers.services["migrate"]["environment"], []
    url = environment["OWNER_DATABASE_URL"].replace("@db:", "@127.0.0.1:")
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(url))
    time.sleep(3)
    for connection in held:
        connection.close()


def database_ahead(containers):
    """The database is of tomorrow for some seconds, and then of today again; web and workers are of today."""
    for more in (TOMORROW, {}):
        containers.stop("db", 3)
        containers.start("db", environment=more)
        time.sleep(6)


def restore(containers):
    """A backup is made, and its restoring refused: there are patients."""
    file = "/srv/backups/under-load.backup"
    containers.run_once("operator", "python", "manage.py", "backup", file)
    try:
        containers.run_once("operator", "python", "manage.py", "restore", file)
    except Failed as refusal:
        if "patients" not in str(refusal):
            raise
    else:
        raise Failed("a backup was restored over patients")


FAULTS = {
    "nothing": nothing,
    "postmaster killed": killed("db"),
    "backend killed": backend,
    "Redis killed": killed("broker", 2),
    "worker killed": killed("worker"),
    "jobs killed": killed("jobs"),
    "beat killed": killed("beat"),
    "two beats": two_beats,
    "web killed": killed("web"),
    "a web process killed": web_process,
    "disk full for 3 s": disk,
    "connections exhausted for 3 s": connections,
    "database 26 h ahead, and back": database_ahead,
    "backup and restore": restore,
}

ENROL = f"""
import datetime, json
from django.db import transaction
from registry.services.entry import patients
from sites.models import Site, User
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
site, access = Site.objects.get(code="S01"), access_of(User.objects.get(email="coordinator@demo.example"))
numbers = []
with entered(access.scope()), transaction.atomic():
    for day in range({PATIENTS}):
        born = (datetime.date(1940, 1, 1) + datetime.timedelta(days=3 * day)).isoformat()
        raw = {{"sex": "female", "birth_date": born, "consent_date": "2026-01-10"}}
        today = datetime.date.today()
        numbers.append(patients.enrol(access=access, site=site, raw=raw, consented=True, today=today).pk)
print(json.dumps(numbers))
"""
COUNT = """
import json
from django.db import connection, transaction
from sites.tenancy.scope import everything
with everything(), transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("SELECT patient_id, timepoint_id FROM registry_assessment")
    stored = cursor.fetchall()
    cursor.execute("SELECT new->>'patient_id', new->>'timepoint_id' FROM study_sites_auditevent "
                   "WHERE table_name = 'registry_assessment' AND action = 'insert'")
    print(json.dumps([stored, cursor.fetchall()]))
"""


def tried(containers, password):
    """Every fault in turn, as rows of a table. Raises Failed where a form was lost, doubled or refused."""
    forms = [(patient, timepoint) for patient in shell(containers, ENROL) for timepoint in TIMEPOINTS]
    print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}", flush=True)
    bad = []
    for name, fault in FAULTS.items():
        people = [Person("coordinator@demo.example", password) for _ in range(PEOPLE)]
        load = under_load(containers, people, forms, fault, SECONDS)
        stored, inserted = ({tuple(row): rows.count(row) for row in rows} for rows in shell(containers, COUNT))
        saved = {form for form, status in load.ends.items() if status == 302}
        lost, doubled = len(saved - set(stored)), sum(inserted.get(form, 0) > 1 for form in load.ends)
        errors = len(load.ends) - len(saved)
        cells = (name, len(load.ends), len(saved), errors, lost, doubled, f"{load.longest:.1f} s")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        bad += [name] if errors or lost or doubled or not saved else []
    until(lambda: well(containers), "an installation in which nothing is wrong", 150)
    if bad:
        raise Failed(f"forms were lost, doubled or refused: {', '.join(bad)}")


def shell(containers, code):
    return json.loads(
        containers.run_once("web", "python", "manage.py", "shell", "-v", "0", "-c", code).splitlines()[-1]
    )


def well(containers):
    return podman("exec", PREFIX + "web", "python", "manage.py", "doctor", check=False).returncode == 0
