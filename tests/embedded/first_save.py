"""A new registry for `test_versions`: its tables and guards, what `check` says, a save by a person with its audit
event, and a backup with its key; tells the server's version.

    python -m tests.embedded.first_save BACKUP
"""

import os
import sys
from pathlib import Path

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

backup = Path(sys.argv[1])
call_command("migrate", verbosity=0)
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
call_command("backup", str(backup), stdout=sys.stderr)
backup.with_name(f"{backup.name}.key").write_text(os.environ["METASPINE_FIELD_KEYS"])
print(connection.pg_version // 10_000, checking.differences() or "guarded", "saved")
