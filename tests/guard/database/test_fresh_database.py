"""What an operator reads who forgot to migrate."""

import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.conftest import at_the_server, copied
from tests.working import ROOT


@pytest.fixture
def empty_database():
    """The environment of a process on a database without tables."""
    name = f"test_not_migrated_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    copied("template1", name)
    yield os.environ | {
        variable: urlsplit(os.environ[variable])._replace(path=f"/{name}").geturl()
        for variable in ("DATABASE_URL", "OWNER_DATABASE_URL")
    }
    at_the_server(f'DROP DATABASE "{name}"')


def test_a_command_before_migrate_is_a_sentence(empty_database, tmp_path):
    def manage(*arguments):
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=empty_database, capture_output=True, text=True)

    early = manage("compare_segments")
    assert (early.returncode, "Traceback" in early.stderr) == (2, False)
    assert "run migrate first" in early.stderr
    assert manage("migrate").returncode == 0
    assert manage("compare_segments").returncode == 0
