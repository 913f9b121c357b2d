"""What leaves as Excel comes in again; Parquet, SPSS and Stata hold cell for cell what the CSV says."""

import csv
import datetime as dt
import io
import random
import re
import shutil
import subprocess
import zipfile

import openpyxl
import polars as pl
import pyreadstat
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from lxml import etree

from registry.exports.data.datasets import short_name
from registry.instruments import catalogue
from registry.instruments.timepoints import SCHEDULE
from registry.models import AdverseEvent, Assessment, FollowUpEnd, Identity, Import, Patient
from registry.services.files import file_formats
from sites.tenancy.scope import everything
from tests.stats.oracle import lacking
from tests.transfer.conftest import EVENT, table, texts
from tests.transfer.exports.test_formats import ODM_SCHEMA
from tests.transfer.exports.test_round_trip import end, patient, row_of, write
from tests.transfer.imports.test_import_flow import columns_of, follow, values_of
from tests.working import PATIENCE

PATIENTS, VISITS, EVENTS, ENDS = 40, 120, 25, 12


@pytest.fixture
def registry(tmp_path, bring_in):
    """Forty patients with answers, reasons and gaps drawn from all that is allowed; two visits were not planned."""
    chance = random.Random(20261121)
    patients = [row_of(file_formats.PATIENTS, chance, patient(number, chance)) for number in range(PATIENTS)]
    planned = [(patient, visit.code, visit.day) for patient in patients for visit in SCHEDULE]
    visits = [*chance.sample(planned, VISITS), (patients[0], "u1", 50), (patients[0], "u10", 60)]
    assessments = [
        row_of(
            file_formats.ASSESSMENTS,
            chance,
            {
                "patient_id": item["patient_id"],
                "timepoint": code,
                "assessment_date": (dt.date.fromisoformat(item["surgery_date"]) + dt.timedelta(day)).isoformat(),
            },
        )
        for item, code, day in visits
    ]
    events = [
        row_of(
            file_formats.ADVERSE_EVENTS,
            chance,
            EVENT | {"patient_id": patient["patient_id"], "onset_date": patient["surgery_date"]},
        )
        for patient in patients[:EVENTS]
    ]
    folder = tmp_path / "in"
    folder.mkdir()
    ends = [end(item, chance, uses=("keep",)) for item in chance.sample(patients[2:], ENDS)]
    for file, rows in zip(file_formats.FILES, (patients, assessments, events, ends), strict=True):
        write(folder / file.filename, file, rows)
    report = bring_in(folder)
    assert (report.errors.shown, report.stored) == ([], True)


@pytest.fixture
def package(registry, tmp_path, as_system):
    """`package("sav", shape="wide")` is the data folder of an unpacked export."""

    def export(format, name="", **choices):
        name = name or format
        call_command("export_data", tmp_path / f"{name}.zip", format=format, stdout=io.StringIO(), **choices)
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name / "data"

    return export


def emptied():
    with everything():
        for model in (FollowUpEnd, AdverseEvent, Assessment, Identity, Patient):
            model.objects.all()._raw_delete("default")


def sheets(path):
    """Name of a sheet to its rows as dicts, of those that hold data."""
    book = openpyxl.load_workbook(path, read_only=True)
    by_name = {}
    for file in file_formats.FILES:
        header, *rows = book[file.name].iter_rows(values_only=True)
        by_name[file.name] = [dict(zip(header, row, strict=False)) for row in rows]
    return by_name


def without(rows, *names):
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def bring_in_workbook(browser, content, sheet_names, keep_out=()):
    """Import some sheets of a workbook through the pages; columns in `keep_out` are left out by a mapping."""
    upload = SimpleUploadedFile("metaspine.xlsx", content)
    address = browser.post("/import/", {"files": [upload]}).headers["Location"]
    follow(browser, address)
    browser.post(f"{address}reading/", {"sheets-0": sheet_names})
    page = browser.get(address, follow=True)
    if page.templates[0].name == "imports/import_columns.html":
        browser.post(f"{address}columns/", columns_of(page, **dict.fromkeys(keep_out, "")))
        page = browser.get(address, follow=True)
    if page.templates[0].name == "imports/import_values.html":
        browser.post(f"{address}values/", values_of(page))
        page = browser.get(address, follow=True)
    assert page.templates[0].name == "imports/report.html"
    errors = page.context["report"]["errors"]
    assert [(error.row, error.column, error.reason.en) for error in errors.shown[:5]] == []
    browser.post(address, {"reason": "from the archive", "alike": "on"})
    done = Import.objects.get(pk=address.strip("/").split("/")[1])
    assert done.status == "done"
    return done.counts["files"]


def test_the_registrys_own_files_as_a_workbook_go_round(registry, browser, take_out):
    """With dates of birth and free text: each CSV as a sheet, in and out again, byte by byte."""
    first = take_out("first")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for file in file_formats.FILES:
        sheet = book.create_sheet(file.name)
        with (first / file.filename).open(newline="", encoding="utf-8-sig") as stream:
            for line, row in enumerate(csv.reader(stream), 1):
                for column, text in enumerate(row, 1):
                    cell = sheet.cell(line, column, text or None)
                    cell.data_type = "s" if text else "n"  # never a formula
    content = io.BytesIO()
    book.save(content)
    emptied()
    counts = bring_in_workbook(browser, content.getvalue(), [file.name for file in file_formats.FILES])
    assert {name: count["new"] for name, count in counts.items()} == {
        "patients": PATIENTS, "assessments": VISITS + 2, "adverse_events": EVENTS, "follow_up_ends": ENDS,
    }  # fmt: skip
    assert texts(take_out("second")) == texts(first)


def test_an_exported_workbook_comes_in_again_but_for_the_age(package, browser):
    """Sheet by sheet: the patients' by a mapping, since a de-identified file has no date of birth."""
    path = package("xlsx", content=["items"]) / "metaspine.xlsx"
    before, content = sheets(path), path.read_bytes()
    emptied()
    assert bring_in_workbook(browser, content, ["patients"], keep_out=["age_at_surgery"])["patients"]["new"] == PATIENTS
    counts = bring_in_workbook(browser, content, ["assessments", "adverse_events", "follow_up_ends"])
    assert {name: count["new"] for name, count in counts.items()} == {
        "assessments": VISITS + 2, "adverse_events": EVENTS, "follow_up_ends": ENDS,
    }  # fmt: skip
    after = sheets(package("xlsx", "again", content=["items"]) / "metaspine.xlsx")
    assert after["assessments"] == before["assessments"]
    assert after["adverse_events"] == before["adverse_events"]
    assert after["follow_up_ends"] == before["follow_up_ends"]
    assert without(after["patients"], "age_at_surgery") == without(before["patients"], "age_at_surgery")


EVERYTHING = {"content": ["items", "totals", "hsuv", "changes"], "value_sets": ["JP", "UK"]}


def differing(names, expected, held):
    """The first cells in which two lists of rows differ: (row, column, in the CSV, in the other file)."""
    assert len(expected) == len(held)
    return [
        (place, name, row[name], other[name])
        for place, (row, other) in enumerate(zip(expected, held, strict=True))
        for name in names
        if row[name] != other[name]
    ][:5]


def test_parquet_holds_what_the_csv_says(package):
    for shape in ("long", "wide"):
        choices = EVERYTHING | {"shape": shape}
        expected, held = (package(format, f"{format}-{shape}", **choices) for format in ("csv", "parquet"))
        for path in sorted(expected.glob("*.csv")):
            frame, rows = pl.read_parquet(held / f"{path.stem}.parquet"), table(path)
            assert frame.columns == list(rows[0])
            there = [{name: as_text(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]
            assert differing(frame.columns, [numbers_plain(row) for row in rows], there) == []


def as_text(value):
    """A value of a data frame as CSV has it."""
    if value is None:
        return ""
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def numbers_plain(row):
    """HSUV and its changes to ten digits, as `as_text` writes them."""
    return {name: f"{float(text):.10g}" if "hsuv" in name and text else text for name, text in row.items()}


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_spss_and_stata_hold_labels_values_and_reasons_as_the_csv_says(package, shape):
    """Read with its labels, each cell is the label or number of the CSV, or the tag of the reason."""
    choices = EVERYTHING | {"missing": "tagged", "shape": shape}
    expected = package("csv", values="labels", **choices)
    for format in ("sav", "dta"):
        held = package(format, **choices)
        differences = {path.stem: _held_as_told(path, held, format) for path in sorted(expected.glob("*.csv"))}
        if shape == "long" and not lacking(("haven",)):  # R is beside this in CI
            assert differences["assessments"][2] > 0
            assert by_haven(held, format) == differences


def _held_as_told(path, held, format):
    """Hold a file of `format` against the CSV of the same table; returns its rows, columns and cells with a reason."""
    rows = table(path)
    read = {"sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}[format]
    frame, meta = read(held / f"{path.stem}.{format}", user_missing=True, output_format="polars")
    names = {short_name(name) if format == "dta" else name: name for name in rows[0]}
    assert frame.columns == list(names)
    if path.stem == "assessments" and "timepoint" in rows[0]:
        assert {"Unscheduled 1", "Unscheduled 10"} <= {row["timepoint"] for row in rows}
    there = [
        {names[name]: in_words(value, meta.variable_value_labels.get(name, {})) for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]
    assert differing(list(rows[0]), [numbers_plain(row) for row in rows], there) == []
    reasons = sum(re.fullmatch(r"\.[a-f]", cell) is not None for row in rows for cell in row.values())
    return [len(rows), len(rows[0]), reasons]


HAVEN = """
told <- lapply(commandArgs(TRUE), function(path) {
  frame <- if (grepl("sav$", path)) haven::read_sav(path, user_na = TRUE) else haven::read_dta(path)
  reasons <- vapply(frame, function(x) {
    if (inherits(x, "haven_labelled_spss")) sum(is.na(x) & !is.na(unclass(x))) else sum(haven::is_tagged_na(x))
  }, 0)
  cat(sub("[.].*", "", basename(path)), nrow(frame), ncol(frame), sum(reasons), sep = " ")
  cat("\\n")
})
"""


def by_haven(folder, format):
    """{name of a file: [rows, columns, cells with a reason]}, as haven reads them in R."""
    paths = [str(path) for path in sorted(folder.glob(f"*.{format}"))]
    done = subprocess.run(["Rscript", "-e", HAVEN, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: [*map(int, counts)] for name, *counts in map(str.split, done.stdout.splitlines())}


OFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
def test_libreoffice_shows_each_value_and_its_type(package, tmp_path):
    """A workbook, and the CSV with labels as one opens it by a double click: opened and saved by LibreOffice."""
    book = package("xlsx", **EVERYTHING) / "metaspine.xlsx"
    text = package("csv", "labelled", values="labels", **EVERYTHING) / "assessments.csv"
    saved = tmp_path / "saved"
    command = [OFFICE, f"-env:UserInstallation=file://{tmp_path}/office", "--headless", "--convert-to", "xlsx"]
    done = subprocess.run([*command, "--outdir", saved, book, text], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    written, held = openpyxl.load_workbook(book), openpyxl.load_workbook(saved / book.name)
    assert held.sheetnames == written.sheetnames
    for sheet in written:
        there = held[sheet.title].iter_rows(values_only=True)
        assert different_cells(sheet.iter_rows(values_only=True), there) == [], sheet.title
    types = {"integer": int, "number": float, "date": dt.datetime.fromisoformat}
    kinds = {
        column["column"]: str if column["codes"] else types.get(column["kind"], str)
        for column in table(text.parents[1] / "codebook.csv")
        if column["table"] == "assessments"
    }
    rows = [[None if text == "" else kinds[name](text) for name, text in row.items()] for row in table(text)]
    there = openpyxl.load_workbook(saved / "assessments.xlsx").active.iter_rows(min_row=2, values_only=True)
    assert different_cells(rows, there) == []


def different_cells(written, held):
    """The first cells in which two sheets differ, in value or type: (row, column, written, held). Excel's numbers have
    15 digits, the last of which is rounded, and no kinds.
    """

    def as_kept(cell):
        return (float, float(f"{cell:.12g}")) if isinstance(cell, (int, float)) else (type(cell), cell)

    return [
        (line, place, expected_cell, other)
        for line, (row, cells) in enumerate(zip(written, held, strict=True), 1)
        for place, (expected_cell, other) in enumerate(zip(row, cells, strict=True), 1)
        if as_kept(expected_cell) != as_kept(other)
    ][:5]


TAGS = {-901 - place: f".{tag}" for place, tag in enumerate("abcdef")}


def in_words(value, labels):
    """A cell of SPSS or Stata as the CSV with labels and tags writes it."""
    if value in TAGS:
        return TAGS[value]
    if isinstance(value, str) and value in "abcdef" and value and value in labels:
        return f".{value}"
    if value in labels:
        return GRADES.get(labels[value], labels[value])
    return as_text(value)


# SPSS and Stata number the grades, so their labels begin with the letter.
GRADES = {
    f"{choice.code} {choice.label.en}": choice.label.en
    for name in ("frankel", "clavien_dindo")
    for choice in catalogue.item(name).choices
}


def test_every_visit_of_an_odm_file_is_defined_in_it(package):
    document = etree.parse(str(package("odm") / "metaspine.odm.xml"))
    schema = etree.XMLSchema(etree.parse(str(ODM_SCHEMA)))
    assert schema.validate(document), schema.error_log
    spaces = {"o": "http://www.cdisc.org/ns/odm/v1.3"}
    held = set(document.xpath("//o:StudyEventData/@StudyEventOID", namespaces=spaces))
    defined = set(document.xpath("//o:StudyEventDef/@OID", namespaces=spaces))
    assert {"SE.u1", "SE.u10", "SE.follow_up_end"} < held <= defined
