"""Released migrations never change, and no migration reads what could: a database is made of them for ever."""

import ast
import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.working import ROOT

MIGRATIONS = sorted(
    path.relative_to(ROOT).as_posix()
    for app in ("registry", "sites")
    for path in (ROOT / app / "migrations").glob("[0-9]*.py")
)
# Written by `python -m tests.releases.hold` when a version is released.
RELEASED = json.loads((Path(__file__).parent / "migrations.json").read_text())


@pytest.mark.parametrize("path", RELEASED)
def test_a_released_migration_is_as_it_was_released(path):
    assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == RELEASED[path], (
        f"{path} was released: databases were made with it. Make another migration instead."
    )


@pytest.mark.parametrize("path", MIGRATIONS)
def test_a_migration_imports_nothing_of_ours(path):
    imported = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or ".").partition(".")[0])
    assert imported <= {"collections", "django", "uuid", "datetime", "json", "decimal", "re", "unicodedata"}, (
        "what is imported may change, and a migration must not: write the literal"
    )


def test_no_migration_is_lacking(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=1)
