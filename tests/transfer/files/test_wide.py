"""A wide export of the registry, with the visits side by side, comes back in as it is."""

import csv
import io
import zipfile

import pytest
from django.core.management import call_command

from registry.imports.files import mapping, shaping
from registry.models import Assessment, Patient
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, write_csv
from tests.transfer.files.test_cases import matched
from tests.transfer.imports.test_import_flow import errors, send, store


@pytest.fixture
def wide(good, bring_in, tmp_path, as_system):
    """The rows of a wide export of two patients of North and one of South, one with reasons for missing values."""
    visits = {"preop": "2024-01-09", "1m": "2024-02-09", "3m": "2024-04-09"}
    rows = [
        ASSESSMENT | {"timepoint": code, "assessment_date": day, "eq_vas_missing": ""} for code, day in visits.items()
    ]
    rows[1] |= {"eq_vas": "", "eq_vas_missing": "refused", "frankel": "D"}
    rows.append(ASSESSMENT | {"patient_id": "S01-0001", "eq_vas_missing": ""})
    write_csv(good / "assessments.csv", rows)
    assert bring_in(good).stored
    return exported(tmp_path / "wide.zip", "columns")


def exported(path, missing):
    call_command("export_data", path, format="csv", shape="wide", missing=missing, stdout=io.StringIO())
    with zipfile.ZipFile(path) as archive:
        return archive.read("data/patients.csv")


def stored():
    columns = ("patient_id", "timepoint", "frankel", "eq_vas", "missing")
    return list(Assessment.objects.order_by("patient_id", "timepoint").values(*columns))


# As somebody calls it, and as it is called; with reasons in columns, and as tags (.d) in the value's place.
@pytest.mark.parametrize(("name", "missing"), [("wide__csv", "columns"), ("patients__csv", "tagged")])
def test_our_own_wide_export_comes_back_in_as_it_is(browser, wide, tmp_path, name, missing):
    content = wide if missing == "columns" else exported(tmp_path / "tagged.zip", missing)
    assert (b",.d," in content) == (missing == "tagged")
    page = matched(browser, send(browser, **{name: content}))
    assert errors(page) == []
    assert [*map(mapping.suggested_code, ("frankel", "eq_vas"), (".e", ".d"))] == ["!too_ill", "!refused"]  # no grade E
    files = page.context["job"].counts["files"]
    assert files["assessments"] == {"new": 0, "changed": 0, "unchanged": 4}
    assert files["patients"] == {"new": 0, "changed": 0, "unchanged": 3}


def answers():
    rows = Assessment.objects.order_by("patient_id", "timepoint")
    return list(rows.values("patient_id", "timepoint", "frankel", "eq_vas", "missing"))


def test_into_an_emptied_registry_it_brings_everything_again(browser, wide, as_system):
    header, *lines = csv.reader(io.StringIO(wide.decode("utf-8-sig")))
    with everything():
        before = answers()
        Assessment.objects.all()._raw_delete("default")
    address = send(browser, wide__csv=wide)
    page = matched(browser, address)
    assert errors(page) == []
    assert page.context["job"].counts["files"]["assessments"]["new"] == len(before) == 4
    store(browser, address)
    with as_system():
        assert answers() == before
        assert Patient.objects.count() == len(lines)
    assert "eq_vas_1m" in header


def test_a_file_of_as_many_columns_as_are_read_can_be_matched_on_the_page(browser):
    """Visits side by side make many columns: the page was refused with more than 1 000 of them."""
    names = ["patient_id", *(f"column {number}" for number in range(shaping.MOST_COLUMNS - 1))]
    address = send(browser, wide__csv=f"{','.join(names)}\nN01-0001{',1' * (len(names) - 1)}\n".encode())
    sent = {f"column-{place}": "eq_vas@1m" if place == 1 else "" for place in range(len(names))}
    answer = browser.post(f"{address}columns/", sent | {"column-0": "patient_id"})
    assert answer.status_code == 302 and answer["Location"].endswith("/values/")
