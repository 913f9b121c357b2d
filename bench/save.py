"""Saving an assessment over HTTP against a bare view that inserts the same row with no checks at all.

4 connections, 100 000 assessments stored. Limit: at least 0.4 times the bare rate. The list of patients whose
outcomes are awaited is emptied 50 times a second, as by a worker with little to do: the next save sends a message.
"""

import random
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.scratch import registry_of  # noqa: E402
from bench.server import Visitor, person, serving  # noqa: E402

STORED = 100_000
CONNECTIONS = 4
SAVES = 150  # for each connection, in each of the rounds
ROUNDS = 6
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
    """Requests a second when each visitor does its own jobs: lists of (path, fields)."""
    failures = []

    def work(visitor, todo):
        for path, fields in todo:
            status, body = visitor.post(path, fields)
            if status not in (200, 302):
                failures.append((status, body[:200]))

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


def main():
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
                list(Patient.objects.filter(site=site).values_list("pk", "surgery_date")[: SAVES * ROUNDS])
                for site in sites
            ]
        chance = random.Random(1)
        with serving() as (port, _), list_emptied():
            signed_in = [Visitor(port, person("coordinator", site)) for site in sites]
            anonymous = [Visitor(port) for _ in sites]
            rates = {"save": [], "bare": []}
            for turn in range(ROUNDS):
                chosen = [some[turn * SAVES : (turn + 1) * SAVES] for some in patients]
                saves = [[_save(pk, day, answers(chance)) for pk, day in some] for some in chosen]
                bare = [[("/bare/", _keys(path) | fields) for path, fields in todo] for todo in saves]
                rates["bare"].append(rate(anonymous, bare))
                rates["save"].append(rate(signed_in, saves))
        with everything(), transaction.atomic():
            added = Assessment.objects.count() - stored
        assert added == sum(len(some) for some in patients), "a save is lost"
        # Of rounds that take turns, the middle one: neither a lucky nor a disturbed one decides.
        middle = {name: statistics.median(middle) for name, middle in rates.items()}
        print(f"{stored:,} assessments stored, {CONNECTIONS} connections, {added:,} saves")
        print(f"bare insert view   {middle['bare']:8.0f} requests a second")
        print(f"saving a form      {middle['save']:8.0f} requests a second")
        print(f"ratio              {middle['save'] / middle['bare']:8.2f}   (limit: at least 0.40)")


def _required(cursor):
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'bench_bare'::regclass AND attnotnull AND attnum > 0"
    )
    return cursor.fetchall()


def _save(patient, day, given):
    from datetime import timedelta

    return f"/patients/{patient}/assessments/3m/", given | {
        "assessment_date": (day + timedelta(days=91)).isoformat(),
        "version": "",
        "complete": "1",
    }


def _keys(path):
    return {"patient_id": path.split("/")[2], "timepoint": "3m"}


if __name__ == "__main__":
    main()
