"""A scratch database with as many synthetic patients as wanted, made by PostgreSQL itself and dropped afterwards.

The server and the roles are those of DATABASE_URL and OWNER_DATABASE_URL; the owner role needs CREATEDB, as it does to
run the tests. Values are random over each scale's range: what they mean does not matter here, how many differ does.
"""

import os
import time
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from django.db import connections, transaction

SITES = 50
LEVELS = 25


def chosen(codes, seed):
    """SQL that picks one of some codes evenly."""
    return f"(ARRAY[{', '.join(repr(str(code)) for code in codes)}])[1 + floor(random() * {len(codes)})::int]"


def number(low, high, share_missing=0.05):
    """SQL for an evenly spread integer, now and then null."""
    return f"CASE WHEN random() >= {share_missing} THEN {low} + floor(random() * {high - low + 1})::int END"


STATE = "CASE WHEN random() < 0.02 THEN 'draft' ELSE 'complete' END"
STORED_AT = "now() - random() * interval '700 days' - interval '1 day'"


# An event for each record as it was stored, by a hundred people; in one of a thousand a value was corrected since.
TRAIL_SQL = """
    INSERT INTO study_sites_auditevent
        (at, site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, new)
    SELECT at, site_id, table_name, row_id, CASE WHEN n % 1000 = 0 THEN 'update' ELSE 'insert' END,
           n % 100, '', '', n, '{"sex": "male"}'
    FROM (SELECT *, row_number() OVER (ORDER BY at) AS n FROM (
        SELECT updated_at AS at, site_id, 'registry_patient' AS table_name, patient_id AS row_id FROM registry_patient
        UNION ALL SELECT updated_at, site_id, 'registry_assessment', id::text FROM registry_assessment
    ) AS stored) AS event ORDER BY n
"""


def patients_sql(count):
    from registry.instruments import catalogue
    from registry.instruments.core.patient import PRIMARY_TUMOURS, PROCEDURES

    points = {
        item.name: chosen(item.codes, 0) + "::int"
        for instrument in (catalogue.TOKUHASHI, catalogue.SINS)
        for item in instrument.items
    }
    values = {
        "patient_id": f"format('B%s-%s', lpad(((i % {SITES}) + 1)::text, 2, '0'), i)",
        "site_id": f"(SELECT array_agg(id ORDER BY id) FROM study_sites_site)[(i % {SITES}) + 1]",
        "sex": chosen(("male", "female"), 0),
        "consent_date": "day",
        "surgery_date": "day + 3",
        "primary_tumour": chosen([choice.code for choice in PRIMARY_TUMOURS], 0),
        "lesion_levels": f"(ARRAY[1, 3, 7, 5])[1 + floor(random() * 4)::int] << floor(random() * {LEVELS - 3})::int",
        "procedure": chosen([choice.code for choice in PROCEDURES], 0),
        "operative_time_min": number(30, 600),
        "blood_loss_ml": number(0, 3000),
        **points,
        "vital_status": "CASE WHEN dead THEN 'dead' ELSE 'alive' END",
        "death_date": "CASE WHEN dead THEN day + 400 END",
        "last_contact_date": "CASE WHEN random() < 0.95 THEN day + 3 + floor(random() * 390)::int END",
        "age_at_surgery": number(20, 95, 0),
        **dict.fromkeys(("baseline_state", "surgery_state"), STATE),
        "updated_at": STORED_AT,
    }
    made = f"""(SELECT i, date '2019-01-01' + (i % 2000) AS day, random() < 0.2 AS dead
              FROM generate_series(1, {count}) AS i) AS made"""
    return insert("registry_patient", values, made, catalogue.PATIENT_ITEMS)


def insert(table, values, source, items):
    """SQL that stores rows of these columns, each with a reason for whatever it lacks.

    values  column to SQL over `source`
    """
    lacking = ", ".join(
        f"'{item.name}', CASE WHEN {item.name} IS NULL THEN 'unknown' END" for item in items if item.name in values
    )
    columns = ", ".join(values)
    made = ", ".join(f"{sql} AS {name}" for name, sql in values.items())
    return f"""
        INSERT INTO {table} ({columns}, missing)
        SELECT {columns}, jsonb_strip_nulls(jsonb_build_object({lacking})) FROM (SELECT {made} FROM {source}) AS rows
    """


def assessments_sql(timepoint, days, share):
    from registry.instruments import catalogue

    values = {
        item.name: number(item.minimum, item.maximum)
        if item.minimum is not None and not item.choices
        else (
            f"CASE WHEN random() < 0.95 THEN {chosen(item.codes, 0)}{'::int' if item.kind == 'integer' else ''} END"
            if item.name in ("frankel", "ecog_ps")
            else chosen(item.codes, 0) + "::int"
        )
        for instrument in catalogue.ASSESSMENT
        for item in instrument.items
    }
    keys = {"patient_id": "patient_id", "site_id": "site_id", "timepoint_id": f"'{timepoint}'"}
    keys |= {"assessment_date": f"surgery_date + {days}", "state": STATE, "updated_at": STORED_AT}
    source = f"registry_patient WHERE random() < {share}"
    return insert("registry_assessment", keys | values, source, catalogue.ASSESSMENT_ITEMS)


EVENTS_SQL = """
    INSERT INTO registry_adverseevent (patient_id, site_id, missing, kind, onset_date)
    SELECT patient_id, site_id, '{}'::jsonb,
           (ARRAY['surgical_site_infection', 'wound_problem', 'neurological_deterioration'])
               [1 + floor(random() * 3)::int],
           surgery_date + 10
    FROM registry_patient WHERE random() < 0.1
"""
VISITS = (("preop", -2, 0.97), ("1m", 30, 0.9))  # code, day after surgery, share of the patients
ALL_VISITS = (*VISITS, ("3m", 91, 0.9), ("6m", 183, 0.9), ("12m", 365, 0.9), ("24m", 730, 0.9))
TABLES = ("registry_patient", "registry_assessment", "registry_adverseevent")


def at_database(url, name):
    """The same address with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def registry_of(count, visits=VISITS):
    """A migrated registry with `count` patients, as the default database of this process and of its children."""
    import django

    name = f"metaspine_bench_{os.getpid()}"
    home = os.environ.get("OWNER_DATABASE_URL", os.environ["DATABASE_URL"])
    execute_at(home, f"CREATE DATABASE {name}")
    try:
        for variable in ("DATABASE_URL", "OWNER_DATABASE_URL"):
            os.environ[variable] = at_database(os.environ.get(variable, home), name)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
        django.setup()
        fill(count, visits)
        yield name
    finally:
        connections.close_all()
        drop(home, name)


def drop(home, name):
    """Drop a database once the connections to it have gone: the owner may not end those of the application's role."""
    import psycopg

    for attempt in range(60):
        try:
            execute_at(home, f"DROP DATABASE {name}")
            return
        except psycopg.errors.ObjectInUse:
            if attempt == 59:
                raise
            time.sleep(0.5)


def execute_at(url, sql):
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql)


def fill(count, visits=VISITS):
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    put_patients(count, visits)
    print(f"{count:,} patients made in {time.perf_counter() - started:.0f} s", flush=True)


def put_patients(count, visits=VISITS):
    """SITES sites and `count` patients with these visits, in a database without any, by its owner; committed."""
    from sites.models import Site
    from sites.tenancy.scope import current, everything, execute

    Site.objects.bulk_create(
        Site(code=f"B{place:02}", name=f"Bench hospital {place}", region="East" if place % 2 else "West")
        for place in range(1, SITES + 1)
    )
    with everything(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("BEGIN")
        execute(cursor, current())
        for table in TABLES:  # the audit trail of made-up patients would be most of the work
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(patients_sql(count))
        for visit in visits:
            cursor.execute(assessments_sql(*visit))
        cursor.execute(EVENTS_SQL)
        cursor.execute("COMMIT")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute(f"VACUUM ANALYZE {table}")


def put_trail():
    """The audit trail that the patients and assessments of `put_patients` would have left, by the owner; committed."""
    from sites.tenancy.scope import everything

    with everything(using="owner"), transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute(TRAIL_SQL)
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE study_sites_auditevent")
