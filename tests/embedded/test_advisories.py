"""What bin/audit makes of pip-audit's report: a package that was not asked about is never called safe."""

import datetime as dt
import json

import pytest

from registry.embedded import PROJECT, advisories
from registry.embedded.advisories import LOCKED, last_answers, locked, main, packages_of, save, verdict

TODAY = dt.date(2026, 6, 1)
SAFE = {"name": "redis", "version": "6.4.0", "vulns": []}
BAD = {"name": "pypdf", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": []}]}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited"}
WANTED = {"redis": ("redis", "6.4.0"), "pypdf": ("pypdf", "1.0"), "numpy": ("numpy", "2.4.0")}


def report_of(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([SAFE], 0, "No vulnerability is known in 1 packages."),
        ([SAFE, BAD], 1, "VULNERABLE: pypdf 1.0: PYSEC-2026-1, fixed in 1.1"),
        ([BAD, SKIPPED], 1, "asked about 1 of 2 packages"),
        ([SAFE, SKIPPED], 2, "UNKNOWN: of numpy 2.4.0 nothing is known"),
        ([SKIPPED], 2, "asked about 0 of 1 packages"),
    ],
)
def test_a_report_is_told(packages, status, said):
    result, lines = verdict([WANTED[package["name"]] for package in packages], packages_of(report_of(*packages)))
    assert result == status and said in "\n".join(lines)


@pytest.mark.parametrize("report", ["", "connection refused", "[]", '{"dependencies": []}', '{"dependencies": [7]}'])
def test_without_a_report_nothing_is_known(report):
    assert verdict([WANTED["redis"]], packages_of(report))[0] == 2
    assert verdict([], {})[0] == 2


def test_what_is_asked_about_is_locked_by_hash():
    for name in LOCKED:
        assert "--hash=sha256:" in (PROJECT / name).read_text()
    assert {"django", "psycopg", "celery", "numpy"} <= {name for name, _version in locked()}


@pytest.mark.parametrize(
    ("taken", "known", "said"),
    [
        ("2026-06-01", True, "0 days ago"),
        ("2026-05-02", True, "30 days ago; what was published since is not in it"),
        ("2026-05-01", False, "31 days ago: they count for 30 days"),
        ("2026-06-02", False, "they count for 30 days"),
    ],
)
def test_kept_answers_serve_where_nobody_can_be_asked_and_tell_their_age(tmp_path, taken, known, said):
    file = tmp_path / "advisories.json"
    file.write_text(json.dumps({"taken_on": taken, "report": json.loads(report_of(SAFE))}))
    older, notes = last_answers(file, TODAY)
    status, lines = verdict([WANTED["redis"]], {}, older, notes)
    assert (status, said in "\n".join(lines)) == (0 if known else 2, True)
    # Another version than was asked about is unknown, and a known vulnerability stays one.
    assert verdict([("redis", "6.4.1")], {}, older, notes)[0] == 2
    assert verdict([WANTED["redis"], WANTED["pypdf"]], packages_of(report_of(BAD)), older, notes)[0] == 1


def test_answers_are_kept_only_if_every_package_was_asked_about(tmp_path):
    file = tmp_path / "advisories.json"
    every = [{"name": name, "version": version, "vulns": []} for name, version in locked()]
    assert not save(file, report_of(*every[1:]), TODAY) and not file.exists()
    assert save(file, report_of(*every), TODAY)
    assert verdict(locked(), {}, *last_answers(file, TODAY))[0] == 0


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"taken_on": "yesterday", "report": {}}'])
def test_a_file_that_holds_nothing_of_the_kind_says_so(tmp_path, content):
    file = tmp_path / "advisories.json"
    file.write_text(content)
    assert last_answers(file, TODAY) == (
        {},
        ["advisories.json is no file of kept answers: make it with `bin/audit --save`."],
    )


def test_the_command_ends_with_a_verdict_where_nothing_can_be_reached(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("METASPINE_ADVISORIES", str(tmp_path / "none.json"))
    monkeypatch.setattr(advisories, "asked", lambda: "")
    assert main(["--save"]) == 2
    output = capsys.readouterr().err
    assert "none.json was not written" in output and "UNKNOWN" in output
    assert advisories.SECONDS < 60
