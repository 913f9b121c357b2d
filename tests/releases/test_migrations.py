"""Released migrations never change, and no migration reads what could: a database is made of them for ever."""

import ast
import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import models
from django.db.migrations import AddConstraint, AddIndex, CreateModel, RemoveConstraint, RemoveIndex
from django.db.migrations.state import ProjectState

from sites.database.migrating import constraints_in_place
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


GUARDED = [
    AddConstraint("ward", models.UniqueConstraint(fields=["name"], name="name_once")),
    AddConstraint("ward", models.CheckConstraint(condition=models.Q(beds__gte=0), name="beds")),
    AddIndex("ward", models.Index(fields=["beds"], name="by_beds")),
    RemoveConstraint("ward", "beds"),
    RemoveIndex("ward", "by_beds"),
    RemoveConstraint("ward", "name_once"),
]


def _walked():
    """(States of a model, its class's options and its class) after each operation on its constraints and indexes."""
    state = ProjectState()
    number = ("id", models.AutoField(primary_key=True))
    CreateModel("Ward", [number, ("name", models.TextField()), ("beds", models.IntegerField())]).state_forwards(
        "house", state
    )
    CreateModel("Bed", [number, ("ward", models.ForeignKey("house.Ward", models.CASCADE))]).state_forwards(
        "house", state
    )
    assert state.apps.get_model("house", "Bed")._meta.get_field("ward").related_model
    for operation in GUARDED:
        state = state.clone()
        operation.state_forwards("house", state)
        ward, bed = (state.apps.get_model("house", name) for name in ("ward", "bed"))
        options = ward._meta
        seen = [state.models["house", "ward"].options, options.constraints, options.indexes]
        assert bed._meta.get_field("ward").related_model is ward
        yield [*seen, options.total_unique_constraints, options.original_attrs["constraints"]], ward


def test_constraints_in_place_are_those_that_django_comes_to():
    plain, classes = zip(*_walked(), strict=True)
    with constraints_in_place():
        ours, same = zip(*_walked(), strict=True)
    assert ours == plain
    assert (len(set(classes)), len(set(same))) == (len(GUARDED), 1)
