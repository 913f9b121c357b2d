"""Fifty coordinators at once, each without a pause, at 100 000 patients against 413: requests answered a second.

    bin/bench coordinators [--patients 413 100000] [--seconds 20]

Each opens the start page, the list of patients, a patient and a form of a later visit, saves that, and goes on with the
next patient of the site. Limit: at the largest at least 0.8 times the requests of the smallest; exit 1 below it. Beside
it stands what each kind of request takes in the middle, and the memory of the web and the database server's processes.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from itertools import product

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving
from bench.storing.save import answers, form
from bench.transfer.export import memory

PEOPLE, AT_LEAST = 50, 0.8
VISITS = (("3m", 91), ("6m", 182), ("12m", 365), ("24m", 730))
KINDS = ("start", "list", "patient", "form", "save")


def day_of(visitor, patients, chance, until, taken):
    """Work through `patients` until a moment: (kind, seconds) of each request goes to `taken`."""
    from datetime import timedelta

    for (visit, days), (patient, operated) in product(VISITS, patients):
        fields = form((patient, visit, operated + timedelta(days=days)), answers(chance))[2]
        address = f"/patients/{patient}/assessments/{visit}/"
        steps = (("start", "/"), ("list", "/patients/"), ("patient", f"/patients/{patient}/"), ("form", address))
        for kind, path in (*steps, ("save", address)):
            if time.perf_counter() > until:
                return
            started = time.perf_counter()
            status, body = visitor.post(path, fields) if kind == "save" else visitor.get(path)
            if status != (302 if kind == "save" else 200):
                raise RuntimeError(f"{kind} of {patient}: {status} {body[:200]}")
            taken.append((kind, time.perf_counter() - started))


def measure(count, seconds):
    """Requests a second, the middle time of each kind in milliseconds, and megabytes of the web server."""
    with registry_of(count):
        from django.db import transaction

        from bench.serving.pages import catch_up
        from registry.models import Patient
        from sites.models import Site
        from sites.tenancy.scope import everything

        catch_up()
        sites = list(Site.objects.order_by("code")[:PEOPLE])
        with everything(), transaction.atomic():
            of_site = [
                list(Patient.objects.filter(site=site).values_list("pk", "surgery_date")[:500]) for site in sites
            ]
        with serving() as (port, process):
            visitors = [Visitor(port, person("coordinator", site)) for site in sites]
            for visitor in visitors:  # everything loaded, each page once
                visitor.get("/")
            taken, until = [], time.perf_counter() + seconds
            threads = [
                threading.Thread(target=day_of, args=(visitor, patients, random.Random(place), until, taken))
                for place, (visitor, patients) in enumerate(zip(visitors, of_site, strict=True))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            megabytes = memory(process)
    of_kind = {kind: [seconds for of, seconds in taken if of == kind] for kind in KINDS}
    middle = {kind: 1000 * statistics.median(times) for kind, times in of_kind.items() if times}
    return len(taken) / seconds, middle, megabytes


def in_its_own_process(count, seconds):
    """A process has one database."""
    command = [sys.executable, __file__, "--one", str(count), "--seconds", str(seconds)]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[413, 100_000])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.seconds)))
        return 0
    rates = []
    for count in sorted(options.patients):
        rate, middle, megabytes = in_its_own_process(count, options.seconds)
        rates.append(rate)
        times = ", ".join(f"{kind} {ms:.0f}" for kind, ms in middle.items())
        print(
            f"{count:>9,} patients {rate:7.1f} requests a second   milliseconds: {times}   {megabytes:.0f} MB",
            flush=True,
        )
    ratio = rates[-1] / rates[0]
    print(f"ratio {ratio:.2f}   (at least {AT_LEAST})")
    return 0 if ratio >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
