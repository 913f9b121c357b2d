"""Bulk reads: the rows of an export, streamed; who may read them; the columns explained."""

import io
import json
import zipfile

import polars as pl
import pytest

from registry.exports import jobs
from registry.models import Export
from registry.services.entry.assessments import save_assessment
from sites.models import AuditEvent
from sites.tenancy.scope import everything
from tests.conftest import TODAY
from tests.web.conftest import ASSESSMENT
from tests.working import export_path

pytestmark = pytest.mark.usefixtures("folder")
WHOLE = "content=items,totals,hsuv,changes&value_sets=JP,US"


@pytest.fixture
def assessed(alice, charlie, enrolled, as_person):
    """A patient of North before surgery and a month later, one of South before surgery: their numbers."""
    rows = []
    for user, visits in ((alice, ("preop", "1m")), (charlie, ("preop",))):
        patient = enrolled(user)
        rows.append(patient.pk)
        with as_person(user) as access:
            for visit in visits:
                answers = ASSESSMENT | {"pain_vas_mm": "20" if visit == "1m" else "70"}
                missing = {"eq_vas": "refused"}
                answers.pop("eq_vas")
                save_assessment(
                    access=access, patient=patient, timepoint=visit, raw=answers, missing=missing, today=TODAY
                )
    return rows


def body(answer):
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def lines(answer):
    return [json.loads(line) for line in body(answer).splitlines()]


def exported(asking, **choices):
    """The archive of an export that a worker has written."""
    job = asking.post("exports", choices).json()
    assert jobs.perform(job["id"], reporting=False)
    return zipfile.ZipFile(export_path(Export.objects.get(pk=job["id"])))


@pytest.mark.parametrize("shape", ["long", "wide"])
@pytest.mark.parametrize(("kind", "extension"), [("csv", "csv"), ("jsonl", "jsonl")])
def test_a_stream_has_the_bytes_of_the_exports_file(assessed, program, bob, kind, extension, shape):
    asking = program(bob)
    choices = {"content": ["items", "totals", "hsuv", "changes"], "value_sets": ["JP", "US"], "shape": shape}
    tables = asking.get(f"data?shape={shape}&{WHOLE}").json()["tables"]
    with exported(asking, format=kind, **choices) as archive:
        assert {f"data/{table['name']}.{extension}" for table in tables} <= set(archive.namelist())
        for table in tables:
            sent = asking.get(table["address"], accept="text/csv" if kind == "csv" else "application/x-ndjson")
            assert body(sent) == archive.read(f"data/{table['name']}.{extension}"), table["name"]


def test_hsuv_changes_and_reasons_are_in_the_rows(assessed, program, alice):
    before, after = lines(program(alice).get(f"data/assessments?{WHOLE}"))
    assert (before["timepoint"], after["timepoint"]) == ("preop", "1m")
    assert 0 < before["hsuv_jp"] < 1 and before["hsuv_us"] != before["hsuv_jp"]
    assert (before["delta_pain_vas_mm"], after["delta_pain_vas_mm"], after["delta_hsuv_jp"]) == (None, -50, 0)
    assert (after["eq_vas"], after["eq_vas_missing"]) == (None, "refused")


def test_parquet_is_read_by_polars_with_its_types(assessed, program, bob):
    frame = pl.read_parquet(io.BytesIO(body(program(bob).get("data/assessments?format=parquet"))))
    assert frame.height == 3 and frame.schema["frankel"] == pl.Enum(["A", "B", "C", "D", "E"])
    assert frame.schema["assessment_date"] == pl.Date


def test_only_the_columns_and_sites_asked_for_are_read(assessed, program, bob):
    asked = "data/assessments?fields=eq_vas_missing,patient_id&site_code=S01&format=csv"
    assert body(program(bob).get(asked)).decode() == f"eq_vas_missing,patient_id\nrefused,{assessed[1]}\n"


def test_a_site_that_is_not_the_readers_is_refused_as_one_that_is_not_there(assessed, program, alice):
    others, nobodys = (program(alice).get(f"data/patients?site_code={code}") for code in ("S01", "S99"))
    assert (others.status_code, others.json()["errors"]) == (400, nobodys.json()["errors"])


def test_each_reads_the_own_sites_and_each_reading_is_on_record(assessed, program, alice, bob, mona):
    assert {row["patient_id"] for row in lines(program(alice).get("data/patients"))} == {assessed[0]}
    assert [row["patient_id"] for row in lines(program(bob).get("data/patients"))] == assessed
    assert program(mona).get("data/patients").status_code == 403  # a monitor exports nothing
    assert program(bob, "read", "write").get("data/patients").status_code == 403  # nor does such a token
    with everything():
        by_alice = AuditEvent.objects.get(action="export", user_id=alice.pk)
        assert by_alice.new == {
            "format": "jsonl", "cohort": "all", "sites": 1, "identified": False, "rows": {"patients": 1},
            "streamed": True,
        }  # fmt: skip


def test_who_is_left_out_is_counted_with_the_reason(assessed, program, bob, as_system):
    report = program(bob).get("data?cohort=segi2024").json()
    assert report["patients"]["enrolled"] == 2 and report["patients"]["exported"] == 0
    assert sum(step["n"] for step in report["patients"]["excluded"]) == 2
    assert report["flow"][0]["n"] == 2 and {table["rows"] for table in report["tables"]} == {0}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("fields=eq_vas,eq_vass", "fields"),
        ("shape=diagonal", "shape"),
        ("format=xlsx", "format"),
        ("content=items,rumours", "content"),
        ("value_sets=JP&value_sets=US", "value_sets"),
        ("sex=male", "sex"),
        ("site_code=S01,S99", "site_code"),
        ("site_code=", "site_code"),
        ("cohort=nobody", "cohort"),
        ("missing=tagged", "missing"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(assessed, program, bob, query, field):
    answer = program(bob).get(f"data/assessments?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [field]


def test_a_table_that_there_is_not_and_a_format_that_there_is_not(assessed, program, bob):
    assert program(bob).get("data/rumours").status_code == 404
    assert program(bob).get("data/patients", accept="application/pdf").status_code == 406
    with everything():
        assert not AuditEvent.objects.filter(action="export").exists()


def test_the_codebook_explains_each_column_of_the_rows(assessed, program, bob):
    asking = program(bob)
    for shape in ("long", "wide"):
        items = asking.get(f"codebook?shape={shape}&{WHOLE}").json()["items"]
        for table in asking.get(f"data?shape={shape}&{WHOLE}").json()["tables"]:
            assert [item["column"] for item in items if item["table"] == table["name"]] == table["columns"]
    explained = {item["column"]: item for item in asking.get(f"codebook?{WHOLE}").json()["items"]}
    assert [code["code"] for code in explained["frankel"]["codes"]] == ["A", "B", "C", "D", "E"]
    assert explained["frankel"]["ordered"] and not explained["sex"]["ordered"]
    assert explained["eq_vas_missing"]["reason_for"] == "eq_vas"
    assert explained["delta_eq_vas"]["label"]["ja"].endswith("変化量")
    with exported(asking, format="csv", content=["items"]) as archive:
        sent = asking.get("codebook?content=items&format=csv")
        assert (sent["Content-Type"], sent.content) == ("text/csv; charset=utf-8", archive.read("codebook.csv"))
