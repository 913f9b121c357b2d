"""No page reads a table of the registry from end to end: what it costs does not hang on how many patients there are.

PostgreSQL counts the rows that a page's statements take from each table, whatever the plan is: by a scan or by an
index. The registry here is made by the benchmarks' own statements, with its triggers switched off; a row of 40 columns
more or less changes no plan, so 20 000 patients, from which on pages no longer count themselves, stand for any number.
"""

from django.db import connection, transaction
from django.urls import get_resolver

from bench.pages import OF_SITE, addresses, catch_up, of_patient
from bench.scratch import put_patients
from registry.models import Patient
from registry.services.operations import site_counts
from sites.models import Site
from sites.tenancy.scope import everything
from tests.conftest import person

ROLES = ("coordinator", "data_manager", "statistician", "admin")
AT_MOST = 10_500  # rows of a table: lists are counted to 10 000, and show a hundred
TABLES = ("registry_patient", "registry_assessment", "registry_utility", "registry_change", "study_sites_auditevent")


def rows_read():
    """{table: rows that this transaction has taken from it so far}."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables "
            "WHERE relname = ANY (%s)",
            [list(TABLES)],
        )
        return dict(cursor.fetchall())


def read_by(client, path):
    """(status, {table: rows}) of a page."""
    with transaction.atomic():
        before, status, after = rows_read(), client.get(path).status_code, rows_read()
    return status, {table: rows - before.get(table, 0) for table, rows in after.items()}


def test_no_page_reads_a_table_from_end_to_end(committed, client, monkeypatch):
    monkeypatch.setattr(site_counts, "_asked", {"at": float("-inf"), "large": False})  # it was asked before
    put_patients(site_counts.LARGE)
    catch_up()
    site = Site.objects.order_by("code").first()
    with everything(), transaction.atomic():
        patient = Patient.objects.filter(site=site).order_by("pk").values_list("pk", flat=True)[10]
    patterns = get_resolver().url_patterns
    paths = list(dict.fromkeys([*addresses(patterns), *of_patient(patterns, patient)]))
    shown, beyond = 0, {}
    for role in ROLES:
        client.force_login(person(role, role, site if role in OF_SITE else None))
        for path in paths:
            status, read = read_by(client, path)
            shown += status == 200
            if max(read.values(), default=0) > AT_MOST:
                beyond[role, path] = read
    assert shown > 80
    assert beyond == {}
    with everything(), transaction.atomic():
        before = rows_read()
        Patient.objects.exclude(sex="").count()
        assert rows_read()["registry_patient"] - before["registry_patient"] >= site_counts.LARGE  # a whole one is seen
