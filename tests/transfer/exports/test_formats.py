"""What leaves in each format is what is stored, with its labels and the reasons for what is missing."""

import codecs
import datetime as dt
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import odmlib
import openpyxl
import polars as pl
import pyreadstat
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from fontTools.ttLib import TTFont
from lxml import etree

from registry.analysis.figures import fonts
from registry.exports import choices as asked
from registry.exports import codebook
from registry.exports.choices import Choices, InvalidChoices
from registry.exports.data.datasets import LONGEST_NAME, datasets, outputs, short_name
from registry.exports.data.selecting import ExportFailed, check_accounts, selected, shift_of
from registry.exports.formats import files, odm, ordering
from registry.exports.formats.text import write_csv as write_csv_rows
from registry.instruments import catalogue, extras, scores, value_sets
from registry.instruments.base import Choice, Label
from registry.instruments.timepoints import SCHEDULE
from registry.models import Assessment, Patient, Timepoint
from registry.services.files import file_formats
from registry.services.follow_up import visits
from registry.services.records.extras import switch
from registry.web.patients import extra_answers
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, EVENT, PATIENT, table, texts, write_csv

pytestmark = pytest.mark.long

ODM_SCHEMA = Path(odmlib.__file__).parent / "schemas" / "odm" / "1.3.2" / "ODM1-3-2.xsd"
REASONS = {"frankel": "", "frankel_missing": "too_ill", "pain_vas_mm": "", "pain_vas_mm_missing": "refused"}
FOLLOW_UP = {"timepoint": "1m", "assessment_date": "2024-02-09", "eq_vas": "55"}


@pytest.fixture
def registry(good, bring_in):
    """Three patients; N01-0001 before surgery and after one month, when two answers are missing for a reason."""
    assessments = [ASSESSMENT, ASSESSMENT | FOLLOW_UP | REASONS, ASSESSMENT | {"patient_id": "S01-0001"}]
    write_csv(good / "assessments.csv", assessments, list(ASSESSMENT | REASONS))
    write_csv(good / "adverse_events.csv", [EVENT | {"detail": "told by Mr Tanaka"}])
    assert bring_in(good).stored
    return good


@pytest.fixture
def package(registry, tmp_path, as_system):
    """`package(format="sav")` is the folder of an unpacked export."""

    def export(*, name="out", **choices):
        call_command("export_data", tmp_path / f"{name}.zip", stdout=io.StringIO(), **choices)
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return export


EVERYTHING = {"content": ["items", "totals", "hsuv", "changes"], "value_sets": ["JP", "US"]}


def test_long_csv_holds_every_item_total_utility_and_change(package):
    folder = package(**EVERYTHING)
    before, after, south = table(folder / "data" / "assessments.csv")
    for item in file_formats.ASSESSMENTS.items:
        assert before[item.name] == ASSESSMENT[item.name]
    assert (before["barthel_total"], before["eq5d_state"]) == ("50", "33333")
    for code in ("JP", "US"):
        assert float(before[f"hsuv_{code.lower()}"]) == value_sets.get(code).hsuv(33333)
        assert after[f"delta_hsuv_{code.lower()}"] == "0"
    assert (after["delta_eq_vas"], after["delta_pain_vas_mm"], before["delta_eq_vas"]) == ("15", "", "")
    assert (after["frankel"], after["frankel_missing"], south["frankel_missing"]) == ("", "too_ill", "")
    patient = table(folder / "data" / "patients.csv")[0]
    assert (patient["age_at_surgery"], patient["sins_class"], patient["segment_group"]) == (
        "73",
        "potentially_unstable",
        "cervical",
    )


@pytest.mark.parametrize("format", ["csv", "odm"])
def test_nothing_identifying_is_in_any_file(package, format):
    folder = package(format=format)
    content = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".csv", ".xml"))
    assert "1950-04-03" not in content
    assert "Tanaka" not in content


def test_wide_has_one_row_a_patient_and_a_column_a_timepoint(package):
    first, second, south = table(package(shape="wide", **EVERYTHING) / "data" / "patients.csv")
    assert (first["pain_vas_mm_preop"], first["pain_vas_mm_1m"], first["pain_vas_mm_1m_missing"]) == (
        "70",
        "",
        "refused",
    )
    assert (first["delta_eq_vas_1m"], "delta_eq_vas_preop" in first) == ("15", False)
    assert (second["frankel_preop"], south["frankel_preop"]) == ("", "C")
    assert (first["event_hematoma"], second["event_hematoma"], first["event_pneumonia"]) == ("1", "0", "0")


def test_labels_in_the_language_asked_for(package):
    japanese = package(values="labels", language="ja") / "data" / "patients.csv"
    assert japanese.read_bytes().startswith(codecs.BOM_UTF8)  # or Excel in Japan takes it for Shift_JIS
    row = table(japanese)[0]
    assert (row["sex"], row["primary_tumour"], row["vital_status"]) == ("男性", "肺", "死亡")
    row = table(package(values="labels", name="english") / "data" / "patients.csv")[0]
    assert (row["sex"], row["vital_status"]) == ("male", "dead")


def test_visits_instruments_and_states_of_forms_by_choice(package):
    chosen = {"timepoints": ["1m"], "instruments": ["frankel", "barthel"], "content": ["items", "states"]}
    folder = package(**chosen, missing="none", mark="yes") / "data"
    assert (folder / "assessments.csv").read_bytes().startswith(codecs.BOM_UTF8)
    (visit,) = table(folder / "assessments.csv")
    barthel = [name for name in ASSESSMENT if name.startswith("barthel_")]
    assert [*visit] == ["patient_id", "timepoint", "assessment_date", "state", "frankel", *barthel]
    assert (visit["patient_id"], visit["timepoint"], visit["state"]) == ("N01-0001", "1m", "complete")
    patients = table(folder / "patients.csv")
    assert [*patients[0]] == ["patient_id", "site_code", "baseline_state", "surgery_state"]
    wide = table(package(**chosen, shape="wide", missing="none", name="wide") / "data" / "patients.csv")
    assert not (folder.parent.parent / "wide" / "data" / "patients.csv").read_bytes().startswith(codecs.BOM_UTF8)
    assert [name for name in wide[0] if name.startswith(("frankel", "state"))] == ["state_1m", "frankel_1m"]


def test_days_since_surgery_and_no_date(package):
    folder = package(dates="days")
    assert [row["assessment_day"] for row in table(folder / "data" / "assessments.csv")] == ["-1", "30", "-1"]
    patient = table(folder / "data" / "patients.csv")[0]
    assert (patient["consent_day"], patient["death_day"]) == ("-2", "417")
    assert table(folder / "data" / "adverse_events.csv")[0]["onset_day"] == "2"
    assert "2024-" not in (folder / "data" / "patients.csv").read_text()


@pytest.mark.parametrize("format", ["sav", "dta"])
def test_a_day_long_before_surgery_is_no_missing_value(package, as_system, format):
    with as_system(reason="test"):
        Patient.objects.filter(pk="N01-0001").update(rt_before_date=dt.date(2021, 7, 21))
    folder = package(dates="days", missing="tagged", format=format, content=["items", "extras"])
    read = {"sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}[format]
    frame, meta = read(folder / "data" / f"patients.{format}", output_format="polars")
    assert frame["rt_before_day"][0] == -903
    assert "rt_before_day" not in meta.missing_ranges and "rt_before_day_missing" in frame.columns


def test_shifted_dates_keep_every_interval_and_are_the_same_each_time(package, settings):
    plain = table(package(name="plain") / "data" / "assessments.csv")
    first = table(package(name="first", dates="shifted") / "data" / "assessments.csv")
    assert first == table(package(name="second", dates="shifted") / "data" / "assessments.csv")
    for ours, other in zip(plain, first, strict=True):
        days = (dt.date.fromisoformat(other["assessment_date"]) - dt.date.fromisoformat(ours["assessment_date"])).days
        assert days == shift_of(ours["patient_id"]) != 0
    settings.EXPORT_KEY = "another deployment's secret"
    assert first != table(package(name="third", dates="shifted") / "data" / "assessments.csv")


def test_a_folder_for_each_site(package):
    folder = package(by_site=True)
    north, south = (table(folder / "data" / code / "patients.csv") for code in ("N01", "S01"))
    assert [row["patient_id"] for row in north + south] == ["N01-0001", "N01-0002", "S01-0001"]
    assert json.loads((folder / "manifest.json").read_text())["rows"]["patients"] == 3


def test_a_cohort_says_who_was_excluded_and_why(package):
    manifest = json.loads((package(cohort="segi2024") / "manifest.json").read_text())
    patients = manifest["patients"]
    assert patients["enrolled"] == 3 == patients["exported"] + sum(patient["n"] for patient in patients["excluded"])
    assert len(patients["excluded"]) == 3


def test_rows_that_do_not_add_up_fail_and_leave_no_file(registry, tmp_path, as_system, monkeypatch):
    with as_system() as scope, selected(Choices(), scope.read) as chosen:
        check_accounts(chosen, {"patients": (3, 3), "assessments": (3, 3)})
        with pytest.raises(ExportFailed, match="2 rows were written where there are 3"):
            check_accounts(chosen, {"patients": (3, 3), "assessments": (2, 3)})
    with pytest.raises(CommandError, match="no cohort"):
        call_command("export_data", tmp_path / "none.zip", cohort="nobody")
    assert list(tmp_path.glob("*none*")) == []


def test_the_manifest_has_the_hash_of_each_file(package, tmp_path):
    import hashlib

    folder = package()
    manifest = json.loads((folder / "manifest.json").read_text())
    hashes = {file["name"]: file["sha256"] for file in manifest["files"]}
    result = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(hashes) == result - {"manifest.json"}
    for name, digest in hashes.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["snapshot"] is None


def test_the_codebook_tells_every_column(package):
    folder = package(shape="wide", **EVERYTHING)
    columns = [row["column"] for row in table(folder / "codebook.csv") if row["table"] == "patients"]
    assert columns == list(table(folder / "data" / "patients.csv")[0])
    assert (folder / "codebook.pdf").read_bytes().startswith(b"%PDF")
    page = (folder / "codebook.html").read_text()
    assert all(f"<code>{name}</code>" in page for name in columns)
    dictionary = table(folder / "redcap_dictionary.csv")
    frankel = next(row for row in dictionary if row["Variable / Field Name"] == "frankel")
    assert frankel["Choices, Calculations, OR Slider Labels"].startswith("A, complete | B, ")


# The same values in every format


def stored():
    """(patient, timepoint) to what the database holds of an assessment."""
    names = ("frankel", "ecog_ps", "pain_vas_mm", "barthel_total", "eq_vas", "assessment_date")
    with everything():
        return {
            (assessment.patient_id, assessment.timepoint_id): {n: getattr(assessment, n) for n in names}
            for assessment in Assessment.objects.all()
        }


def test_excel_reads_back_equal(package):
    book = openpyxl.load_workbook(package(format="xlsx") / "data" / "metaspine.xlsx", read_only=True)
    header, *rows = book["assessments"].iter_rows(values_only=True)
    for row in rows:
        item = dict(zip(header, row, strict=False))
        expected = stored()[item["patient_id"], item["timepoint"]]
        day = item["assessment_date"]
        assert {n: item[n] for n in expected} | {"assessment_date": day.date()} == expected
    assert {*(file.name for file in file_formats.FILES), "codebook", "about"} == set(book.sheetnames)


def test_parquet_reads_back_equal(package):
    frame = pl.read_parquet(package(format="parquet") / "data" / "assessments.parquet")
    assert frame.schema["frankel"] == pl.Enum(["A", "B", "C", "D", "E"])
    assert frame.schema["pain_vas_mm"] == pl.Int16
    for row in frame.iter_rows(named=True):
        expected = stored()[row["patient_id"], row["timepoint"]]
        assert {n: row[n] for n in expected} == expected
    assert frame["frankel_missing"].to_list() == [None, "too_ill", None]


def numbers(expected):
    """A stored assessment as SPSS and Stata hold it: the place of a code, from 1."""
    return expected | {"frankel": expected["frankel"] and "ABCDE".index(expected["frankel"]) + 1}


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_spss_reads_back_equal_with_its_missing_values(package, shape):
    folder = package(format="sav", missing="tagged", shape=shape)
    name, at = ("assessments", "") if shape == "long" else ("patients", "_1m")
    frame, meta = pyreadstat.read_sav(folder / "data" / f"{name}.sav", user_missing=True, output_format="polars")
    row = frame.row(1 if shape == "long" else 0, named=True)
    assert (row[f"frankel{at}"], row[f"pain_vas_mm{at}"], row[f"eq_vas{at}"]) == (-905, -904, 55)
    assert meta.variable_value_labels[f"frankel{at}"][-905] == "Too ill"
    assert meta.missing_ranges[f"frankel{at}"] == [{"lo": -906.0, "hi": -901.0}]
    assert meta.column_names_to_labels["patient_id"] == "Patient ID"
    if shape == "long":
        plain, _ = pyreadstat.read_sav(folder / "data" / "assessments.sav", output_format="polars")
        codes = [visit.code for visit in outputs_of("timepoint")]
        for exported in plain.iter_rows(named=True):
            expected = numbers(stored()[exported["patient_id"], codes[int(exported["timepoint"]) - 1]])
            assert {n: exported[n] for n in expected} == expected


def outputs_of(name):
    choices = Choices()
    return next(v.choices for d in datasets(choices) for v in d.variables if v.name == name)


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_stata_reads_back_equal_with_its_missing_values(package, shape):
    folder = package(format="dta", missing="tagged", shape=shape)
    name, at = ("assessments", "") if shape == "long" else ("patients", "_1m")
    frame, meta = pyreadstat.read_dta(folder / "data" / f"{name}.dta", user_missing=True, output_format="polars")
    row = frame.row(1 if shape == "long" else 0, named=True)
    assert (row[f"frankel{at}"], row[f"pain_vas_mm{at}"], row[f"eq_vas{at}"]) == ("e", "d", 55)
    assert [*meta.variable_value_labels[f"frankel{at}"].values()][:5] == [
        "A complete", "B sensory only", "C motor useless", "D motor useful", "E normal",
    ]  # fmt: skip
    assert meta.variable_value_labels[f"frankel{at}"]["e"] == "Too ill"
    if shape == "long":
        plain, _ = pyreadstat.read_dta(folder / "data" / "assessments.dta", output_format="polars")
        codes = [visit.code for visit in outputs_of("timepoint")]
        for exported in plain.iter_rows(named=True):
            expected = numbers(stored()[exported["patient_id"], codes[int(exported["timepoint"]) - 1]])
            assert {n: exported[n] for n in expected} == expected


def test_an_order_is_of_the_codes_and_not_of_the_reasons_beside_them(db):
    written = {output.name: output for dataset in datasets(Choices()) for output in outputs(dataset, Choices())}
    assert ordering.is_ordered(written["frankel"]) and not ordering.is_ordered(written["frankel_missing"])
    six = [Choice(letter, Label(letter * 2, letter * 2)) for letter in "ABCDEF"]  # as many as there are reasons
    reasons = written["frankel_missing"]
    reasons = replace(reasons, variable=replace(reasons.variable, choices=tuple(six)))
    assert [ordering.label_of(reasons, place, "en") for place in (0, 5)] == ["Not applicable", "Dead"]


def test_names_for_stata_are_short_and_differ(db):
    choices = Choices(format="dta", shape="wide", content=("items", "totals", "hsuv", "changes"))
    for dataset in datasets(choices):
        names = [short_name(output.name) for output in outputs(dataset, choices)]
        assert len(set(names)) == len(names)
        assert max(map(len, names)) <= LONGEST_NAME


def test_json_lines_hold_the_values_themselves(package):
    lines = (package(format="jsonl") / "data" / "assessments.jsonl").read_text().splitlines()
    for resource in map(json.loads, lines):
        expected = stored()[resource["patient_id"], resource["timepoint"]]
        day = expected["assessment_date"].isoformat()
        assert {n: resource[n] for n in expected} == expected | {"assessment_date": day}


def test_odm_is_valid_and_holds_every_answer(package):
    document = etree.parse(
        str(package(format="odm", content=["items", "totals", "hsuv", "states"]) / "data" / "metaspine.odm.xml")
    )
    schema = etree.XMLSchema(etree.parse(str(ODM_SCHEMA)))
    assert schema.validate(document), schema.error_log
    spaces = {"o": "http://www.cdisc.org/ns/odm/v1.3"}

    def xpath(path):
        return document.xpath(path, namespaces=spaces)

    assert xpath("//o:SubjectData/@SubjectKey") == ["N01-0001", "N01-0002", "S01-0001"]
    path_of_items = "//o:SubjectData[@SubjectKey='N01-0001']/o:StudyEventData[@StudyEventOID='SE.1m']//o:ItemData"
    assert xpath(f"{path_of_items}[@ItemOID='I.eq_vas']/@Value") == ["55"]
    assert xpath(f"{path_of_items}[@ItemOID='I.frankel'][@IsNull='Yes']//o:FlagValue/text()") == ["too_ill"]
    references = {*xpath("//o:ItemData/@ItemOID")}
    assert references <= {*xpath("//o:ItemDef/@OID")}
    lists = {*xpath("//o:CodeListRef/@CodeListOID"), *xpath("//o:FlagValue/@CodeListOID")}
    assert lists <= {*xpath("//o:CodeList/@OID")}


def test_odm_holds_what_xml_would_read_as_its_own():
    (units,) = odm._units(['"<5>" & ½'])
    (event,) = [odm._event("SE.x", Label("a\x0bb", "い\x0bろ"), "No", "Common", [])]
    assert event.get("Name") == "a\ufffdb" and [text.text for text in event.iter("TranslatedText")] == [
        "a\ufffdb",
        "い\ufffdろ",
    ]
    assert etree.fromstring(etree.tostring(units)).find("MeasurementUnit").get("OID") == 'MU."<5>" & ½'
    group = etree.Element("ItemGroupData")
    odm._add_item(group, SimpleNamespace(name="note"), "a\x0bb\n<c>\U0001f9b4", None)
    assert etree.fromstring(etree.tostring(group))[0].get("Value") == "a\ufffdb\n<c>\U0001f9b4"


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize("values", ["codes", "labels"])
def test_r_reads_the_files_with_labels_and_reasons(package, values):
    folder = package(missing="tagged", values=values)
    script = """
        source("read_metaspine.R", encoding = "UTF-8")
        x <- assessments
        cat(nrow(x), x$pain_vas_mm[1], is.na(x$pain_vas_mm[2]), as.character(attr(x$pain_vas_mm, "missing_reason")[2]),
            as.character(x$frankel[1]), as.character(attr(x$frankel, "missing_reason")[2]), attr(x$frankel, "label"),
            class(x$assessment_date), format(x$assessment_date[2]), as.character(patients$sex[1]), sep = "\\n")
        kept <- x[x$timepoint == x$timepoint[2], ]
        cat(as.character(kept$pain_vas_mm_missing), is.ordered(x$frankel), is.ordered(x$ecog_ps), x$ecog_ps_points[1],
            substr(as.character(x$ecog_ps[1]), 1, 2), is.ordered(patients$sex), patients$lesion_levels_C7[1],
            patients$lesion_levels_L5[1], sep = "\\n")
    """
    read = {"cwd": folder / "data", "capture_output": True, "text": True, "check": True}
    out = subprocess.run(["Rscript", "-e", script], env={**os.environ, "LC_ALL": "C"}, **read)
    grade = next(f"C {output.label.en}" for output in outputs_of("frankel") if output.code == "C")
    assert out.stdout.strip().split("\n") == [
        "3", "70", "TRUE", "Refused", grade, "Too ill", "Frankel grade", "Date", "2024-02-09", "male",
        "Refused", "TRUE", "TRUE", "3", "3 ", "FALSE", "TRUE", "FALSE",
    ]  # fmt: skip


def test_the_sas_script_reads_every_column(package):
    folder = package(missing="tagged")
    script = (folder / "data" / "read_metaspine.sas").read_text()
    for name in ("patients", "assessments", "adverse_events"):
        step = script.split(f"data {name};")[1].split("run;")[0]
        read = step.split("  input ")[1].split(";")[0].replace("$", "").split()
        columns = table(folder / "data" / f"{name}.csv")[0]
        assert [part.lstrip("_") for part in read] == [short_name(column) for column in columns]
    assert 'when (".e") pain_vas_mm = .E;' in script
    # Frankel is a text: its tag stays, and has a label.
    assert '"E" = "normal" ".a" = "Not applicable"' in script


def test_the_sas_script_reads_the_files_of_all_sites(package):
    folder = package(by_site=True)
    script = (folder / "data" / "read_metaspine.sas").read_text()
    listed = re.findall(r'"&folder[.]/([^"]+)"', script)
    assert sorted(listed) == sorted(str(path.relative_to(folder / "data")) for path in folder.glob("data/*/*.csv"))


def test_a_further_format_is_a_module_and_a_line(package, monkeypatch):
    def write(stream, sql, written, tick):
        rows = io.BytesIO()
        count = write_csv_rows(rows, sql, written, tick)
        stream.write(rows.getvalue().replace(b",", b"\t"))
        return count

    module = ModuleType("registry.exports.formats.tsv")
    module.tsv_files = lambda archive, part: files.streams(archive, part, write)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    line = asked.Format("tsv", Label("Tab-separated", "タブ区切り"), "tsv", "tsv.tsv_files")
    monkeypatch.setattr(asked, "FORMATS", (*asked.FORMATS, line))
    monkeypatch.setitem(asked.OFFERED, "format", asked.FORMATS)
    folder = package(format="tsv")
    assert (folder / "data" / "patients.tsv").read_text().startswith("patient_id\tsite_code\t")
    assert "Format: Tab-separated" in (folder / "README.txt").read_text()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_codebook_as_pdf_shows_every_letter_and_comes_out_the_same(language, db):
    choices = asked.from_json({"shape": "wide", "language": language} | EVERYTHING)
    lines = codebook._lines_of_pdf(choices, "A note")
    letters = {letter for line in lines for text in line for letter in text}
    assert letters <= {chr(code) for code in TTFont(fonts.japanese()).getBestCmap()}
    assert any("ぁ" <= letter <= "ん" for letter in letters) == (language == "ja")
    made = codebook.as_pdf(choices, "Codebook", "A note")
    assert made.count(b"/Type /Page\n") == -(-len(lines) // codebook.LINES)
    assert b"IPAexGothic" in made and made == codebook.as_pdf(choices, "Codebook", "A note")


def test_the_codebook_says_what_a_tag_means(package):
    tags = "該当なし", ".a = ", "値の位置にある欠測理由"
    page = (package(missing="tagged", language="ja") / "codebook.html").read_text()
    assert all(tag in page for tag in tags)
    assert tags[2] not in (package(language="ja") / "codebook.html").read_text()


# Choices


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"format": "doc"}, "format"),
        ({"missing": "tagged", "format": "parquet"}, "missing"),
        ({"content": []}, "content"),
        ({"content": ["hsuv"], "value_sets": []}, "value_sets"),
        ({"value_sets": ["XX"]}, "value_sets"),
        ({"snapshot": "yesterday"}, "snapshot"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(given, field):
    with pytest.raises(InvalidChoices) as refused:
        asked.from_json(given)
    assert refused.value.field == field


def test_choices_go_to_json_and_back():
    choices = Choices(format="sav", shape="wide", missing="tagged", dates="days", by_site=True)
    assert asked.from_json(json.loads(json.dumps(choices.to_json()))) == choices


@pytest.mark.django_db
def test_a_text_that_begins_like_a_formula_is_guarded(north):
    guarded = file_formats.guarded_sql("%s::text")
    with connection.cursor() as cursor:
        for text in ("=1+1", "+1", "-1", "@sum", "\tx", "\rx"):
            cursor.execute(f"SELECT {guarded}", [text] * guarded.count("%s"))
            assert cursor.fetchone()[0] == "'" + text


EXTRAS = {
    "primary_detail": "lung", "targeted_drug": 0, "visceral_spread": 1, "visceral_treatability": 2,
    "skeletal_metastases": 2, "previous_chemotherapy": 0, "walks_independently": 1, "albumin_g_dl": "3.6",
    "crp_mg_dl": "0.40", "ldh_iu_l": 200, "platelets_1000_ul": 210, "calcium_mg_dl": "9.1", "bilirubin_mg_dl": "0.6",
    "rt_before": "none", "local_recurrence": "present", "local_recurrence_date": "2024-06-01",
}  # fmt: skip


@pytest.fixture
def with_extras(registry):
    """N01-0001 with extras: a patient of lung cancer, ECOG 3 before surgery."""
    with everything(reason="test"), transaction.atomic():
        Patient.objects.filter(pk="N01-0001").update(**EXTRAS)
        before = Assessment.objects.filter(patient_id="N01-0001", timepoint_id="preop")
        before.update(kps=50, escc="1c", cobb_deg="-4.5", cobb_upper="C6", missing={"ais": "not_applicable"})


def test_extras_go_out_where_they_are_asked_for(package, with_extras):
    parts = ["items", "totals"]
    plain = package(content=parts, name="plain")
    assert "kps" not in table(plain / "data" / "assessments.csv")[0]
    assert "tomita_score" not in table(plain / "data" / "patients.csv")[0]
    folder = package(content=[*parts, "extras"])
    before, after, _south = table(folder / "data" / "assessments.csv")
    names = ("kps", "escc", "cobb_deg", "cobb_upper", "ais", "ais_missing")
    assert [before[name] for name in names] == ["50", "1c", "-4.5", "C6", "", "not_applicable"]
    assert [after[name] for name in names] == [""] * 6
    first, second, _third = table(folder / "data" / "patients.csv")
    assert {name: first[name] for name in EXTRAS} == {name: str(value) for name, value in EXTRAS.items()}
    scores = [f"{score}_score" for score in ("tomita", "bauer", "nesms", "katagiri")]
    # rapid 4 + treatable 2 + multiple 2; nothing; walks and albumin; 3 + nodular 1 + abnormal 1 + ECOG 1 + multiple 1
    assert [first[name] for name in scores] == ["8", "0", "2", "7"]
    assert [second[name] for name in scores] == ["", "", "", ""]
    assert (
        list(first)[: len(file_formats.PATIENTS.columns)]
        == list(table(plain / "data" / "patients.csv")[0])[: len(file_formats.PATIENTS.columns)]
    )
    book = {row["column"]: row for row in table(folder / "codebook.csv")}
    assert book["nesms_score"]["label_en"].endswith("(provisional)")
    assert "Katagiri H" in book["katagiri_score"]["source"]


LIMITS = {  # answers on both sides of each limit of the laboratory
    "platelets_1000_ul": ("99", "100"), "calcium_mg_dl": ("10.2", "10.3"), "bilirubin_mg_dl": ("1.3", "1.4"),
    "crp_mg_dl": ("0.39", "0.40"), "ldh_iu_l": ("249", "250"), "albumin_g_dl": ("3.4", "3.5", "3.6", "3.7"),
}  # fmt: skip


@pytest.fixture
def crowd(registry, good, bring_in):
    """Forty patients more, with random answers to everything that a total or a score is made of; a few lack one."""
    chance = random.Random(23)
    scored = [*catalogue.items((catalogue.TOKUHASHI, catalogue.SINS))]
    asked = [*catalogue.items((catalogue.BARTHEL, catalogue.EQ5D5L, catalogue.ECOG_PS))]
    names = [f"N01-{place:04d}" for place in range(1000, 1040)]

    def drawn(items):
        return {item.name: str(chance.choice([choice.code for choice in item.form_choices])) for item in items}

    patients = [
        PATIENT | drawn(scored) | {"patient_id": name, "birth_date": f"{chance.randint(1924, 1990)}-04-03"}
        for name in names
    ]
    write_csv(good / "patients.csv", patients)
    before = [ASSESSMENT | drawn(asked) | {"patient_id": name, "ecog_ps_missing": ""} for name in names[:-2]]
    before[0] |= {"ecog_ps": "", "ecog_ps_missing": "unknown"}
    write_csv(good / "assessments.csv", before)
    write_csv(good / "adverse_events.csv", [EVENT | {"patient_id": names[0]}])
    assert bring_in(good).stored
    with everything(reason="test"), transaction.atomic():
        for place, name in enumerate(names):
            answers = {
                item.name: item.clean(chance.choice(LIMITS[item.name])) if item.name in LIMITS else item.clean(code)
                for item in catalogue.items((catalogue.CHARLSON, catalogue.PROGNOSIS))
                for code in [chance.choice(item.codes) if item.choices else None]
            }
            answers |= dict.fromkeys(("tomita_growth", "katagiri_growth")) if place % 2 else {}
            answers |= {chance.choice(sorted(answers)): None} if place % 5 == 0 else {}
            Patient.objects.filter(pk=name).update(**answers)
        for code in extras.SWITCHES:
            switch(access=None, code=code, on=True)
    return names


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_a_file_and_a_page_say_the_same_score(package, crowd, shape):
    """SQL writes the file, generated columns hold the totals, and Python computes what the page shows: all agree."""
    folder = package(content=["items", "totals", "hsuv", "extras"], shape=shape, value_sets=["JP"])
    rows = {row["patient_id"]: row for row in table(folder / "data" / "patients.csv")}
    scores_given = dict.fromkeys((score.column for score in scores.SCORES), 0)
    with everything(reason="test"), transaction.atomic():
        recorded = {assessment.patient_id: assessment for assessment in Assessment.objects.filter(patient_id__in=crowd)}
        for patient in Patient.objects.filter(pk__in=crowd):
            row, assessment = rows[patient.pk], recorded.get(patient.pk)
            known = {"preop": assessment} if assessment else {}
            course = visits.visits(patient, SCHEDULE, known, patient.surgery_date, None)
            for shown in extra_answers.of(patient, course)["scores"]:
                assert row[shown.score.column] == _written(shown.value), (patient.pk, shown.score.code)
                scores_given[shown.score.column] += shown.value is not None
            of_patient = catalogue.derive(
                {item.name: getattr(patient, item.name, None) for item in catalogue.ALL_ITEMS}
            )
            for instrument in catalogue.OF_PATIENT:
                for derived in instrument.derived:
                    assert row[derived.name] == _written(of_patient[derived.name]), (patient.pk, derived.name)
            if shape == "wide" and assessment:
                state = assessment.eq5d_state
                assert row["eq5d_state_preop"] == str(state)
                assert float(row["hsuv_jp_preop"]) == value_sets.get("JP").hsuv(state)
                assert row["barthel_total_preop"] == str(sum(getattr(assessment, item) for item in BARTHEL))
    assert all(count >= 20 for count in scores_given.values()), scores_given


@pytest.fixture
def angles(registry):
    """Visits of three patients, one week after surgery too, angles in any posture and grades of ESCC or without."""
    chance = random.Random(9)
    with everything(reason="test"), transaction.atomic():
        Timepoint.objects.create(code="1w", label="1 week", label_ja="1週", position=7)
        for patient in Patient.objects.all():
            for place, code in enumerate(("preop", "1w", "1m", "3m", "6m", "12m", "24m")):
                answers = {
                    "cobb_deg": chance.choice([None, *map(Decimal, ("-3.5", "0.0", "9.0", "21.5", "30.0"))]),
                    "cobb_posture": chance.choice(["standing", "standing", "supine", None]),
                    "escc": chance.choice([None, "0", "1c", "2", "3"]),
                    "site_id": patient.site_id,
                    "assessment_date": dt.date(2024, 3, 1) + dt.timedelta(days=30 * place - 100 * (code == "3m")),
                }
                answers |= {"cobb_deg": Decimal("9.0"), "cobb_posture": "standing"} if code == "1w" else {}
                Assessment.objects.update_or_create(patient=patient, timepoint_id=code, defaults=answers)


def test_a_file_and_a_page_say_the_same_of_angles_and_of_the_cord(package, angles):
    long, wide = (package(content=["items", "extras"], shape=shape, name=shape) for shape in ("long", "wide"))
    rows = {(row["patient_id"], row["timepoint"]): row for row in table(long / "data" / "assessments.csv")}
    side_by_side = {row["patient_id"]: row for row in table(wide / "data" / "patients.csv")}
    asked_of = [instrument for instrument in catalogue.OF_ASSESSMENT if instrument.code in ("cobb", "escc")]
    scores_given = dict.fromkeys(("cobb_correction", "cobb_correction_loss", "escc_compression"), 0)
    labels = dict(
        zip(scores_given, ("Correction", "Loss of correction", "Cord compressed (grades 2 and 3)"), strict=True)
    )
    with everything(reason="test"), transaction.atomic():
        for patient in Patient.objects.all():
            course = list(Assessment.objects.filter(patient=patient).order_by("assessment_date"))
            cells = dict(row for _, answers in extra_answers.course(asked_of, course) for row in answers)
            for name, label in labels.items():
                for assessment, cell in zip(course, cells[label], strict=True):
                    said = {"yes": "1", "no": "0"}.get(cell.lower(), "")
                    if cell.endswith(" deg"):
                        said = cell.removesuffix(" deg").replace("−", "-").lstrip("+")
                    assert rows[patient.pk, assessment.timepoint_id][name] == said, (
                        patient.pk,
                        assessment.timepoint_id,
                        name,
                    )
                    assert side_by_side[patient.pk].get(f"{name}_{assessment.timepoint_id}", said) == said
                    scores_given[name] += said != ""
    assert (
        scores_given["cobb_correction"]
        and scores_given["cobb_correction_loss"] >= 3
        and scores_given["escc_compression"] >= 10
    ), scores_given
    assert {"cobb_correction_1w", "cobb_correction_loss_24m", "escc_compression_preop"} <= side_by_side[
        "N01-0001"
    ].keys()
    book = {row["column"]: row for row in table(long / "codebook.csv")}
    assert [book[name]["unit"] for name in scores_given] == ["deg", "deg", ""]
    assert [book[name]["higher_is"] for name in scores_given] == ["better", "worse", "worse"]
    assert book["escc_compression"]["codes"].startswith("0 = no")


BARTHEL = [item.name for item in catalogue.BARTHEL.items]


def _written(value):
    return "" if value is None else str(value)


@pytest.mark.parametrize("choices", [{"format": "sav"}, {"format": "dta"}, {"format": "parquet", "shape": "wide"},
                                     {"format": "odm"}, {"format": "xlsx", "dates": "days"}], ids=str)  # fmt: skip
def test_every_format_takes_the_extras(package, with_extras, choices):
    folder = package(content=["items", "totals", "extras"], **choices)
    assert any(folder.rglob("*.*"))
    if choices["format"] == "parquet":
        row = pl.read_parquet(folder / "data" / "patients.parquet").row(0, named=True)
        assert (row["kps_preop"], row["cobb_deg_preop"], row["katagiri_score"]) == (50, -4.5, 7)
    if choices["format"] == "odm":
        etree.XMLSchema(file=str(ODM_SCHEMA)).assertValid(etree.parse(next(folder.rglob("*.xml"))))


def test_the_contract_files_are_the_same_to_the_byte_with_extras(good, bring_in, take_out, registry):
    first = texts(take_out("first"))
    with everything(reason="test"), transaction.atomic():
        for code in extras.SWITCHES:
            switch(access=None, code=code, on=True)
        Patient.objects.filter(pk="N01-0001").update(**EXTRAS)
        Assessment.objects.update(kps=50)
    out = take_out("second")
    assert texts(out) == first
    assert {(count.new, count.changed) for count in bring_in(out).counts.values()} == {(0, 0)}
    with everything():
        assert set(Assessment.objects.values_list("kps", flat=True)) == {50}
