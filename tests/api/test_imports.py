"""Imports by the API and by command: sent, looked at, decided."""

import io
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from openpyxl import load_workbook

from registry.api.shared.etags import as_given
from registry.imports import jobs, unattended
from registry.imports.files import uploads
from registry.models import Import, ImportMapping, Patient
from sites.tenancy.scope import everything
from tests.transfer.conftest import PATIENT
from tests.transfer.files.books import book, number, sheet, text
from tests.transfer.imports.test_import_flow import text as csv_text

PATIENTS = csv_text([PATIENT, PATIENT | {"patient_id": "N01-0002"}]).encode()
OWN = "症例番号,施設,性別\nN01-7,N01,男\nN01-8,N01,女\n".encode()


@pytest.fixture
def dana_program(program, dana, north, south):
    return program(dana)


@pytest.fixture
def mapping(dana):
    known = {"columns": {"症例番号": "patient_id", "施設": "site_code", "性別": "sex"}}
    known["codes"] = {"sex": {"男": "male", "女": "female"}}
    return ImportMapping.objects.create(name="ward", mapping=known, created_by=dana)


def send(program, content, name="patients.csv", headers=None, **fields):
    files = {"file": SimpleUploadedFile(name, content)} | fields
    return program.client.post("/api/v1/imports", files, headers=program.headers | (headers or {}))


def test_files_are_sent_looked_at_and_stored(dana_program, as_system):
    answer = send(dana_program, PATIENTS)
    assert (answer.status_code, answer.json()["status"]) == (202, "checked")
    shown = dana_program.get(answer.headers["Location"]).json()
    assert (shown["rows"], shown["errors"]) == ({"patients": {"new": 2, "changed": 0, "unchanged": 0}}, 0)
    decide = f"imports/{shown['id']}/decision"
    assert dana_program.post(decide, {"decision": "store", "seen": shown["seen"]}).status_code == 422
    assert dana_program.post(decide, {"decision": "store", "seen": "x", "reason": "ward"}).status_code == 409
    sure = {"decision": "store", "seen": shown["seen"], "reason": "from the ward"}
    asked = dana_program.post(decide, sure)
    assert (asked.status_code, [*asked.json()["errors"]]) == (422, ["different_people"])  # they share two days
    done = dana_program.post(decide, sure | {"different_people": True})
    assert (done.status_code, done.json()["status"]) == (202, "done")
    with as_system():
        assert Patient.objects.count() == 2
    assert dana_program.post(decide, {"decision": "store", "seen": shown["seen"], "reason": "again"}).status_code == 409


def test_a_file_above_the_size_of_other_requests_is_taken(dana_program):
    answer = send(dana_program, PATIENTS + b"\n" * 1_100_000)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


def test_a_kept_mapping_reads_a_file_of_its_own(dana_program, mapping, as_system):
    assert (
        send(dana_program, OWN, "ward.csv").json()["waits_for"]
        == "The columns are the file's own: name a kept mapping."
    )
    assert send(dana_program, OWN, "ward.csv", mapping="other").status_code == 422
    shown = send(dana_program, OWN, "ward.csv", mapping="ward").json()
    assert (shown["status"], shown["rows"]["patients"]["new"], shown["mapping"]) == ("checked", 2, "ward")


def test_findings_name_rows_and_columns_without_what_was_typed(dana_program):
    shown = send(dana_program, PATIENTS.replace(b",300,", b",12345678,")).json()
    assert shown["errors"] == 2
    errors = dana_program.get(f"imports/{shown['id']}/findings").json()["errors"]
    assert [(error["row"], error["column"]) for error in errors] == [(2, "blood_loss_ml"), (3, "blood_loss_ml")]
    assert "12345678" not in str(errors)
    marked = dana_program.get(f"imports/{shown['id']}/findings/workbook")
    book = load_workbook(io.BytesIO(marked.content))
    assert [cell.value for cell in book.worksheets[1][2] if cell.comment] == ["12345678"]
    gone = dana_program.post(f"imports/{shown['id']}/decision", {"decision": "discard"})
    assert gone.json()["status"] == "discarded"
    assert dana_program.get(f"imports/{shown['id']}/findings/workbook").status_code == 409


def test_a_workbook_waits_for_a_worker(dana_program):
    rows = [[text(name) for name in PATIENT], [text(value) for value in PATIENT.values()]]
    workbook = book(sheet(*map("".join, rows)))
    shown = send(dana_program, workbook, "patients.xlsx").json()
    stopped = dana_program.post(f"imports/{shown['id']}/decision", {"decision": "cancel"}).json()
    assert (shown["status"], stopped["status"], jobs.perform(shown["id"])) == ("queued", "cancelled", None)
    again = dana_program.post(f"imports/{shown['id']}/decision", {"decision": "again"}).json()
    assert (again["status"], again["progress"]) == ("queued", 0)
    jobs.perform(shown["id"])
    assert dana_program.get(f"imports/{shown['id']}").json()["rows"]["patients"]["new"] == 1


def test_nobody_else_sees_an_import_or_sends_one(dana_program, program, bob, alice):
    shown = send(dana_program, PATIENTS).json()
    assert send(program(bob), PATIENTS).status_code == 403
    assert program(bob).get(f"imports/{shown['id']}").status_code == 403
    assert program(alice).get(f"imports/{shown['id']}").status_code == 404
    assert send(dana_program, PATIENTS, colour="red").status_code == 422
    assert dana_program.post("imports", {"file": "x"}).status_code == 415


def test_a_request_that_is_sent_again_is_answered_again(dana_program):
    first, second = (send(dana_program, PATIENTS, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json() == second.json()
    assert send(dana_program, OWN, headers={"Idempotency-Key": "k1"}).status_code == 409
    assert Import.objects.count() == 1


@pytest.mark.parametrize("enforced", [False, True])
def test_idempotency_in_a_session_too(dana, north, south, enforced):
    client = Client(enforce_csrf_checks=enforced, raise_request_exception=False)
    client.force_login(dana)
    client.get("/account/")
    token = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else ""
    headers = {"Idempotency-Key": "s1", "X-CSRFToken": token}
    sent = {"data": b"{}", "content_type": "application/json", "headers": headers}
    first, second = client.post("/api/v1/exports", **sent), client.post("/api/v1/exports", **sent)
    assert (first.status_code, second.status_code) == (202, 202), first.content
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("way", ["W/{}", "{}-gzip", "{}--br", "W/{};gzip", "{}"])
def test_a_tag_that_a_proxy_changed_still_matches(program, alice, way):

    tag = '"3"'
    given = way.format(tag) if way.startswith("W/") and "gzip" not in way else way.replace("{}", '"3')
    given = given if given.endswith('"') else given + '"'
    assert as_given(given) == [tag]
    assert as_given('"3-gzipped"') == ['"3-gzipped"']


# Command


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_file", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue() + err.getvalue() + str(error)
    return 0, out.getvalue()


def test_a_file_comes_in_by_command(dana, mapping, north, tmp_path, as_system):
    path = tmp_path / "ward.csv"
    path.write_bytes(OWN)
    assert run(path, "--by", dana.email, "--mapping", "ward", "--dry-run")[0] == 0
    with as_system():
        assert Patient.objects.count() == 0
    assert run(path, "--by", dana.email, "--mapping", "ward")[0] == 2
    assert run(path, "--by", "nobody@example.org", "--reason", "ward", "--mapping", "ward")[0] == 2
    code, output = run(path, "--by", dana.email, "--mapping", "ward", "--reason", "from the ward")
    assert (code, "patients.csv: 2 new" in output) == (0, True)
    with as_system():
        assert Patient.objects.get(pk="N01-8").sex == "female"
    assert "name a kept mapping" in run(path, "--by", dana.email, "--reason", "x")[1]


def test_findings_come_as_a_workbook_with_the_cells_marked(dana, north, tmp_path):
    path = tmp_path / "patients.xlsx"
    rows = [PATIENT | {"patient_id": f"N01-000{n}"} for n in range(1, 4)]
    rows[1] |= {"blood_loss_ml": "much", "operative_time_min": "=1+1"}
    cells = ["".join(text(name) for name in PATIENT)]
    cells += ["".join(number(300) if value == "300" else text(value) for value in row.values()) for row in rows]
    path.write_bytes(book(sheet(*cells)))
    code, output = run(path, "--by", dana.email, "--dry-run", "--findings", tmp_path / "found.xlsx")
    assert code == 2, output
    workbook = load_workbook(tmp_path / "found.xlsx")
    listed = [[cell.value for cell in row] for row in workbook["Findings"].iter_rows()]
    assert [(row[0], row[2], row[3]) for row in listed[1:]] == [
        ("error", 3, "operative_time_min"), ("error", 3, "blood_loss_ml"),
    ]  # fmt: skip
    marked = workbook.worksheets[1]
    assert marked.max_row == 2
    by_name = {head.value: cell for head, cell in zip(*marked.iter_rows(), strict=True)}
    assert by_name["blood_loss_ml"].comment.text.startswith("must be")
    assert (by_name["operative_time_min"].value, by_name["operative_time_min"].data_type) == ("=1+1", "s")
    assert by_name["sex"].comment is None
    with everything():
        assert Import.objects.get().status == "discarded"


CASES = Path(__file__).parents[1] / "transfer" / "files" / "cases"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_page_the_command_and_programs_begin_the_same_import(dana, dana_program, client, monkeypatch, kind):
    """What is read, asked and found follows from the import's row and its kept files (`jobs.perform`): at every door
    they are the same for each of the odd files, so no door can find another thing.
    """
    files = {path.name: path.read_bytes() for path in sorted(CASES.glob(f"*.{kind}"))}
    groups = [
        dict(list(files.items())[first : first + uploads.MOST_FILES])
        for first in range(0, len(files), uploads.MOST_FILES)
    ]
    client.force_login(dana)
    for group in groups:
        sent = [SimpleUploadedFile(name, content) for name, content in group.items()]
        assert client.post("/import/", {"files": sent}).status_code == 302
        by_page = _newest()
        answer = dana_program.client.post(
            "/api/v1/imports",
            {"file": [SimpleUploadedFile(name, content) for name, content in group.items()]},
            headers=dana_program.headers,
        )
        assert answer.status_code == 202, answer.json()
        by_program = _newest()
        with monkeypatch.context() as patched:  # the command goes no further, and leaves what it began
            patched.setattr(unattended, "carry_through", lambda job: job)
            patched.setattr(jobs, "discard", lambda job: None)
            patched.setattr(
                "registry.management.transfer.management.commands.import_file.Command._decide", lambda *about: None
            )
            call_command("import_file", *(CASES / name for name in group), by=dana.email, dry_run=True)
        by_command = _newest()
        assert len({job.pk for job in (by_page, by_program, by_command)}) == 3
        assert _of(by_page) == _of(by_program) == _of(by_command)


def _newest():
    return Import.objects.order_by("-requested_at").first()


def _of(job):
    contents = [b"".join(uploads.stored(job, f"file:{number}")) for number in range(len(job.files))]
    return job.files, job.choices, job.mapping, job.sites, job.requested_by_id, contents


def test_every_door_leads_into_the_jobs_alone():
    """No door has an engine of its own: what checks and stores is called by `jobs` and nobody else."""
    doors = [*Path("registry/web/imports").glob("*.py"), *Path("registry/api").rglob("imports.py")]
    doors += [
        Path("registry/management/transfer/management/commands/import_file.py"),
        Path("registry/imports/unattended.py"),
    ]
    engine = re.compile(r"import_files|converting|comparing|read_into_stage|statements|sources\.table|shaping\.shape")
    assert len(doors) > 4
    assert [(str(door), match[0]) for door in doors if (match := engine.search(door.read_text()))] == []
