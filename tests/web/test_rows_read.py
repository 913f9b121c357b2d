"""No page reads a table of the registry from end to end: what it costs does not hang on how many patients there are.

PostgreSQL counts the rows that a page's statements take from each table, whatever the plan is: by a scan or by an
index. The registry here is made by the benchmarks' own statements, with its triggers switched off; a row of 40 columns
more or less changes no plan, so 20 000 patients, more than those from which on pages no longer count themselves, stand
for any number.
"""

import pytest
from django.db import connection, transaction
from django.db.models import Value
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from bench.serving.pages import LISTS, OF_SITE, PATIENT, STARTS, addresses, catch_up, filtered, of_patient
from bench.shared.scratch import put_patients, put_trail
from registry.models import AdverseEvent, Assessment, Patient
from registry.services.operations import site_counts
from registry.services.review import to_sign
from sites.models import Site
from sites.tenancy.scope import everything
from tests.conftest import person

pytestmark = pytest.mark.long

ROLES = ("coordinator", "data_manager", "statistician", "admin")
PATIENTS = 20_000
AT_MOST = 10_500  # rows of a table: lists are counted to 10 000, and show a hundred
# Lists of a site that show fifty, and read no more of the 400 patients and 750 visits that each site has here.
OF_A_SITE = {
    "monitor": ("/verification/", "/verification/next/", "/verification/report/"),
    "investigator": ("/to-sign/", "/to-sign/read/", f"/audit/?row={PATIENT}"),
}
FEW = 250
# Of start pages, dashboards and lists; the check-up of every part of an installation asks more, once a hundred.
STATEMENTS_AT_MOST, STATEMENTS = 26, {"/system/": 40}
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
    """(status, {table: rows}, statements) of a page."""
    with transaction.atomic():
        before = rows_read()
        with CaptureQueriesContext(connection) as statements:
            status = client.get(path).status_code
        after = rows_read()
    return status, {table: rows - before.get(table, 0) for table, rows in after.items()}, len(statements)


def left_to_verify(site):
    """(patient, form) of every form of a site that is complete, in the order of the list."""
    with everything(), transaction.atomic():
        of_site = {"site": site, "state": "complete"}
        forms = [
            (*row, place)
            for place, form in enumerate(("baseline", "surgery"))
            for row in Patient.objects.filter(**{"site": site, f"{form}_state": "complete"}).values_list(
                "patient_id", Value(form)
            )
        ]
        forms += [
            (patient, code, 2 if code == "preop" else 3)
            for patient, code in Assessment.objects.filter(**of_site).values_list("patient_id", "timepoint_id")
        ]
        forms += [
            (patient, f"event-{key}", 9)
            for patient, key in AdverseEvent.objects.filter(**of_site).values_list("patient_id", "pk")
        ]
    return [form[:2] for form in sorted(forms, key=lambda form: (form[0], form[2], form[1]))]


def test_no_page_reads_a_table_from_end_to_end(committed, client, monkeypatch):
    monkeypatch.setattr(site_counts, "_asked", {"at": float("-inf"), "large": False})  # it was asked before
    put_patients(PATIENTS)
    put_trail()
    catch_up()
    site = Site.objects.order_by("code").first()
    patterns = get_resolver().url_patterns
    paths = list(dict.fromkeys([*addresses(patterns), *of_patient(patterns, PATIENT), *filtered(PATIENT)]))
    shown, beyond = 0, {}
    for role in ROLES:
        client.force_login(person(role, role, site if role in OF_SITE else None))
        for path in paths:
            status, read, statements = read_by(client, path)
            shown += status == 200
            asked_too_often = path in (*STARTS, *LISTS) and statements > STATEMENTS.get(path, STATEMENTS_AT_MOST)
            if max(read.values(), default=0) > AT_MOST or asked_too_often:
                beyond[role, path] = read, statements
    assert shown > 80
    assert beyond == {}
    for role, own in OF_A_SITE.items():
        client.force_login(person(role, role, site))
        for path in own:
            status, read, _statements = read_by(client, path)
            assert status in (200, 302) and max(read.values()) <= FEW, (path, read)
    client.force_login(person("mona", "monitor", site))
    forms = left_to_verify(site)
    for number in (1, 2, 9, len(forms) // 50 + 1):
        rows = client.get("/verification/", {"page": number}).context["rows"]
        assert [(row["patient_id"], row["code"]) for row in rows] == forms[50 * (number - 1) : 50 * number]
    with everything(), transaction.atomic():
        every = to_sign.unsigned([site.pk], limit=AT_MOST).lines
        signable = [line.patient_id for line in every if line.can_be_signed]
        assert 300 < len(signable) < len(every)
        assert to_sign.first_signable([site.pk], limit=50, offset=250) == signable[250:300]
        assert to_sign.unsigned([site.pk], limit=50, patients=signable[250:300]).lines == every[250:300]
    with everything(), transaction.atomic():
        before = rows_read()
        Patient.objects.exclude(sex="").count()
        assert rows_read()["registry_patient"] - before["registry_patient"] >= PATIENTS  # a whole one is seen
