"""Tables 1 and 3: levels of the lesions, and SINS by procedure, against counts of the patients themselves."""

import statistics

import pytest

from registry.analysis.design import cohorts, plans
from registry.analysis.presentation import tables as presentation
from registry.analysis.running import runner
from registry.instruments import levels
from tests.analysis.conftest import patient, typed
from tests.analysis.reports import slow
from tests.analysis.reports.slow import grouped


@pytest.fixture
def result(random_patients, as_system):
    with as_system():
        return runner.compare(plans.segment_comparison(domains=()), cohorts.SEGI2024)


def test_levels_equal_a_recount(random_patients, result):
    patients = grouped([patient for patient in random_patients if slow.in_cohort(patient)])
    for row in result["lesion_levels"]["groups"]:
        lesions = [patient["lesion_levels"] for patient in patients[row["group"]]]
        assert row["counts"] == {level: sum(level in lesion for lesion in lesions) for level in levels.LEVELS}
        assert (row["n"], row["involved"]) == (len(lesions), sum(map(len, lesions)))
        assert row["per_patient"] == pytest.approx(row["involved"] / len(lesions))


def test_sins_by_procedure_equals_a_recount(random_patients, result):
    patients = grouped([patient for patient in random_patients if slow.in_cohort(patient)])
    rows = {(row["group"], row["procedure"]): row for row in result["sins_by_procedure"]["rows"]}
    for group, ones in patients.items():
        seen = {patient["procedure"] for patient in ones} - {None}
        assert {procedure for code, procedure in rows if code == group} == seen | {"all"}
        for procedure in (*seen, "all"):
            totals = [
                sum(value for name, value in patient.items() if name.startswith("sins_"))
                for patient in ones
                if procedure in ("all", patient["procedure"])
            ]
            row = rows[group, procedure]
            assert row["counts"] == {str(score): totals.count(score) for score in range(19)}
            assert list(row["classes"].values()) == [
                sum(first <= total <= last for total in totals) for first, last in ((0, 6), (7, 12), (13, 18))
            ]
            assert (row["n"], row["missing"]) == (len(totals), 0)
            assert row["mean"] == pytest.approx(statistics.mean(totals))
            if len(totals) > 1:
                assert row["sd"] == pytest.approx(statistics.stdev(totals))


def test_many_groups_make_several_tables_of_which_none_is_too_wide(stored, as_system):
    tumours = ["lung", "breast", "renal", "other", "digestive", "prostate", "thyroid", "unknown", "hematological"]
    stored([patient(primary_tumour=tumour, procedure=done) for tumour in tumours for done in ("psf", "pps", "bkp")])
    with as_system():
        result = runner.compare(plans.segment_comparison(grouping="primary_tumour"), cohorts.ALL)
    tables = [table for table in presentation.tables(typed(result)) if table.code == "sins_by_procedure"]
    assert len(tables) == 3
    assert all(len(table.header) <= presentation.MOST_COLUMNS + 1 for table in tables)
    assert sum(width for table in tables for _text, width in table.spans[1:]) == len(
        result["sins_by_procedure"]["rows"]
    )
