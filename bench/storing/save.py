"""Saving an assessment, by form and by API, new and corrected, against a bare view that inserts the same row unchecked.

    bin/bench save [--rounds 5] [--write]

4 connections, 100 000 assessments stored. The kinds take turns in each round; of the rounds the middle one counts.
The list of patients whose outcomes are awaited is emptied 50 times a second, as by a worker with little to do: the next
save sends a message. Limits: a new form at least 0.5 times the bare rate, a correction 0.38 times, and the API's writes
0.95 times those of the form.
"""

import argparse
import random
import statistics
import threading
import time
from contextlib import contextmanager

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving
from bench.shared.tables import markdown, put
from bench.transfer.export import memory

STORED = 100_000
CONNECTIONS = 4
SAVES = 150  # for each connection, in each of the rounds
ROUNDS = 5
LIMITS = {  # kind: (against which, at least)
    "form": ("bare", 0.5),
    "form corrected": ("bare", 0.38),
    "api": ("form", 0.95),
    "api corrected": ("form corrected", 0.95),
}
EMPTIED = 50  # times a second


def answers(chance):
    """Answers that no soft check asks about: a question is another page, not a save."""
    from registry.instruments import catalogue, checks

    while True:
        given = _drawn(chance)
        clean = {item.name: item.clean(given[item.name]) for item in catalogue.items(catalogue.ASSESSMENT)}
        if not checks.warnings(clean):
            return given


def _drawn(chance):
    from registry.instruments import catalogue

    given = {}
    for item in catalogue.items(catalogue.ASSESSMENT):
        codes = [choice.code for choice in item.form_choices]
        given[item.name] = str(chance.choice(codes) if codes else chance.randint(item.minimum, item.maximum))
    return given


def rate(visitors, jobs):
    """Requests a second when each visitor does its own jobs: lists of arguments of `Visitor.request`."""
    failures = []

    def work(visitor, todo):
        for job in todo:
            status, body = visitor.request(*job)
            if status not in (200, 201, 302):
                failures.append((status, body[:400]))

    for visitor in visitors:
        visitor.connection.close()  # the server may have closed it while the others had their turn; opened anew by use
    threads = [threading.Thread(target=work, args=pair) for pair in zip(visitors, jobs, strict=True)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} saves failed, the first with {failures[0]}")
    return sum(map(len, jobs)) / (time.perf_counter() - started)


@contextmanager
def list_emptied():
    from django.core.cache import cache

    from registry.tasks import AWAITED, MANY

    done = threading.Event()

    def empty():
        while not done.wait(1 / EMPTIED):
            cache.take(AWAITED, MANY)

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def form(row, given, version=""):
    """The request that enters or corrects a form: `row` is (patient, timepoint, day)."""
    patient, timepoint, day = row
    fields = given | {"assessment_date": day.isoformat(), "version": version, "complete": "1"}
    if version:
        fields["reason"] = "misread"
    return "POST", f"/patients/{patient}/assessments/{timepoint}/", fields


def api(row, given, version=""):
    """The same by API."""
    from registry.instruments import catalogue

    patient, timepoint, day = row
    values = {item.name: item.clean(given[item.name]) for item in catalogue.items(catalogue.ASSESSMENT)}
    values |= {"assessment_date": day.isoformat(), "complete": True}
    if not version:
        return "POST", "/api/v1/assessments", values | {"patient_id": patient, "timepoint": timepoint}
    values["reason"] = "misread"
    return "PATCH", f"/api/v1/assessments/{patient}/{timepoint}", values, {"If-Match": f'"{version}"'}


def bare(row, given):
    patient, timepoint, day = row
    more = {"patient_id": patient, "timepoint": timepoint, "assessment_date": day.isoformat()}
    return "POST", "/bare/", given | more


def rounds(patients, visitors, count):
    """{kind: [requests a second of each round]}; `patients` has for each visitor (patient, day of surgery), …"""
    from datetime import timedelta

    chance = random.Random(1)
    rates = {"bare": [], **{kind: [] for kind in LIMITS}}
    for turn in range(count):
        chosen = [some[turn * SAVES : (turn + 1) * SAVES] for some in patients]
        rows = {
            timepoint: [[(pk, timepoint, day + timedelta(days=days)) for pk, day in some] for some in chosen]
            for timepoint, days in (("3m", 91), ("6m", 182))
        }
        for kind, timepoint, request in (("form", "3m", form), ("api", "6m", api)):
            new = [[(row, answers(chance)) for row in some] for some in rows[timepoint]]
            rates["bare"].append(rate(visitors["bare"], [[bare(*arguments) for arguments in some] for some in new]))
            rates[kind].append(rate(visitors[kind], [[request(*arguments) for arguments in some] for some in new]))
            versions = stored_versions(chosen, timepoint)
            again = [[request(row, answers(chance), versions[row[0]]) for row in some] for some in rows[timepoint]]
            rates[f"{kind} corrected"].append(rate(visitors[kind], again))
        if set(stored_versions(chosen, "3m").values()) != {2} or set(stored_versions(chosen, "6m").values()) != {2}:
            raise RuntimeError("a save or a correction is lost")
    return rates


def stored_versions(chosen, timepoint):
    """{patient: version of the assessment}, of all patients chosen. RuntimeError where there is none."""
    from django.db import transaction

    from registry.models import Assessment
    from sites.tenancy.scope import everything

    ids = [pk for some in chosen for pk, _day in some]
    with everything(), transaction.atomic():
        stored = Assessment.objects.filter(patient_id__in=ids, timepoint_id=timepoint)
        versions = dict(stored.values_list("patient_id", "version"))
    if len(versions) != len(ids):
        raise RuntimeError("a save is lost")
    return versions


def token_of(user):
    """The text of a token by which a coordinator enters."""
    from datetime import timedelta

    from django.utils import timezone

    from sites.people import tokens
    from sites.tenancy.access import access_of

    expires = timezone.now() + timedelta(days=1)
    return tokens.issue(access=access_of(user), user=user, name="bench", scopes=["write"], expires_at=expires).text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    with registry_of(int(STORED / 1.87)):
        from django.db import connections, transaction

        from registry.models import Assessment, Patient
        from sites.models import Site
        from sites.tenancy.scope import everything

        with connections["owner"].cursor() as owner:
            # The same columns with nothing attached: no keys, no constraints, no generated columns.
            owner.execute("CREATE UNLOGGED TABLE bench_bare (LIKE registry_assessment)")
            owner.execute("ALTER TABLE bench_bare SET LOGGED")
            for (column,) in _required(owner):
                owner.execute(f"ALTER TABLE bench_bare ALTER {column} DROP NOT NULL")
            owner.execute(f"GRANT SELECT, INSERT ON bench_bare TO {connections['default'].settings_dict['USER']}")
        sites = list(Site.objects.order_by("code")[:CONNECTIONS])
        with everything(), transaction.atomic():
            stored = Assessment.objects.count()
            patients = [
                list(Patient.objects.filter(site=site).values_list("pk", "surgery_date")[: SAVES * options.rounds])
                for site in sites
            ]
        with serving() as (port, process), list_emptied():
            people = [person("coordinator", site) for site in sites]
            with everything(), transaction.atomic():
                tokens = [token_of(user) for user in people]
            visitors = {
                "bare": [Visitor(port) for _ in sites],
                "form": [Visitor(port, user) for user in people],
                "api": [Visitor(port, token=token) for token in tokens],
            }
            rates = rounds(patients, visitors, options.rounds)
            megabytes = memory(process)
    print(f"{stored:,} assessments stored, {CONNECTIONS} connections; memory of the web server {megabytes:.0f} MB")
    if options.write:
        put("save", table(rates))
    return printed(rates)


def table(rates):
    """The table of docs/performance.md: smallest, middle and largest rate of each kind, and what it is of its peer."""
    rows = []
    for kind, each in rates.items():
        peer, least = LIMITS.get(kind, ("", ""))
        ratio = f"{statistics.median(each) / statistics.median(rates[peer]):.2f} of {peer}" if peer else ""
        range_of = [f"{rate:.0f}" for rate in (min(each), statistics.median(each), max(each))]
        rows.append([kind, *range_of, ratio, str(least)])
    return markdown(["requests a second", "min", "median", "max", "ratio", "at least"], rows)


def printed(rates):
    """Print the middle rate of each kind, and its range; returns 1 where a limit is missed."""
    # Of rounds that take turns, the middle one: neither a lucky nor a disturbed one decides.
    middle = {kind: statistics.median(each) for kind, each in rates.items()}
    missed = 0
    for kind, each in rates.items():
        print(f"{kind:<16} {middle[kind]:6.0f} requests a second ({min(each):.0f} to {max(each):.0f})", end="")
        if kind in LIMITS:
            peer, least = LIMITS[kind]
            ratio = middle[kind] / middle[peer]
            missed += ratio < least
            print(f"  {ratio:.2f} of {peer} (at least {least}){' missed' if ratio < least else ''}", end="")
        print()
    return 1 if missed else 0


def _required(cursor):
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'bench_bare'::regclass AND attnotnull AND attnum > 0"
    )
    return cursor.fetchall()


if __name__ == "__main__":
    raise SystemExit(main())
