"""Faults under load: what becomes of forms that people save while a part is killed, filled up, doubled.

    bin/bench faults [--seconds 6] [--only redis]

PostgreSQL, Redis, two web processes, a worker and a beat run; eight people save one form after the other. Whoever is
answered 503, or not at all, sends again. For each fault: forms that were sent, those acknowledged, those that ended
with another answer, those acknowledged and not there, those there twice; and how long somebody waited for one at most.
The disk is filled where TMPDIR lies on a small one (a tmpfs of 3 GB); the clock needs faketime.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException

from bench.shared.scratch import registry_of
from bench.shared.server import PROJECT, Visitor, person, serving

PEOPLE, PATIENCE = 8, 90
AGAIN = (0, 502, 503)  # no answer, a proxy without its server, a server without its database
SMALL = 8 << 30  # bytes of a disk that may be filled
ANSWERS = {"frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60", "version": ""}
TIMEPOINTS = ("3m", "6m", "12m", "24m")


@dataclass
class Load:
    """People who save until they are told to stop; `ends` is what each form ended with: its last status."""

    visitors: list  # `post(path, fields)` returns (status, body), `close()` after an OSError
    forms: list
    ends: dict = field(default_factory=dict)
    longest: float = 0.0

    def __post_init__(self):
        self.over, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._save, args=(visitor,)) for visitor in self.visitors]

    def _next(self):
        with self.lock:
            return self.forms.pop() if self.forms else None

    def _save(self, visitor):
        while not self.over.is_set() and (form := self._next()):
            began = time.monotonic()
            status = self._sent(visitor, *form)
            self.ends[form] = status
            self.longest = max(self.longest, time.monotonic() - began)

    def _sent(self, visitor, patient, timepoint):
        path, until, again = f"/patients/{patient}/assessments/{timepoint}/", time.monotonic() + PATIENCE, False
        while True:
            try:
                status, _body = visitor.post(path, ANSWERS | {"assessment_date": "2026-01-11"})
            except (OSError, HTTPException):
                visitor.close()
                status = 0
            if status == 409 and again:  # it was stored, and the answer was lost with who gave it
                return 302
            if status not in AGAIN or time.monotonic() > until:
                return status
            again = True
            time.sleep(0.25)


class Installation:
    """The parts, as processes of this machine."""

    def __init__(self, port, web):
        from registry.embedded.place import place_for

        self.place, self.port, self.web = place_for(os.environ["METASPINE_DATA"]), port, web
        self.parts = {}
        for name in ("worker", "beat"):
            self.start(name)

    def start(self, name, kind=None, before=()):
        kind = kind or name
        options = {
            "worker": ["-c", "1"],
            "beat": ["--schedule", str(self.place.data / f"{name}.schedule"), "--pidfile="],
        }[kind]
        command = [*before, sys.executable, "-m", "celery", "-A", "registry", kind, "-l", "ERROR", *options]
        self.parts[name] = subprocess.Popen(
            command, cwd=PROJECT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self, name):
        process = self.parts.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def bring_back(self):
        """Start what does not run of PostgreSQL and Redis."""
        from registry.embedded.services import ensure

        ensure(self.place)


# What is done while people save. Each gets the Installation, and leaves everything running.


def nothing(there):
    time.sleep(1)


def postmaster(there):
    from registry.embedded import postgres

    postgres.running(there.place).kill()
    time.sleep(1)
    there.bring_back()


def backend(there):
    from registry.embedded import postgres

    children = postgres.running(there.place).children()
    next(child for child in children if "metaspine_app" in " ".join(child.cmdline())).kill()


def redis(there):
    from registry.embedded import broker

    broker.running(there.place).kill()
    time.sleep(2)
    there.bring_back()


def worker(there):
    there.kill("worker")
    time.sleep(1)
    there.start("worker")


def beat(there):
    there.kill("beat")
    time.sleep(1)
    there.start("beat")


def two_beats(there):
    there.start("second", "beat")
    time.sleep(4)
    there.kill("second")


def web_process(there):
    import psutil

    psutil.Process(there.web.pid).children()[0].kill()


def disk(there):
    """Room is gone for three seconds; only where the data lie on a small disk of their own."""
    filler = there.place.data / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while True:
            file.write(b"\0" * (1 << 20))
    time.sleep(3)
    filler.unlink()
    there.bring_back()


def connections(there):
    import psycopg

    held, url = [], os.environ["OWNER_DATABASE_URL"]
    with suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(url))
    time.sleep(3)
    for fault in held:
        fault.close()


def clock(there):
    """Worker and beat are of tomorrow: 26 hours ahead of the database and of the web processes."""
    for name in ("worker", "beat"):
        there.kill(name)
        there.start(name, before=["faketime", "-f", "+26h"])
    time.sleep(4)
    for name in ("worker", "beat"):
        there.kill(name)
        there.start(name)


def restore(there):
    """A backup is made, and its restoring refused: there are patients."""
    path = there.place.data / "under-load.backup"
    for command, status in (("backup", 0), ("restore", 1)):
        done = subprocess.run(
            [sys.executable, "manage.py", command, str(path)], cwd=PROJECT, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr.decode()[-500:]
    path.unlink()


TITLES = ("fault", "sent", "saved", "errors", "lost", "doubled", "longest wait")
FAULTS = {
    "nothing": nothing,
    "postmaster killed": postmaster,
    "backend killed": backend,
    "Redis killed": redis,
    "worker killed": worker,
    "beat killed": beat,
    "two beats": two_beats,
    "a web process killed": web_process,
    "disk full for 3 s": disk,
    "connections exhausted for 3 s": connections,
    "worker and beat 26 h ahead": clock,
    "backup and restore": restore,
}


def lacking(name):
    """What this machine lacks for a fault, or nothing."""
    if name.startswith("disk") and shutil.disk_usage(os.environ["METASPINE_DATA"]).total > SMALL:
        return "its disk is large"
    return "no faketime" if "ahead" in name and not shutil.which("faketime") else ""


def counted(load):
    """(acknowledged and not there, there twice)"""
    from django.db import connection, transaction

    connection.close()  # it may have died with its server

    from sites.tenancy.scope import everything

    with everything(reason="benchmark"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT patient_id, timepoint_id FROM registry_assessment")
        stored = set(cursor.fetchall())
        cursor.execute(
            "SELECT new->>'patient_id', new->>'timepoint_id' FROM study_sites_auditevent "
            "WHERE table_name = 'registry_assessment' AND action = 'insert'"
        )
        inserted = [row for row in cursor.fetchall() if row in load.ends]
    acknowledged = {form for form, status in load.ends.items() if status == 302}
    return len(acknowledged - stored), len(inserted) - len(set(inserted))


def under_load(there, visitors, forms, fault, seconds):
    """The Load of people who save before, while and after `fault(there)`."""
    load = Load(visitors, forms)
    for thread in load.threads:
        thread.start()
    time.sleep(seconds / 3)
    fault(there)
    time.sleep(2 * seconds / 3)
    load.over.set()
    for thread in load.threads:
        thread.join()
    return load


@contextmanager
def installed():
    with serving(workers=2, settings="registry.settings") as (port, web):
        there = Installation(port, web)
        try:
            yield there
        finally:
            for name in list(there.parts):
                there.kill(name)


def working():
    """Whether worker and beat show life."""
    from django.db import transaction

    from registry.health import heartbeats

    with transaction.atomic():
        return {heartbeats.BEAT, heartbeats.QUEUE + "urgent"} <= set(heartbeats.all_of_them())


def free_forms():
    """Every form of a patient of the first site that was not entered yet, and the site."""
    from django.db import transaction

    from registry.models import Patient
    from sites.models import Site
    from sites.tenancy.scope import everything

    site = Site.objects.order_by("code").first()
    with everything(reason="benchmark"), transaction.atomic():
        alive = Patient.objects.filter(site=site, vital_status="alive").order_by("pk").values_list("pk", flat=True)
        return site, [(patient, timepoint) for patient in alive for timepoint in TIMEPOINTS]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--patients", type=int, default=60_000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    good = True
    with registry_of(options.patients):
        site, forms = free_forms()
        people = [person("coordinator", site) for _ in range(PEOPLE)]
        print(
            "| fault | sent | saved | errors | lost | doubled | longest wait |\n|---|---|---|---|---|---|---|",
            flush=True,
        )
        with installed() as there:
            while Visitor(there.port).get("/health/ready")[0] != 200 or not working():
                time.sleep(0.5)
            for name, fault in FAULTS.items():
                if options.only.lower() not in name.lower():
                    continue
                if reason := lacking(name):
                    print(f"| {name} | not tried: {reason} |", flush=True)
                    continue
                visitors = [Visitor(there.port, user) for user in people]
                load = under_load(there, visitors, forms, fault, options.seconds)
                saved = list(load.ends.values()).count(302)
                lost, doubled = counted(load)
                sent = len(load.ends)
                print(
                    f"| {name} | {sent} | {saved} | {sent - saved} | {lost} | {doubled} | {load.longest:.1f} s |",
                    flush=True,
                )
                good = good and not (lost or doubled or sent - saved)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
