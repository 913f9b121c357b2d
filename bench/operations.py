"""Operations: `doctor`, a health probe, and a save with the broker away against one with it, in one run.

    python -m bench.operations [--patients 2000]

doctor  the whole command, start included: seconds, at most 2, and processor time
probe   processor time of the web process for one /health/ready: at most 5 ms
save    median time of a form that is saved over HTTP without Redis against with it, in turn: at most 1.2 times
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.scratch import registry_of
from bench.server import PROJECT, Visitor, person, serving

PROBES, SAVES, WARM_UP = 300, 150, 10
ANSWERS = {"frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60", "version": ""}
NOBODY = "redis://127.0.0.1:9/0"  # a port on which nobody listens


def doctor():
    """(seconds, seconds of processor time) of the quickest of three runs."""
    runs = []
    for _ in range(3):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "manage.py", "doctor"], cwd=PROJECT, stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs.append((time.perf_counter() - began, spent))
    return min(runs)


def spent_by(process):
    """Seconds of processor time of a process and its children, so far."""
    import psutil

    top = psutil.Process(process.pid)
    return sum(sum(one.cpu_times()[:2]) for one in (top, *top.children(recursive=True)))


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    with registry_of(parser.parse_args().patients):
        seconds, spent = doctor()
        milliseconds = probe()
        with_broker, without = saves(*without_forms())
    print(f"doctor {seconds:.2f} s ({spent:.2f} s of processor time), to stay within 2 s")
    print(f"probe {milliseconds:.2f} ms of processor time, to stay within 5 ms")
    print(f"save {with_broker:.1f} ms, with the broker away {without:.1f} ms")
    print(f"ratio {without / with_broker:.2f}, to stay within 1.2")
    return 0 if seconds <= 2 and milliseconds <= 5 and without <= 1.2 * with_broker else 1


if __name__ == "__main__":
    raise SystemExit(main())
