"""Own instruments in files: a CSV in and out, what its cells may not hold, the codebook and the statistics formats."""

import json

import pytest

from registry.models import Assessment
from tests.transfer.conftest import ASSESSMENT, PATIENT, bring_in, findings, good, write_csv  # noqa: F401 - fixtures

OWN = {"srs_given": "1", "srs_dose_gy": "24.0", "srs_fractions": "3", "srs_sites": "rib;other", "srs_other": "skull",
       "srs_first": "2026-01", "srs_at": "08:30", "srs_planned": "2026-01-20", "srs_intent": "cure"}  # fmt: skip
NONE = dict.fromkeys(OWN, "") | {"srs_given": "0"}


@pytest.fixture
def files(publish, dose, good, bring_in):  # noqa: F811
    """`files(row, …)` brings in assessments of one patient, at one visit after the other; the report."""
    publish(dose)

    def act(*rows):
        visits = [
            ASSESSMENT | {"timepoint": code} | row for code, row in zip(("preop", "1m", "3m"), rows, strict=False)
        ]
        write_csv(good / "patients.csv", [PATIENT])
        write_csv(good / "assessments.csv", visits, list(visits[0]))
        return bring_in(good)

    return act


def test_a_csv_comes_in_complete_by_its_version(files, as_system):
    report = files(OWN, NONE)
    assert (findings(report), report.stored) == ([], True)
    with as_system():
        first, second = Assessment.objects.order_by("timepoint__position")
    assert (first.srs_sites, first.srs_first, first.state) == (("rib", "other"), "2026-01", "complete")
    assert (second.srs_dose_gy, second.state, second.asked_by) == (None, "complete", first.asked_by)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("srs_dose_gy", "80.1", "must be a number from 0 to 80 Gy"),
        ("srs_sites", "rib;lung", "must be codes among rib, spine, other"),
        ("srs_first", "2026-13", "must be a day, a month or a year"),
        ("srs_at", "25:00", "must be a time from 00:00 to 23:59"),
        ("srs_given", "0", "is not asked here"),
    ],
)
def test_what_a_cell_may_not_hold(files, column, value, says):
    all_findings = findings(files(OWN | {column: value}))
    assert all_findings and all(finding[1] == 2 for finding in all_findings)
    assert any(says in str(finding) for finding in all_findings), json.dumps(all_findings, default=str)
