"""What an operator reads who forgot to migrate."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

PROJECT = Path(__file__).parents[2]
EMPTY = "test_not_migrated"


@pytest.fixture
def empty_database():
    """The environment of a process on a database without tables."""
    maintenance = urlsplit(os.environ["OWNER_DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(EMPTY)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMPTY)))
        yield os.environ | {
            variable: urlsplit(os.environ[variable])._replace(path=f"/{EMPTY}").geturl()
            for variable in ("DATABASE_URL", "OWNER_DATABASE_URL")
        }
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(EMPTY)))


def test_a_command_before_migrate_is_a_sentence(empty_database, tmp_path):
    def manage(*arguments):
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
        return subprocess.run(command, env=empty_database, capture_output=True, text=True)

    early = manage("compare_segments")
    assert (early.returncode, "Traceback" in early.stderr) == (2, False)
    assert "run migrate first" in early.stderr
    assert manage("migrate").returncode == 0
    assert manage("compare_segments").returncode == 0
