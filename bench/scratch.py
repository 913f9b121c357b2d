"""A scratch registry of any size for the benchmarks, written by set-based SQL; synthetic throughout.

Benchmarks run by `bin/bench NAME` in a temporary embedded database. Each prints ratios of things measured in one run.
"""

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SITES = 38
TIMEPOINTS = ("preop", "1m", "3m", "6m", "12m", "24m")


def django():
    """Set Django up for a script and bring the database's schema up to date."""
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
    import django as framework

    framework.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def items_sql(items):
    """Item name to SQL that draws a random value of it."""
    sql = {}
    for item in items:
        if item.kind == "levels":
            # One to three consecutive levels, as a bit mask.
            sql[item.name] = "((1 << (1 + (random() * 2)::int)) - 1) << (random() * 22)::int"
        elif item.choices:
            codes = ", ".join(f"'{code}'" if item.kind == "code" else str(code) for code in item.codes)
            sql[item.name] = f"(ARRAY[{codes}])[1 + floor(random() * {len(item.codes)})::int]"
        elif item.kind == "integer":
            sql[item.name] = f"({item.minimum} + floor(random() * {min(item.maximum, 1000) - item.minimum + 1}))::int"
    return sql


def fill(patients, timepoints=TIMEPOINTS, seed=0.5):
    """Insert `patients` patients over 38 sites, each assessed at `timepoints`. Triggers that keep history are off
    while the rows are written, and the constraints are not."""
    from django.db import connection, connections, transaction

    from registry.models.clinical import ASSESSMENT_ITEMS, PATIENT_ITEMS
    from sites.models import Site
    from sites.scope import everything

    for number in range(1, SITES + 1):
        Site.objects.get_or_create(code=f"S{number:02d}", defaults={"name": f"Benchmark hospital {number} (synthetic)"})
    skipped = {"vital_status", "death_date", "consent_date", "surgery_date", "last_contact_date"}
    patient = items_sql([item for item in PATIENT_ITEMS if item.name not in skipped])
    patient |= {
        "consent_date": "day",
        "surgery_date": "day + 3",
        "last_contact_date": "day + 40 + (random() * 600)::int",
        "vital_status": "'alive'",
        "age_at_surgery": "(40 + random() * 45)::int",
    }
    assessment = items_sql(ASSESSMENT_ITEMS)
    tables = ("registry_patient", "registry_assessment")
    with connections["owner"].cursor() as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    with everything(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT setseed(%s)", [seed])
        cursor.execute(
            f"""INSERT INTO registry_patient (patient_id, site_id, {", ".join(patient)})
            SELECT s.code || '-' || lpad((n / {SITES} + 1)::text, 5, '0'), s.id, {", ".join(patient.values())}
            FROM (SELECT n, date '2018-10-01' + (random() * 900)::int AS day FROM generate_series(0, %s) AS n) AS x
            JOIN (SELECT id, code, row_number() OVER (ORDER BY code) - 1 AS place FROM study_sites_site) AS s
              ON s.place = n %% {SITES}""",
            [patients - 1],
        )
        cursor.execute(
            f"""INSERT INTO registry_assessment (site_id, patient_id, timepoint_id, assessment_date, state,
                {", ".join(assessment)})
            SELECT p.site_id, p.patient_id, t.code, p.surgery_date + t.target_day, 'complete',
                {", ".join(assessment.values())}
            FROM registry_patient AS p CROSS JOIN registry_timepoint AS t WHERE t.code = ANY (%s)""",
            [list(timepoints)],
        )
    with connections["owner"].cursor() as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {table}")


@contextmanager
def timed(label, results):
    """Store the seconds that the block took under `label`."""
    start = time.perf_counter()
    yield
    results[label] = time.perf_counter() - start


def report(title, rows):
    """Print a table of (what, value, limit) rows."""
    print(f"\n{title}")
    width = max(len(what) for what, _, _ in rows)
    for what, value, limit in rows:
        print(f"  {what:<{width}}  {value:>14}  {limit}")
