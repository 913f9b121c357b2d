"""Enrol and save in a registry that was just migrated, and tell the server's version: for `test_versions`."""

import django

django.setup()

from django.core.management import call_command  # noqa: E402  once the apps are loaded
from django.db import connection, transaction  # noqa: E402

from registry.guards import checking  # noqa: E402
from registry.models import Patient  # noqa: E402
from sites.models import AuditEvent, Site  # noqa: E402
from sites.tenancy.access import Role, access_of  # noqa: E402
from sites.tenancy.scope import entered, everything  # noqa: E402
from tests.conftest import TODAY, person  # noqa: E402
from tests.guard.conftest import enrol  # noqa: E402

call_command("check", deploy=True, tags=["database"], databases=["default"], fail_level="ERROR")
ours, others = (Site.objects.create(code=code, name=code) for code in ("V01", "V02"))
alice, charlie = person("Alice", Role.COORDINATOR, ours), person("Charlie", Role.COORDINATOR, others)
patient = enrol(alice, ours, TODAY)
with entered(access_of(charlie).scope()), transaction.atomic():
    assert not Patient.objects.exists()
with everything(), transaction.atomic():
    events = AuditEvent.objects.filter(table_name="registry_patient", action="insert", new__patient_id=patient.pk)
    assert events.count() == 1
connection.ensure_connection()
print(connection.pg_version // 10_000, checking.differences() or "guarded", "saved")
