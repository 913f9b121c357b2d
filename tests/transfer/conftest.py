"""Files of the registry's own shape: three patients at North and South, built from the catalogue."""

import csv
import datetime as dt
import io

import pytest
from django.core.management import call_command

from registry.imports import import_files
from registry.services.files import file_formats

PATIENT = {
    "patient_id": "N01-0001",
    "site_code": "N01",
    "sex": "male",
    "birth_date": "1950-04-03",
    "consent_date": "2024-01-08",
    "primary_tumour": "lung",
    "lesion_levels": "C7;T1",
    "procedure": "psf",
    "surgery_date": "2024-01-10",
    "operative_time_min": "210",
    "blood_loss_ml": "300",
    "tokuhashi_general_condition": "1",
    "tokuhashi_extraspinal_bone": "1",
    "tokuhashi_vertebral": "1",
    "tokuhashi_organs": "0",
    "tokuhashi_primary": "0",
    "tokuhashi_palsy": "1",
    "sins_location": "3",
    "sins_pain": "3",
    "sins_bone_lesion": "2",
    "sins_alignment": "0",
    "sins_collapse": "1",
    "sins_posterolateral": "1",
    "last_contact_date": "2025-03-01",
    "vital_status": "dead",
    "death_date": "2025-03-02",
}
ASSESSMENT = {
    "patient_id": "N01-0001",
    "timepoint": "preop",
    "assessment_date": "2024-01-09",
    "frankel": "C",
    "ecog_ps": "3",
    "pain_vas_mm": "70",
    **{name: "5" for name in file_formats.ASSESSMENTS.columns if name.startswith("barthel_")},
    **{name: "3" for name in file_formats.ASSESSMENTS.columns if name.startswith("eq5d_")},
    "eq_vas": "40",
}
EVENT = {"patient_id": "N01-0001", "kind": "hematoma", "onset_date": "2024-01-12"}
END = {
    "patient_id": "N01-0001",
    "end_kind": "withdrawn",
    "end_date": "2024-05-01",
    "end_reason": "burden",
    "end_data_use": "keep",
}


def write_csv(path, rows, columns=None, encoding="utf-8"):
    columns = columns or list(rows[0])
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row.get(column, "") for column in columns] for row in rows)


@pytest.fixture
def good(tmp_path):
    """A folder of valid files: two patients of North, one of South; three assessments, one event."""
    folder = tmp_path / "in"
    folder.mkdir()
    patients = [PATIENT | {"patient_id": f"N01-000{n}"} for n in (1, 2)]
    patients.append(PATIENT | {"patient_id": "S01-0001", "site_code": "S01", "vital_status": "alive", "death_date": ""})
    write_csv(folder / "patients.csv", patients)
    follow_up = {"timepoint": "1m", "assessment_date": "2024-02-09"}
    assessments = [ASSESSMENT, ASSESSMENT | follow_up, ASSESSMENT | {"patient_id": "S01-0001"}]
    write_csv(folder / "assessments.csv", assessments)
    write_csv(folder / "adverse_events.csv", [EVENT])
    return folder


@pytest.fixture
def bring_in(north, south):
    """`bring_in(folder)` imports it as the operator's command does; returns the Report."""
    return import_files


@pytest.fixture
def take_out(tmp_path, as_system):
    """`take_out("name")` is a folder with the operator's export."""

    def export(name, *options):
        call_command("export_csv", tmp_path / name, *options, stdout=io.StringIO())
        return tmp_path / name

    return export


@pytest.fixture
def browser(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def signed_in(client, request):
    """`signed_in("bob")` is the browser of that person."""

    def sign_in(name):
        client.force_login(request.getfixturevalue(name))
        return client

    return sign_in


@pytest.fixture
def folder(settings, tmp_path):
    """Where the files of exports lie."""
    settings.EXPORT_FOLDER = tmp_path / "exports"
    return settings.EXPORT_FOLDER


def table(path):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def findings(report):
    return [(error.file, error.row, error.column, error.value, error.reason.en) for error in report.errors.shown]


def texts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def tomorrow():
    """As the test begins: the day may have changed since its file was loaded."""
    return (dt.date.today() + dt.timedelta(days=1)).isoformat()
