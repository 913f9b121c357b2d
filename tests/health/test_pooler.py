"""PgBouncer in transaction mode: a session is another's after each transaction, and nothing of a person stays in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.db import connections

from registry.embedded import PROJECT
from tests.guard.faults.test_faults import environment, start_web, ten_sites  # noqa: F401  fixtures
from tests.health.test_broker_away import Load, all_stored
from tests.working import until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SESSIONS = 2  # of the server, for ten people at once

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")


@pytest.fixture
def pooled(environment, tmp_path_factory):  # noqa: F811
    """The environment of a process whose database is reached by way of PgBouncer."""
    folder = tmp_path_factory.mktemp("p")
    database = connections["default"].settings_dict
    (folder / "users").write_text(f'"{database["USER"]}" "{database["PASSWORD"]}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={database['HOST']} port={database['PORT'] or 5432}\n"
        f"[pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = 6432\nlisten_addr =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\npool_mode = transaction\n"
        f"default_pool_size = {SESSIONS}\nlogfile = {folder}/log\nignore_startup_parameters = extra_float_digits\n"
    )
    options = []
    if os.geteuid() == 0:  # it refuses root
        shutil.chown(folder, "nobody")
        for path in folder.iterdir():
            shutil.chown(path, "nobody")
        for path in folder.parents:
            if path == Path(tempfile.gettempdir()):
                break
            path.chmod(0o755)
        options = ["-u", "nobody"]
    process = subprocess.Popen([PGBOUNCER, "-q", *options, str(folder / "pgbouncer.ini")])
    until(lambda: (folder / ".s.PGSQL.6432").exists() or process.poll() is not None)
    there = environment["DATABASE_URL"].partition("?")[0]
    yield environment | {
        "DATABASE_URL": f"{there}?host={folder}&port=6432",
        "METASPINE_DATABASE_POOLER": "1",
    }
    process.kill()
    process.wait()


def test_ten_people_at_ten_sites_save_through_four_sessions_and_nothing_is_lost_or_anothers(ten_sites, pooled):  # noqa: F811
    process, port = start_web(pooled)
    load = Load(port, list(ten_sites.items()))
    try:
        load.run()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    all_stored(load)


SESSION = """
import django, json, os
django.setup()
from django.db import connection, transaction
from registry.models import Patient
from sites.models import User
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
seen = []
for number in range(40):
    for user in User.objects.order_by("pk"):
        with entered(access_of(user).scope()), transaction.atomic():
            sites = Patient.objects.order_by("site").values_list("site", flat=True).distinct()
            seen.append([list(sites), access_of(user).scope().read])
    with transaction.atomic():
        assert not Patient.objects.exists(), "a scope stayed"
    assert not Patient.objects.exists(), "a scope stayed in the session"
print(json.dumps(all(sites == list(own) for sites, own in seen)))
"""


def test_a_scope_ends_with_its_transaction_and_doctor_knows_of_the_pooler(ten_sites, pooled):  # noqa: F811
    said = subprocess.check_output(
        [sys.executable, "-c", SESSION], env=pooled | {"DJANGO_SETTINGS_MODULE": "registry.settings"}, cwd=PROJECT
    )
    assert json.loads(said) is True
    for setting, state in (("1", "ok"), ("0", "failed")):
        done = subprocess.run(
            [sys.executable, "manage.py", "doctor", "--json"],
            env=pooled | {"METASPINE_DATABASE_POOLER": setting}, cwd=PROJECT, capture_output=True,
        )  # fmt: skip
        checks = {check["check"]: check["state"] for check in json.loads(done.stdout)["checks"]}
        assert checks["pooler"] == state
