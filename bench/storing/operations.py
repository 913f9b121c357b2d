"""Operations: `doctor`, a probe, a save without the broker, two web hosts against one, and doing nothing; in one run.

    bin/bench operations [--patients 20000] [--idle 300]

doctor  the whole command, start included: seconds, at most 2, and processor time
probe   processor time of the web process for one /health/ready: at most 5 ms
save    median time of a form that is saved over HTTP without Redis against with it, in turn: at most 1.2 times
hosts   answers a second of two web hosts of one process each against one host of two, in turn: at least 0.95
idle    processor time of web, both workers, beat and PostgreSQL while nobody does anything: less than 1 % of a core
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from bench.shared.scratch import registry_of
from bench.shared.server import PROJECT, Visitor, person, serving

PROBES, SAVES, WARM_UP = 300, 150, 10
ASKING, ROUNDS, ROUND_SECONDS = 8, 4, 3
DONE_ONCE = ("registry_utility", "registry_change")  # filled by the first sweep
ANSWERS = {"frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60", "version": ""}
NOBODY = "redis://127.0.0.1:9/0"  # a port on which nobody listens


def doctor():
    """(seconds, seconds of processor time) of the quickest of three runs, with what every installation has compiled."""
    runs = []
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = {"args": [sys.executable, "manage.py", "doctor"], "cwd": PROJECT, "env": environment}
        for _ in range(4):  # the first compiles
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(**command, stdout=subprocess.DEVNULL, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            runs.append((time.perf_counter() - began, spent))
    return min(runs)


def spent_by(process):
    """Seconds of processor time of a process and its children, so far, those that ended included."""
    import psutil

    top = psutil.Process(process.pid)
    return sum(top.cpu_times()[:4]) + sum(sum(child.cpu_times()[:4]) for child in top.children(recursive=True))


def probe():
    """Milliseconds of processor time of the web server for one probe."""
    with serving(workers=1, settings="registry.settings") as (port, process):
        visitor = Visitor(port)
        for _ in range(WARM_UP):
            visitor.get("/health/ready")
        before = spent_by(process)
        answers = {visitor.get("/health/ready") for _ in range(PROBES)}
        assert {status for status, _body in answers} == {200}, answers
        return 1000 * (spent_by(process) - before) / PROBES


def saves(site, patients):
    """(median milliseconds with the broker, without): each patient's form at one visit with, at the next without."""
    times = {"with": [], "without": []}
    user = person("coordinator", site)
    with serving() as (port, _process):
        own = os.environ["REDIS_URL"]
        os.environ["REDIS_URL"] = NOBODY
        with serving() as (lonely, _process):
            os.environ["REDIS_URL"] = own
            visitors = {"with": (Visitor(port, user), "6m"), "without": (Visitor(lonely, user), "12m")}
            for turn, patient in enumerate(patients):
                for what, (visitor, timepoint) in visitors.items():
                    path = f"/patients/{patient}/assessments/{timepoint}/"
                    began = time.perf_counter()
                    status, _body = visitor.post(path, ANSWERS | {"assessment_date": str(date(2026, 1, 11))})
                    assert status in (200, 302, 409, 422), status
                    if turn >= WARM_UP and status == 302:
                        times[what].append(1000 * (time.perf_counter() - began))
    assert min(map(len, times.values())) > 20, {what: len(taken) for what, taken in times.items()}
    return tuple(statistics.median(taken) for taken in times.values())


def hosts(user):
    """(answers a second of one host of two processes, of two hosts of one each): medians of rounds in turn."""
    rates = {"one": [], "two": []}
    with serving() as (both, _a), serving(workers=1) as (first, _b), serving(workers=1) as (second, _c):
        ports = {"one": [both] * ASKING, "two": [first, second] * (ASKING // 2)}
        visitors = {what: [Visitor(port, user) for port in those] for what, those in ports.items()}
        for turn in range(ROUNDS + 1):
            for what, those in visitors.items():
                rate = answers_a_second(those)
                if turn:  # the first loads what is loaded once
                    rates[what].append(rate)
    return tuple(statistics.median(taken) for taken in rates.values())


def answers_a_second(visitors):
    until = time.perf_counter() + ROUND_SECONDS

    def ask(visitor):
        answered = 0
        while time.perf_counter() < until:
            status, _body = visitor.get("/patients/")
            assert status == 200, status
            answered += 1
        return answered

    with ThreadPoolExecutor(len(visitors)) as pool:
        return sum(pool.map(ask, visitors)) / ROUND_SECONDS


def settle():
    """Wait for what is done once: outcomes of those who came in, first counts of a large registry, vacuum."""
    from django.db import connection, connections, transaction

    from registry.health import heartbeats

    def first_counts_done():
        with transaction.atomic():
            return heartbeats.TASK + "keep_counts" in heartbeats.all_of_them()

    while not first_counts_done():
        time.sleep(5)
    connection.close()
    with connections["owner"].cursor() as cursor:
        for table in DONE_ONCE:
            cursor.execute(f"VACUUM ANALYZE {table}")
    connections["owner"].close()
    time.sleep(30)


def idle(seconds):
    """{part: the share of a core that it takes} while nobody does anything."""
    from registry.embedded import postgres
    from registry.embedded.place import place_for

    place = place_for(os.environ["METASPINE_DATA"])
    command = [sys.executable, "-m", "celery", "-A", "registry"]
    schedule = str(place.data / "bench.schedule")
    parts = {
        "worker": ["worker", "--queues", "urgent", "-c", "1", "-l", "ERROR"],
        "jobs": ["worker", "--queues", "jobs,figures", "-c", "2", "-l", "ERROR"],
        "beat": ["beat", "-l", "ERROR", "--pidfile=", "--schedule", schedule],
    }
    with serving(settings="registry.settings") as (_port, web):
        running = {
            name: subprocess.Popen([*command, *part], cwd=PROJECT, stdout=subprocess.DEVNULL)
            for name, part in parts.items()
        }
        try:
            settle()
            everybody = {"PostgreSQL": postgres.running(place), "web": web, **running}
            before = {name: spent_by(process) for name, process in everybody.items()}
            time.sleep(seconds)
            return {name: (spent_by(process) - before[name]) / seconds for name, process in everybody.items()}
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait(60)


def without_forms():
    """(a site, its patients who have no form at either visit)."""
    from django.db import transaction

    from registry.models import Patient
    from sites.models import Site
    from sites.tenancy.scope import everything

    site = Site.objects.order_by("code").first()
    with everything(reason="benchmark"), transaction.atomic():
        free = Patient.objects.filter(site=site, vital_status="alive")
        free = free.exclude(assessments__timepoint__in=["6m", "12m"]).order_by("pk")
        return site, list(free.values_list("pk", flat=True)[: SAVES + WARM_UP])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--idle", type=int, default=0, help="only what so many seconds cost in which nobody asks")
    options = parser.parse_args()
    with registry_of(options.patients):
        return 0 if (stays_idle(options.idle) if options.idle else stays_within()) else 1


def stays_idle(seconds):
    shares = idle(seconds)
    parts = ", ".join(f"{name} {100 * share:.2f}" for name, share in shares.items())
    print(f"idle {100 * sum(shares.values()):.2f} % of a core ({parts}), to stay below 1 %")
    return sum(shares.values()) < 0.01


def stays_within():
    seconds, spent = doctor()
    milliseconds = probe()
    with_broker, without = saves(*without_forms())
    single, two = hosts(person("data_manager"))
    print(f"doctor {seconds:.2f} s ({spent:.2f} s of processor time), to stay within 2 s")
    print(f"probe {milliseconds:.2f} ms of processor time, to stay within 5 ms")
    print(f"save {with_broker:.1f} ms, with the broker away {without:.1f} ms")
    print(f"ratio {without / with_broker:.2f}, to stay within 1.2")
    print(f"one host {single:.0f} answers a second, two hosts {two:.0f}: ratio {two / single:.2f}, to be at least 0.95")
    return seconds <= 2 and milliseconds <= 5 and without <= 1.2 * with_broker and two >= 0.95 * single


if __name__ == "__main__":
    raise SystemExit(main())
