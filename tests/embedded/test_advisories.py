"""What bin/audit makes of pip-audit's report: a package that was not asked about is never called safe."""

import json

import pytest

from registry.embedded import PROJECT
from registry.embedded.advisories import LOCKED, verdict

SAFE = {"name": "redis", "version": "6.4.0", "vulns": []}
BAD = {"name": "pypdf", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": []}]}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([SAFE], 0, "No vulnerability is known in 1 packages."),
        ([SAFE, BAD], 1, "VULNERABLE: pypdf 1.0: PYSEC-2026-1, fixed in 1.1"),
        ([BAD, SKIPPED], 1, "only 1 of 2 packages"),
        ([SAFE, SKIPPED], 2, "only 1 of 2 packages"),
        ([SKIPPED], 2, "only 0 of 1 packages"),
    ],
)
def test_a_report_is_told(packages, status, said):
    found, lines = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert found == status and said in "\n".join(lines)


@pytest.mark.parametrize("report", ["", "connection refused", "[]", '{"dependencies": []}'])
def test_without_a_report_nothing_is_known(report):
    assert verdict(report)[0] == 2


def test_what_is_asked_about_is_locked_by_hash():
    for name in LOCKED:
        assert "--hash=sha256:" in (PROJECT / name).read_text()
