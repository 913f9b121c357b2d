"""A value that an own instrument's declaration forbids is stored by no page, no program and no file.

What raw SQL cannot store is in `test_publishing.py`.
"""

import pytest

from registry.imports import import_files
from registry.models import Assessment
from tests.protocol.test_publishing import CORE, OWN
from tests.transfer.conftest import ASSESSMENT, PATIENT, write_csv

# An item of each stored kind, with a value that its declaration forbids.
FORBIDDEN = {
    "srs_given": "2",
    "srs_dose_gy": "80.1",
    "srs_fractions": "61",
    "srs_sites": "lung",
    "srs_other": "x" * 201,
    "srs_first": "2026-13",
    "srs_at": "25:00",
    "srs_planned": "1899-12-31",
    "srs_intent": "other",
}


@pytest.fixture
def stored(publish, dose, save, as_system):
    """The assessment that is stored, and `unchanged()`, which holds that it is what it was."""
    publish(dose)
    row = save(CORE | OWN)
    before = {name: getattr(row, name) for name in FORBIDDEN}

    def unchanged():
        with as_system():
            now = Assessment.objects.get(pk=row.pk)
        assert {name: getattr(now, name) for name in FORBIDDEN} == before

    return row, unchanged


def test_the_table_has_an_item_of_every_stored_kind(dose):
    assert {item["name"] for item in dose["items"] if item["kind"] != "calculated"} == FORBIDDEN.keys()


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_page_and_no_program_stores_it(name, stored, alice, patient, client):
    row, unchanged = stored
    value = FORBIDDEN[name]
    client.force_login(alice)
    page = f"/patients/{patient.pk}/assessments/preop/"
    sent = CORE | OWN | {name: value, "complete": "1", "version": row.version, "reason": "by hand"}
    assert client.post(page, sent).status_code == 422
    headers = {"If-Match": f'"{row.version}"'}
    address = f"/api/v1/assessments/{patient.pk}/preop"
    body = {name: [value] if name == "srs_sites" else value, "reason": "by a program"}
    refused = client.patch(address, body, content_type="application/json", headers=headers)
    assert refused.status_code == 422 and name in refused.json()["errors"]
    unchanged()


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_file_stores_it(name, publish, dose, tmp_path, north, as_system):
    publish(dose)
    rows = [ASSESSMENT | OWN | {"srs_other": "", name: FORBIDDEN[name]}]
    write_csv(tmp_path / "patients.csv", [PATIENT])
    write_csv(tmp_path / "assessments.csv", rows, list(rows[0]))
    report = import_files(tmp_path, create_sites=True, reason="from a file")
    assert name in {error.column for error in report.errors.shown} and not report.stored
    with as_system():
        assert not Assessment.objects.exists()
