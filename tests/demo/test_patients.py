"""Each synthetic patient is one that the registry would take without a question."""

import csv
from collections import Counter
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from registry.demo import write_cohort
from registry.demo.segi2025 import published
from registry.demo.segi2025.cohort import LAST_VISIT
from registry.instruments import catalogue, checks, value_sets
from registry.instruments.base import MISSING_REASONS
from registry.instruments.timepoints import timepoint
from tests.demo.margins import age, day, followup_days


def header(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(next(csv.reader(file)))


def clean(row):
    return {name: catalogue.item(name).clean(text) for name, text in row.items() if not name.endswith("_missing")}


@pytest.fixture(scope="session")
def patients(files):
    return {row["patient_id"]: clean(row) for row in files.patients}


def test_columns_are_the_wire_format(folder):
    assert header(folder, "patients") == catalogue.PATIENT_COLUMNS
    columns = header(folder, "assessments")
    values = len(catalogue.ASSESSMENT_COLUMNS)
    assert columns[:values] == catalogue.ASSESSMENT_COLUMNS
    assert columns[values:] == tuple(f"{name}_missing" for name in columns[3:values])
    assert header(folder, "adverse_events") == ("patient_id", "kind", "onset_date")


def test_files_say_that_they_are_synthetic(folder):
    assert "SYNTHETIC" in (folder / "README.txt").read_text(encoding="utf-8")
    with (folder / "sites.csv").open(encoding="utf-8", newline="") as file:
        sites = list(csv.DictReader(file))
    assert [site["code"] for site in sites] == [f"S{i:02d}" for i in range(1, published.SITES + 1)]
    assert all("synthetic" in site["name"] and "架空" in site["name_ja"] for site in sites)


def test_sites_are_uneven_and_numbers_run_within_them(files):
    counts = Counter(row["site_code"] for row in files.patients)
    assert len(counts) == published.SITES
    assert max(counts.values()) > 3 * min(counts.values())
    expected = {f"{site}-{i:04d}" for site, n in counts.items() for i in range(1, n + 1)}
    assert {row["patient_id"] for row in files.patients} == expected
    assert all(row["patient_id"].startswith(row["site_code"] + "-") for row in files.patients)


def test_no_hard_or_soft_check_fires(files, patients):
    fired = Counter()
    for patient in patients.values():
        fired.update(check.name for check in (*checks.hard_errors(patient), *checks.warnings(patient)))
    for row in (*files.assessments.values(), *files.events):
        fired.update(check.name for check in checks.warnings(patients[row["patient_id"]] | clean(row)))
    assert fired == {}


def test_dates(files, patients):
    first, last = date.fromisoformat(published.FIRST_DAY), date.fromisoformat(published.LAST_DAY)
    for row in files.patients:
        assert first <= day(row["consent_date"]) <= day(row["surgery_date"]) <= last
        assert day(row["last_contact_date"]) <= LAST_VISIT
        assert row["death_date"] in ("", row["last_contact_date"])
        assert 20 <= age(row) <= 100
    for (patient_id, code), row in files.assessments.items():
        patient, when = patients[patient_id], day(row["assessment_date"])
        if code == "preop":
            assert max(patient["consent_date"], patient["surgery_date"] - timedelta(days=30)) <= when
            assert when <= patient["surgery_date"]
        else:
            assert timepoint(code).is_in_window(when, patient["surgery_date"])
            assert when <= patient["last_contact_date"]
    for event in files.events:
        patient = patients[event["patient_id"]]
        assert patient["surgery_date"] <= day(event["onset_date"]) <= patient["last_contact_date"]


def test_an_empty_cell_has_a_reason_and_a_value_has_none(files):
    reasons = Counter()
    for row in files.assessments.values():
        for name in catalogue.ASSESSMENT_COLUMNS[3:]:
            assert (row[name] == "") == (row[f"{name}_missing"] in MISSING_REASONS)
            reasons[row[f"{name}_missing"]] += 1
    assert {"unknown", "refused", "too_ill", "not_done"} <= set(reasons)


def test_later_visits_are_those_of_patients_still_followed(files):
    seen = Counter(code for _, code in files.assessments)
    assert seen["preop"] == 413
    assert seen["1m"] > seen["3m"] > seen["6m"] > seen["12m"] > seen["24m"] > 0
    followed = {row["patient_id"]: followup_days(row) for row in files.patients}
    assert all(followed[patient_id] > 600 for patient_id, code in files.assessments if code == "24m")


def test_plausible_company(files):
    """Pain goes with EQ-5D pain, ECOG with Barthel, Frankel with mobility."""
    preop = [row for (_, code), row in files.assessments.items() if code == "preop"]

    def means(by, of, splits):
        known = [(int(row[by]), int(row[of])) for row in preop if row[by] and row[of]]
        low, high = ([b for a, b in known if inside(a)] for inside in splits)
        return sum(low) / len(low), sum(high) / len(high)

    low, high = means("pain_vas_mm", "eq5d_pain_discomfort", (lambda a: a < 40, lambda a: a > 70))
    assert high > low + 1
    low, high = means("ecog_ps", "barthel_transfer", (lambda a: a <= 1, lambda a: a >= 3))
    assert low > high + 4
    assert not any(row["frankel"] in ("A", "B") and row["barthel_mobility"] == "15" for row in preop)


def test_the_cases_have_the_printed_health_state_values():
    hsuv = value_sets.get("JP").hsuv
    for case in published.CASES:
        assert tuple(f"{hsuv(state):.3f}" for state in case.eq5d) == case.hsuv


def test_the_command_writes_the_same_files_for_a_seed_and_other_patients_for_another(cohort_of, tmp_path):
    call_command("make_demo_cohort", tmp_path / "command", seed=1, stdout=StringIO())
    write_cohort(cohort_of(1), tmp_path / "same")
    names = sorted(path.name for path in (tmp_path / "same").iterdir())
    assert names == ["README.txt", "adverse_events.csv", "assessments.csv", "patients.csv", "sites.csv"]
    for name in names:
        assert (tmp_path / "command" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    assert cohort_of(1).patients != cohort_of(2).patients
    assert cohort_of(1).assessments != cohort_of(2).assessments
