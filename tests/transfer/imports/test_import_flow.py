"""Imports through the pages: files of every make, the questions about them, mappings, the difference view, undo."""

import csv
import datetime as dt
import io
import re
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from openpyxl import Workbook

from registry.imports import import_files, jobs
from registry.imports.files import mapping, notations
from registry.instruments.base import InvalidValue
from registry.models import AdverseEvent, Assessment, Import, ImportMapping, ImportPart, Patient, SuspectedPair
from registry.services.entry.assessments import save_assessment
from registry.services.jobs import MOST_ATTEMPTS
from registry.services.operations import field_keys
from registry.services.records import identity
from registry.tasks import carry_out_import, run_import
from sites.models import AuditEvent, Membership
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.api.conftest import Program, issued
from tests.conftest import person
from tests.transfer.conftest import ASSESSMENT, PATIENT, write_csv

NEWER_KEY = "ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="
PATIENTS = [PATIENT, PATIENT | {"patient_id": "N01-0002"}]


def send(browser, **files):
    """Upload contents by file name (a dot is written as two underscores); returns the import's address."""
    uploads = [SimpleUploadedFile(name.replace("__", "."), content) for name, content in files.items()]
    return browser.post("/import/", {"files": uploads}).headers["Location"]


def follow(browser, address):
    """The page that an address leads to in the end, once the worker has done what waits for it."""
    page = browser.get(address, follow=True)
    waiting = Import.objects.filter(pk=address.strip("/").split("/")[1], status=Import.Status.QUEUED).first()
    if waiting is not None:
        jobs.perform(waiting.pk)
        return browser.get(address, follow=True)
    return page


def text(rows, delimiter=","):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue()


def excel(**sheets):
    """A workbook; a sheet is a list of rows, or a function that fills it."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        if callable(rows):
            rows(sheet)
        else:
            for row in rows:
                sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def errors(page, kind="errors"):
    return [
        (finding.row, finding.column, finding.value, finding.reason.en)
        for finding in page.context["report"][kind].shown
    ]


def warnings(page):
    return errors(page, "warnings")


def store(browser, address, **fields):
    """Confirm; the patients of these files share a birthday and a day of consent, and are different people."""
    return browser.post(address, {"reason": "from the clinic", "alike": "on"} | fields)


def counts(address):
    return Import.objects.get(pk=address.strip("/").split("/")[1]).counts["files"]


# Workbooks


def test_a_workbook_with_excels_own_dates_and_numbers_as_text_comes_in(browser):
    dated = {"birth_date": dt.datetime(1950, 4, 3), "surgery_date": dt.date(2024, 1, 10), "blood_loss_ml": "300"}
    rows = [list(PATIENT)] + [list((patient | dated | {"operative_time_min": 210.0}).values()) for patient in PATIENTS]
    rows.insert(2, [None] * 4)
    address = send(browser, patients__xlsx=excel(Sheet1=rows))
    page = follow(browser, address)
    assert errors(page) == []
    assert store(browser, address).status_code == 302
    with everything():
        patient = Patient.objects.get(pk="N01-0001")
        assert (patient.surgery_date, patient.operative_time_min) == (dt.date(2024, 1, 10), 210)
        assert identity.read(patient)["birth_date"] == dt.date(1950, 4, 3)


def test_faults_of_a_workbook_are_named_by_its_own_rows(browser):
    def fill(sheet):
        sheet.append(list(PATIENT))
        sheet.append([])
        sheet.append([*list(PATIENT.values())[:9], "=200+10", "#REF!", *list(PATIENT.values())[11:]])
        sheet.append(list((PATIENT | {"patient_id": "N01-0002", "sex": "m"}).values()))
        sheet.merge_cells("C4:C5")

    address = send(browser, patients__xlsx=excel(Sheet1=fill))
    errors_found = errors(follow(browser, address))
    assert [(row, column) for row, column, _, _ in errors_found] == [
        (4, ""),
        (3, "operative_time_min"),
        (3, "blood_loss_ml"),
        (4, "sex"),
    ]
    assert "merged" in errors_found[0][3]
    assert "formula" in errors_found[1][3]
    # The value that Excel saved is taken when that is chosen; this file was never computed.
    reading = browser.post(f"{address}reading/", {"sheets-0": "Sheet1", "formulas-0": "on"})
    assert reading.status_code == 302
    assert "without a saved value" in errors(follow(browser, address))[1][3]
    with everything():
        assert Patient.objects.count() == 0


def test_of_several_sheets_one_chooses(browser):
    def hidden(sheet):
        sheet.append(["secret"])
        sheet.sheet_state = "hidden"

    rows = [list(PATIENT), list(PATIENT.values())]
    content = excel(patients=rows, assessments=[list(ASSESSMENT), list(ASSESSMENT.values())], notes=hidden)
    address = send(browser, study__xlsx=content)
    page = follow(browser, address)
    assert page.templates[0].name == "imports/import_choices.html"
    assert "(hidden)" in page.content.decode()
    assert browser.post(f"{address}reading/", {}).status_code == 422
    browser.post(f"{address}reading/", {"sheets-0": ["patients", "assessments"]})
    assert errors(follow(browser, address)) == []
    assert {name: count["new"] for name, count in counts(address).items()} == {"patients": 1, "assessments": 1}


def test_the_errors_come_as_a_file_without_what_was_typed(browser, client, bob):
    born = PATIENT | {"birth_date": "1891-13-07", "sex": "=Mr Tanaka", "blood_loss_ml": "987654"}
    many = [PATIENT | {"patient_id": f"N01-{n:04}", "sex": "m"} for n in range(2, 152)]
    address = send(browser, patients__csv=text([born, *many]).encode())
    page = follow(browser, address).content.decode()
    assert f"{address}findings/" in page
    answer = browser.get(f"{address}findings/")
    assert answer["Content-Disposition"].endswith('-findings.csv"')
    content = answer.content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [(row["kind"], row["row"], row["column"]) for row in rows[:3]] == [
        ("error", "2", "sex"),
        ("error", "2", "birth_date"),
        ("error", "2", "blood_loss_ml"),
    ]
    assert len(rows) == 153  # the page shows a hundred
    assert rows[0]["file"] == "patients.csv"
    assert rows[0]["finding"].startswith("must be one of")
    for typed in ("1891", "Tanaka", "987654", *(PATIENT["birth_date"],)):
        assert typed not in content
    client.force_login(bob)
    assert client.get(f"{address}findings/").status_code == 404


def test_without_errors_there_is_no_file_of_them(browser):
    address = send(browser, patients__csv=text(PATIENTS[:1]).encode())
    assert f"{address}findings/" not in follow(browser, address).content.decode()
    assert browser.get(f"{address}findings/").status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 nonsense", "save it anew as .xlsx"),
        (b"\xef\xbb\xbf<!DOCTYPE html><table>", "is a web page"),
        (b"\xd0\xcf\x11\xe0 old", "old Excel"),
        (b"%PDF-1.7", "not a text file"),
        (b"", "is empty"),
        (b"a,b\n1,\x00\n", "NUL"),
    ],
)
def test_what_is_no_table_is_told(browser, content, said):
    address = send(browser, patients__csv=content or b"\n")
    assert said in errors(follow(browser, address))[0][3]


# Encodings and separators


def test_shift_jis_is_offered_and_never_guessed(browser):
    rows = [row | {"detail": "術後血腫"} for row in [{"patient_id": "N01-0001", "kind": "hematoma"}]]
    rows = [{**rows[0], "onset_date": "2024-01-12"}]
    address = send(browser, adverse_events__csv=text(rows).encode("cp932"), patients__csv=text(PATIENTS).encode())
    page = follow(browser, address)
    assert page.templates[0].name == "imports/import_choices.html"
    assert 'value="cp932" checked' not in page.content.decode()
    assert "術後血腫" in page.content.decode()
    assert browser.post(f"{address}reading/", {"encoding-0": "utf-8-sig"}).status_code == 422
    browser.post(f"{address}reading/", {"encoding-0": "cp932"})
    assert errors(follow(browser, address)) == []
    store(browser, address)
    with everything():
        assert Patient.objects.get(pk="N01-0001").adverse_events.get().detail == "術後血腫"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_separators(browser, encoding, delimiter):
    content = text(PATIENTS, delimiter).encode(encoding)
    if delimiter == ";":
        content = text([{**patient, "lesion_levels": "C7"} for patient in PATIENTS], delimiter).encode(encoding)
    address = send(browser, patients__csv=content)
    answers = {}
    if encoding == "utf-16":
        answers["encoding-0"] = encoding
    if delimiter != ",":
        answers["delimiter-0"] = delimiter
    page = follow(browser, address)
    assert (page.templates[0].name == "imports/import_choices.html") == bool(answers)
    if answers:
        browser.post(f"{address}reading/", answers)
    assert errors(follow(browser, address)) == []
    assert counts(address)["patients"]["new"] == 2


def test_full_width_digits_are_read_with_a_warning(browser):
    rows = [PATIENT | {"blood_loss_ml": "３００"}]
    page = follow(browser, send(browser, patients__csv=text(rows).encode()))
    assert errors(page) == []
    assert [(column, value) for _, column, value, _ in warnings(page)] == [("blood_loss_ml", "３００")]


# The difference view


def test_the_difference_view_names_what_changes(browser, good, bring_in):
    bring_in(good)
    changed = [
        ASSESSMENT | {"frankel": "D", "eq_vas": ""},
        ASSESSMENT | {"timepoint": "3m", "assessment_date": "2024-04-09"},
        ASSESSMENT | {"timepoint": "1m", "assessment_date": "2024-02-09"},
    ]
    changed[0]["eq_vas_missing"] = "refused"
    changed = [row | {"eq_vas_missing": row.get("eq_vas_missing", "")} for row in changed]
    address = send(browser, assessments__csv=text(changed).encode())
    assert follow(browser, address).context["changed"] == 1
    assert counts(address) == {"assessments": {"new": 1, "changed": 1, "unchanged": 1}}
    page = browser.get(f"{address}rows/?file=assessments&kind=changed")
    assert page.context["rows"] == [
        {
            "row": 2,
            "key": "N01-0001 · preop",
            "cells": [["frankel", "C", "D"], ["eq_vas", "40", "∅"], ["eq_vas_missing", "∅", "refused"]],
        }
    ]
    new = browser.get(f"{address}rows/?file=assessments&kind=new").context["rows"]
    assert [(row["row"], row["key"]) for row in new] == [(3, "N01-0001 · 3m")]
    assert [row["row"] for row in browser.get(f"{address}rows/?kind=unchanged").context["rows"]] == [4]
    assert browser.get(f"{address}rows/?file=patients").status_code == 404
    assert store(browser, address).status_code == 422
    assert store(browser, address, update="on").status_code == 302
    with everything():
        row = Assessment.objects.get(patient="N01-0001", timepoint="preop")
        assert (row.frankel, row.eq_vas, row.missing) == ("D", None, {"eq_vas": "refused"})


def test_what_changed_after_the_check_is_looked_at_again(browser, good, bring_in, alice, as_person):
    bring_in(good)
    address = send(browser, assessments__csv=text([ASSESSMENT | {"frankel": "D"}]).encode())
    follow(browser, address)
    with as_person(alice) as access:
        row = Assessment.objects.get(patient="N01-0001", timepoint="preop")
        raw = {name: ASSESSMENT[name] for name in ASSESSMENT if name not in ("patient_id", "timepoint")}
        save_assessment(
            access=access,
            patient=row.patient,
            timepoint="preop",
            raw=raw | {"frankel": "B"},
            version=row.version,
            complete=True,
            reason="seen again",
        )
    store(browser, address, update="on")
    page = browser.get(address)
    assert "has changed since you looked" in page.content.decode()
    assert browser.get(f"{address}rows/?kind=changed").context["rows"][0]["cells"] == [["frankel", "B", "D"]]
    store(browser, address, update="on")
    with everything():
        assert Assessment.objects.get(patient="N01-0001", timepoint="preop").frankel == "D"


# What identifies


LEAK = {"patient_id": "N01-0001", "kind": "csf_leak", "onset_date": "2024-02-01", "detail": "told by Mrs M."}


def told_of(browser, good, **changes):
    """Everything that a data manager is told of a dry run of `good` with other values, and the same import stored."""
    for name, row in (("patients", PATIENT), ("adverse_events", LEAK)):
        write_csv(good / f"{name}.csv", [row | {field: value for field, value in changes.items() if field in row}])
    files = {path.name.replace(".", "__"): path.read_bytes() for path in sorted(good.iterdir())}
    address = send(browser, **files)
    pages = [follow(browser, address)]
    number = re.search(r"[0-9a-f-]{36}", address)[0]
    job = Import.objects.get(pk=number)
    for kind in ("changed", "unchanged", "new"):
        pages += [browser.get(f"{address}rows/?file={name}&kind={kind}") for name in ("patients", "adverse_events")]
    pages.append(browser.get(f"{address}findings/"))
    store(browser, address)
    pages += [browser.get(address), browser.get("/import/history/")]
    chance = re.compile(r'name="(csrfmiddlewaretoken|seen)" value="[^"]*"|data-(left|csrf)="[^"]*"|[?&]t=\d+')
    texts = [chance.sub("", page.content.decode()) for page in pages]
    texts_without_times = [re.sub(r"\d\d:\d\d", "", text.replace(number, "").replace(number[:8], "")) for text in texts]
    Import.objects.filter(pk=number).delete()
    return job.counts, job.seen, texts_without_times


@pytest.mark.parametrize(
    "guess",
    [
        {"birth_date": "1950-04-03"},
        {"birth_date": "1950-04-02"},
        {"birth_date": "2010-01-01"},
        {"detail": "told by Mrs N."},
    ],
)
def test_nobody_finds_out_by_importing_what_only_the_site_may_know(browser, good, bring_in, guess, as_system):
    write_csv(good / "adverse_events.csv", [LEAK])
    bring_in(good)
    counts, seen, pages = told_of(browser, good)
    assert {name: file["unchanged"] for name, file in counts["files"].items()}["patients"] == 1
    assert "neither compared nor replaced" in pages[0]
    again = told_of(browser, good, **guess)
    assert again[:2] == (counts, seen)
    for report, before in zip(again[2], pages, strict=True):
        assert report.splitlines() == before.splitlines()
    with as_system():
        assert identity.read(Patient.objects.get(pk="N01-0001"))["birth_date"] == dt.date(1950, 4, 3)
        assert AdverseEvent.objects.get().detail == LEAK["detail"]
        touched = ["registry_identity", "registry_patient", "registry_adverseevent"]
        assert not AuditEvent.objects.filter(action="update", table_name__in=touched).exists()


@pytest.mark.parametrize("identifies", [(), None])
@pytest.mark.parametrize("column", ["surgery_date", "consent_date"])
def test_no_order_of_dates_tells_a_day_of_birth(good, bring_in, tmp_path, column, identifies, as_system):
    """A file with one date of a stored patient is answered alike, whichever of two days they were born on."""
    bring_in(good)
    write_csv(tmp_path / "patients.csv", [{"patient_id": "N01-0001", column: "1950-06-30"}])
    answers = []
    for born in (dt.date(1950, 4, 3), dt.date(1950, 9, 30)):
        with as_system():
            identity.write(Patient.objects.get(pk="N01-0001"), birth_date=born)
        report = import_files(
            tmp_path,
            dry_run=True,
            update=True,
            reason="guess",
            partial=True,
            identifies=identifies,
            today=dt.date(2026, 6, 1),
        )
        answers.append([(finding.row, finding.column, finding.reason.en) for finding in report.errors.shown])
    assert (answers[0] == answers[1]) is (identifies is not None)


def test_who_may_see_them_compares_and_replaces_what_identifies(browser, good, bring_in, dana, north, as_system):
    bring_in(good)
    Membership.objects.create(user=dana, role=Role.COORDINATOR, site=north, starts_on=dt.date(2018, 1, 1))
    write_csv(good / "patients.csv", [PATIENT | {"birth_date": "1950-04-02"}])
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    follow(browser, address)
    assert browser.get(f"{address}rows/?kind=changed").context["rows"][0]["cells"] == [["birth_date", "…", "…"]]
    store(browser, address, update="on")
    with as_system():
        assert identity.read(Patient.objects.get(pk="N01-0001"))["birth_date"] == dt.date(1950, 4, 2)


def test_who_is_enrolled_at_the_site_already_is_asked_about(browser, good, bring_in, dana, north, as_system):
    bring_in(good)
    write_csv(good / "patients.csv", [PATIENT | {"patient_id": "N01-0009", "consent_date": "2024-01-09"}])
    pair = {"first": "N01-0001", "second": "N01-0009"}

    def asked(address):
        follow(browser, address)
        report = browser.get(address).context["report"]["warnings"].shown
        return [
            (details.row, details.value)
            for details in report
            if "may be N01-0001, who is enrolled" in details.reason.en
        ]

    # Who may not see the site's identifiers learns nothing by the file: the record is a question once it is stored.
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    assert asked(address) == []
    with as_system():
        assert not SuspectedPair.objects.filter(**pair).exists()
    Membership.objects.create(user=dana, role=Role.COORDINATOR, site=north, starts_on=dt.date(2018, 1, 1))
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    assert asked(address) == [(2, "N01-0009")]
    assert store(browser, address, alike="").status_code == 422
    Membership.objects.filter(user=dana, site=north).delete()
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    asked(address)
    store(browser, address, alike="")
    follow(browser, address)
    with as_system():
        assert SuspectedPair.objects.filter(**pair).exists()


def test_a_date_of_birth_that_is_not_stored_comes_in(browser, good, bring_in, as_system):
    write_csv(good / "patients.csv", [PATIENT | {"birth_date": "", "birth_date_missing": "unknown"}])
    bring_in(good)
    write_csv(good / "patients.csv", [PATIENT])
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    follow(browser, address)
    store(browser, address, update="on")
    with as_system():
        assert identity.read(Patient.objects.get(pk="N01-0001"))["birth_date"] == dt.date(1950, 4, 3)


# Mapping


REDCAP = """record_id,redcap_event_name,redcap_data_access_group,gender,dob,consent,tumor,levels___c7,levels___t1,opdate,ecog,frankel,eqmob,vas
1,baseline_arm_1,north,1,3/4/1950,8/1/2024,Lung,1,1,10/1/2024,,,,
1,preop_arm_1,north,,,,,,,,3,C,3,70
1,1_month_arm_1,north,,,,,,,,2,D,-99,"40,0"
2,baseline_arm_1,north,2,13/12/1960,8/1/2024,Breast,0,1,10/1/2024,,,,
"""  # noqa: E501


def columns_of(page, **changes):
    """What the columns' page would send as it is shown, with changes by column."""
    sent = {f"column-{line['place']}": line["target"] for line in page.context["lines"]}
    places = {line["name"]: line["place"] for line in page.context["lines"]}
    return sent | {f"column-{places[name]}": target for name, target in changes.items()}


def values_of(page, **changes):
    """What the values' page would send as it is shown, with changes by value (`target=value`)."""
    sent = {}
    for column in page.context["columns"]:
        for value in column["values"]:
            key = f"code-{column['column'].target}-{value['place']}"
            sent[key] = changes.get((column["column"].target, value["value"]), value["code"])
        if column["formats"]:
            sent[f"date-{column['column'].target}"] = changes.get(column["column"].target, column["column"].chosen)
    return sent


MAPPED = {
    "consent": "consent_date",
    "tumor": "primary_tumour",
    "levels___c7": "lesion_levels:C7",
    "levels___t1": "lesion_levels:T1",
    "opdate": "surgery_date",
    "eqmob": "eq5d_mobility",
    "vas": "pain_vas_mm",
}
SAID = {
    ("site_code", "north"): "N01",
    ("sex", "1"): "male",
    ("sex", "2"): "female",
    ("timepoint", "baseline_arm_1"): "~",
    ("eq5d_mobility", "-99"): "!refused",
    "birth_date": "dmy",
    "consent_date": "dmy",
    "surgery_date": "dmy",
}


def map_redcap(browser, content=REDCAP, **more):
    address = send(browser, redcap__csv=content.encode())
    page = follow(browser, address)
    browser.post(f"{address}columns/", columns_of(page, **MAPPED) | {"prefix": "N01-"})
    page = browser.get(f"{address}values/")
    sent = {"separators": "comma", **more}
    for key, value in values_of(page).items():
        sent.setdefault(key, value)
    for column in page.context["columns"]:
        for value in column["values"]:
            name = f"code-{column['column'].target}-{value['place']}"
            sent[name] = SAID.get((column["column"].target, value["value"]), sent[name])
        if column["formats"]:
            sent[f"date-{column['column'].target}"] = SAID[column["column"].target]
    return address, browser.post(f"{address}values/", sent)


def test_a_redcap_export_is_matched_and_stored(browser, north, as_system):
    address, answer = map_redcap(browser, save_as="REDCap North")
    assert answer.status_code == 302, answer.context["errors"]
    page = follow(browser, address)
    assert errors(page) == []
    assert {name: count["new"] for name, count in counts(address).items()} == {"patients": 2, "assessments": 2}
    assert ("vas", "40,0") in [(column, value) for _, column, value, _ in warnings(page)]
    store(browser, address)
    with as_system():
        patient = Patient.objects.get(pk="N01-1")
        assert (patient.sex, patient.primary_tumour, patient.lesion_levels) == ("male", "lung", ("C7", "T1"))
        assert (patient.surgery_date, patient.age_at_surgery) == (dt.date(2024, 1, 10), 73)
        first = patient.assessments.get(timepoint="1m")
        assert (first.ecog_ps, first.frankel, first.eq5d_mobility, first.pain_vas_mm) == (2, "D", None, 40)
        assert first.missing == {"eq5d_mobility": "refused"}
        assert AuditEvent.objects.filter(table_name="registry_importmapping", action="insert").count() == 1


def test_a_kept_mapping_serves_a_colleague_and_what_is_not_mapped_stays(browser, client, north, as_system):
    address, _ = map_redcap(browser, save_as="REDCap North")
    follow(browser, address)
    store(browser, address)
    with as_system():
        Patient.objects.filter(pk="N01-1").update(procedure="psf")
    client.force_login(person("Erin", Role.DATA_MANAGER))
    later = REDCAP.replace("1,1_month_arm_1,north,,,,,,,,2", "1,1_month_arm_1,north,,,,,,,,1")
    address = send(client, redcap__csv=later.encode())
    follow(client, address)
    client.post(f"{address}columns/", {"saved": "REDCap North"})
    page = client.get(f"{address}columns/")
    client.post(f"{address}columns/", columns_of(page) | {"prefix": "N01-"})
    # Nothing is left to be said: the check follows at once.
    assert errors(follow(client, address)) == []
    assert counts(address)["assessments"] == {"new": 0, "changed": 1, "unchanged": 1}
    assert counts(address)["patients"] == {"new": 0, "changed": 0, "unchanged": 2}
    store(client, address, update="on")
    with as_system():
        assert Patient.objects.get(pk="N01-1").procedure == "psf"
        assert Assessment.objects.get(patient="N01-1", timepoint="1m").ecog_ps == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"record_id": ""}, "needs a column"),
        ({"gender": "frankel"}, "stands for the same"),
        ({"gender": "colour"}, "stands for nothing known"),
        (dict.fromkeys(REDCAP.split("\n", maxsplit=1)[0].split(","), ""), "No column is imported"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(browser, north, changes, said):
    address = send(browser, redcap__csv=REDCAP.encode())
    page = follow(browser, address)
    answer = browser.post(f"{address}columns/", columns_of(page, **(MAPPED | changes)))
    assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert browser.post(f"{address}columns/", columns_of(page, **MAPPED)).status_code == 302


def test_dates_and_labels_are_asked_not_guessed(browser, north):
    address, answer = map_redcap(browser, **{"code-sex-0": "", "date-birth_date": "dmy"})
    assert answer.status_code == 302  # everything was said by SAID
    page = browser.get(f"{address}columns/")
    browser.post(f"{address}columns/", columns_of(page))
    page = browser.get(f"{address}values/")
    assert page.status_code == 200
    # What stands for nothing is an answer too, and is shown as the one that was given.
    assert page.content.count(b'<option value="~" selected>') == sum(said == "~" for said in SAID.values())
    silent = dict.fromkeys(values_of(page), "")
    answer = browser.post(f"{address}values/", silent)
    assert answer.status_code == 422
    assert ("sex", 0) in answer.context["errors"]
    assert ("birth_date", "date") in answer.context["errors"]


@pytest.mark.parametrize(
    ("target", "value", "code"),
    [
        ("sex", "男", "male"),
        ("sex", "不明", "!unknown"),
        ("primary_tumour", "原発不明", "unknown"),
        ("primary_tumour", "肺がんかもしれない", ""),
        ("pain_vas_mm", "未実施", "!not_done"),
        ("pain_vas_mm", "101", ""),
        ("surgery_date", "Unknown", "!unknown"),
        ("timepoint", "unknown", ""),
    ],
)
def test_what_a_value_is_called_is_suggested(db, target, value, code):
    assert mapping.suggested_code(target, value) == code


@pytest.mark.parametrize(
    ("text", "key", "day"),
    [
        ("45360", "excel", "2024-03-09"),  # as Excel's own DATE(2024;3;9) shows it as a number
        ("2024-03-09", "excel", "2024-03-09"),
        ("1950", "excel", None),
        ("45360", "ymd", None),
        ("令和6年3月9日", "era", "2024-03-09"),
        ("31/2/2024", "dmy", None),
    ],
)
def test_dates_are_read_as_somebody_said(text, key, day):
    if day is None:
        with pytest.raises(InvalidValue):
            notations.read_date(text, [key])
    else:
        assert notations.read_date(text, [key]) == (day, None)


def test_cells_that_a_mapping_does_not_cover_are_named(browser, north):
    address, _ = map_redcap(browser)
    mapping = jobs.mapping_of(Import.objects.get())
    mapping.codes["sex"].pop("2")
    mapping.dates["birth_date"] = "mdy"
    jobs.set_mapping(Import.objects.get(), mapping, "check")
    errors_found = errors(follow(browser, address))
    assert [(row, column) for row, column, _, _ in errors_found] == [(5, "gender"), (5, "dob")]
    assert "13/12/1960" not in str(errors_found)  # a date of birth identifies


def test_the_registrys_patients_without_dates_of_birth_come_in_by_themselves(browser, good, bring_in):
    bring_in(good)
    taken = b"".join(browser.post("/export/download/", {"what": "patients"}).streaming_content)
    address = send(browser, patients__csv=taken)
    reasons = [reason for *_, reason in errors(follow(browser, address))]
    assert [("birth_date" in reasons[0], "age_at_surgery" in reasons[1])] == [(True, True)]
    browser.post(f"{address}columns/", columns_of(browser.get(f"{address}columns/")))
    browser.post(f"{address}values/", values_of(browser.get(f"{address}values/")))
    assert errors(follow(browser, address)) == []
    assert counts(address)["patients"] == {"new": 0, "changed": 0, "unchanged": 3}
    assert "by itself" in browser.get("/export/").content.decode()


def test_decimal_commas_are_asked_about_though_a_kept_mapping_knows_the_rest(browser, north):
    map_redcap(browser, REDCAP.replace("40,0", "40"), save_as="REDCap North", separators="")
    address = send(browser, redcap__csv=REDCAP.encode())
    follow(browser, address)
    browser.post(f"{address}columns/", {"saved": "REDCap North"})
    browser.post(f"{address}columns/", columns_of(browser.get(f"{address}columns/")) | {"prefix": "N01-"})
    page = browser.get(f"{address}values/")
    assert page.context["asked"].separators
    browser.post(
        f"{address}values/", values_of(page) | dict.fromkeys(["code-timepoint-0"], "~") | {"separators": "comma"}
    )
    assert errors(follow(browser, address)) == []


def test_columns_of_one_name_are_told_apart_and_those_that_nobody_needs_left_out(browser, north):
    address = send(browser, redcap__csv=REDCAP.replace("consent,tumor", "tumor,tumor").encode())
    page = follow(browser, address)
    assert [line["name"] for line in page.context["lines"]][5:7] == ["tumor", "tumor (2)"]
    assert [line["target"] for line in page.context["lines"]][5:7] == ["", ""]


def test_a_column_of_the_registry_that_stands_twice_is_no_file_of_its_own(browser):
    content = text(PATIENTS).replace("sex,", "sex,sex,", 1).replace("male,", "male,female,")
    address = send(browser, patients__csv=content.encode())
    assert errors(follow(browser, address))[0][1:] == ("", "", "names 1 columns twice: sex")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (REDCAP.replace("2,baseline_arm_1,north,", "2,baseline_arm_1,north,,"), "cells where the header has"),
        (REDCAP + "2,preop_arm_1,north,1,,,,,,,,,,\n", "differs from row 5"),
    ],
)
def test_odd_tables_are_named(browser, north, content, said):
    address, _ = map_redcap(browser)
    mapping = jobs.mapping_of(Import.objects.get())
    mapping.columns.pop("consent")
    address = send(browser, redcap__csv=content.encode())
    job = Import.objects.get(pk=address.strip("/").split("/")[1])
    jobs.step_of(job)
    jobs.set_mapping(job, mapping, "check")
    assert any(said in reason for _, _, _, reason in errors(follow(browser, address)))
    with everything():
        assert Patient.objects.count() == 0


# Undo


def stored_import(browser, folder, **fields):
    files = {path.name.replace(".", "__"): path.read_bytes() for path in sorted(folder.glob("*.csv"))}
    address = send(browser, **files)
    follow(browser, address)
    assert store(browser, address, **fields).status_code == 302
    return address


def test_an_import_is_undone_with_a_reason_and_a_trail(browser, good, north, dana, as_system, take_out, settings):
    Membership.objects.create(user=dana, role=Role.COORDINATOR, site=north, starts_on=dt.date(2018, 1, 1))
    stored_import(browser, good)
    before = take_out("before")
    write_csv(good / "assessments.csv", [ASSESSMENT | {"frankel": "D", "eq_vas": ""}, ASSESSMENT | {"timepoint": "6m"}])
    patients = [PATIENT | {"birth_date": "1951-05-05", "lesion_levels": "T1"}, PATIENT | {"patient_id": "N01-0009"}]
    write_csv(good / "patients.csv", patients)
    (good / "adverse_events.csv").unlink()
    with as_system(reason="begun again"):
        Assessment.objects.update(state="draft")
    address = stored_import(browser, good, update="on")
    with as_system():
        assert identity.read(Patient.objects.get(pk="N01-0001"))["birth_date"] == dt.date(1951, 5, 5)
    settings.FIELD_KEYS = [NEWER_KEY, *settings.FIELD_KEYS]
    with as_system(reason="rotation"):
        assert field_keys.rotate().patients > 0  # which stands in the trail, and changes no answer
    assert browser.get(f"{address}undo/").context["obstacles"].total == 0
    assert browser.post(f"{address}undo/", {}).status_code == 422
    undone = browser.post(f"{address}undo/", {"reason": "wrong file"}, follow=True)
    assert undone.context["job"].status == "done"
    after = take_out("after")
    assert [path.read_bytes() for path in sorted(after.iterdir())] == [
        path.read_bytes() for path in sorted(before.iterdir())
    ]
    with as_system():
        assert AuditEvent.objects.filter(action="delete", reason="wrong file", user_id=dana.pk).count() == 3
    page = browser.get("/import/history/").content.decode()
    assert "wrong file" in page
    assert re.search(r"3\s+removed, \d+ restored", page)
    assert browser.get(f"{address}undo/").status_code == 302  # once is enough


def test_the_second_of_two_clicks_finds_the_import_decided(browser, good, dana, as_system):
    """The second request read the import before the first one committed, and waits for its row."""
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    follow(browser, address)
    first, second = Import.objects.get(), Import.objects.get()
    with as_system():
        for job in (first, second):
            carry_out_import(job, Import.Act.STORE, reason="from the clinic")
        jobs.discard(second)
        jobs.choose(second, {})
        jobs.set_mapping(second, mapping.Mapping(), "columns")
        second.refresh_from_db()
        assert (second.status, second.error) == ("done", "")
        carry_out_import(jobs.new_undo(access=access_of(dana), done=first), Import.Act.UNDO, reason="wrong file")
        with pytest.raises(ValueError, match="cannot be undone"):
            jobs.new_undo(access=access_of(dana), done=second)
        assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("meanwhile", "status", "stored"),
    [
        (
            {"heartbeat_at": timezone.now() - 2 * jobs.STALE},
            "done",
            3,
        ),  # taken for lost: stored by another
        ({"cancel_requested": True}, "cancelled", 0),
    ],
)
def test_what_became_of_an_import_while_it_was_stored_counts(
    browser, good, monkeypatch, as_system, meanwhile, status, stored
):
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    follow(browser, address)
    item = Import.objects.get()
    assert jobs.request(item, Import.Act.STORE, reason="from the clinic")
    begins = jobs.of_this_release

    def slowly(job):
        monkeypatch.setattr(jobs, "of_this_release", begins)
        Import.objects.update(**meanwhile)
        if lost := jobs.recover():
            assert (lost, jobs.perform(item.pk).status) == ([item.pk], "done")
        return job

    monkeypatch.setattr(jobs, "of_this_release", slowly)
    assert jobs.perform(item.pk).status == status
    with as_system():
        assert Patient.objects.count() == stored
    page = browser.get(address).content.decode()
    assert ("Try again" in page) == (status == "cancelled")


def test_an_import_that_was_built_upon_is_not_undone(browser, good, north, alice, as_person, as_system):
    address = stored_import(browser, good)
    with as_person(alice) as access:
        patient = Patient.objects.get(pk="N01-0002")
        save_assessment(
            access=access, patient=patient, timepoint="12m", raw={"assessment_date": "2025-01-10", "frankel": "C"}
        )
        row = Assessment.objects.get(patient="N01-0001", timepoint="1m")
        with entered(replace(access.scope(), reason="read again")):
            Assessment.objects.filter(pk=row.pk).update(ecog_ps=1)
    obstacles = browser.get(f"{address}undo/").context["obstacles"]
    assert [(obstacle.file, obstacle.value) for obstacle in obstacles.shown] == [
        ("assessment", str(row.pk)),
        ("patient", "N01-0002"),
    ]
    assert "Alice" in obstacles.shown[0].reason.en
    page = browser.post(f"{address}undo/", {"reason": "anyway"}, follow=True)
    assert page.context["job"].status == "failed"
    with as_system():
        assert (Patient.objects.count(), Assessment.objects.count()) == (3, 4)
        Assessment.objects.filter(timepoint="12m").delete()


# Large ones


def test_a_large_import_is_done_by_a_worker_with_progress(
    browser, good, monkeypatch, django_capture_on_commit_callbacks, as_system
):
    monkeypatch.setattr(jobs, "SMALL", 10)
    sent = []
    monkeypatch.setattr(run_import, "delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
        page = browser.get(address)
    assert page.templates[0].name == "imports/import_progress_page.html"
    assert "HX-Refresh" not in browser.get(f"{address}progress/").headers
    browser.post(address, {"stop": "1"})
    run_import(*sent)
    assert "It was cancelled. Nothing was stored." in browser.get(address).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address, {"again": "1"})
    run_import(sent.pop())
    assert jobs.perform(sent[0]) is None  # twice is harmless
    assert browser.get(f"{address}progress/").headers["HX-Refresh"] == "true"
    assert errors(browser.get(address)) == []
    with django_capture_on_commit_callbacks(execute=True):
        store(browser, address)
    run_import(sent[-1])
    with as_system():
        assert (Patient.objects.count(), ImportPart.objects.count()) == (3, 0)


def test_a_lost_worker_is_noticed(browser, good, monkeypatch):
    address = send(browser, patients__csv=(good / "patients.csv").read_bytes())
    job = Import.objects.get()
    jobs.request(job, Import.Act.CHECK)
    silent = {"status": "running", "heartbeat_at": timezone.now() - 2 * jobs.STALE}
    Import.objects.update(**silent, attempts=1)
    assert jobs.recover() == [job.pk]
    Import.objects.update(**silent, attempts=MOST_ATTEMPTS)
    assert jobs.recover() == []
    page = browser.get(address)
    assert "worker was lost" in page.content.decode()
    browser.post(address, {"again": "1"})
    assert errors(browser.get(address)) == []


def test_mappings_are_removed_by_name(browser, north, as_system):
    map_redcap(browser, save_as="REDCap North")
    mapping = ImportMapping.objects.get()
    assert "REDCap North" in browser.get("/import/mappings/").content.decode()
    browser.post("/import/mappings/", {"remove": mapping.pk})
    assert not ImportMapping.objects.exists()


def test_what_a_file_is_may_stand_behind_its_first_hundred_bytes(browser):
    """As in the flat documents of LibreOffice."""
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n\n<office:document xmlns:css3t="http://www.w3.org/TR/css3-text/" '
    content = head + b'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"></office:document>'
    page = follow(browser, send(browser, list__fods=content))
    assert [reason for *_, reason in errors(page)] == ["is an OpenDocument spreadsheet. Save it as .xlsx or CSV."]


# An earlier release


@pytest.mark.parametrize(
    "status", [Import.Status.OPEN, Import.Status.CHECKED, Import.Status.FAILED, Import.Status.DONE]
)
def test_an_import_that_an_earlier_release_began_is_read_again(browser, dana, status):
    """Release 0.1.0 kept of a file what it had found, with the sheets as lists, and neither table nor layout."""
    job = jobs.begin(access=access_of(dana), files={"patients.csv": text([PATIENT]).encode()})
    way = {"encoding": "utf-8-sig", "delimiter": ",", "sheets": None, "formulas": False}
    earlier = {"workbook": False, "encodings": ["utf-8-sig"], "delimiters": [","], "sheets": [["S", False, 0, []]]}
    with everything():
        job.parts.exclude(name__startswith="file:").delete()
        counts = {"files": {"patients": {"new": 1, "changed": 0, "unchanged": 0}}, "errors": 0, "warnings": 0}
        Import.objects.filter(pk=job.pk).update(status=status, choices=[earlier | {"way": way}], counts=counts)
    address = f"/import/{job.pk}/"
    assert follow(browser, address).status_code == 200
    assert Program(issued(dana)).get("imports").status_code == 200
    job.refresh_from_db()
    assert job.status == (status if status == Import.Status.DONE else Import.Status.CHECKED)
    if status != Import.Status.DONE:
        assert store(browser, address).status_code == 302
        with everything():
            assert Patient.objects.filter(pk="N01-0001").exists()


@pytest.mark.parametrize("status", [Import.Status.CHECKED, Import.Status.FAILED, Import.Status.DONE])
def test_a_workbook_that_an_earlier_release_read_is_read_again(browser, status):
    """Earlier releases kept other things of a sheet, such as whether it was filtered, and not how its cells look."""
    address = send(browser, patients__xlsx=excel(patients=[list(PATIENT), list(PATIENT.values())]))
    assert follow(browser, address).context["job"].status == Import.Status.CHECKED
    job = Import.objects.get()
    (sheet,) = job.choices[0]["sheets"]
    del sheet["looks"], sheet["looks_count"]
    sheet["filtered"] = False
    Import.objects.filter(pk=job.pk).update(status=status, choices=job.choices)
    assert follow(browser, address).status_code == 200
    job.refresh_from_db()
    assert job.status == (status if status == Import.Status.DONE else Import.Status.CHECKED)


def test_a_queued_import_of_an_earlier_release_waits_for_the_person_again(dana):
    job = jobs.begin(access=access_of(dana), files={"patients.csv": text([PATIENT]).encode()})
    earlier = {"workbook": False, "encodings": ["utf-8-sig"], "delimiters": [","], "sheets": [], "way": {}}
    with everything():
        Import.objects.filter(pk=job.pk).update(status="queued", act="store", choices=[earlier])
    assert jobs.perform(job.pk).status == Import.Status.OPEN
    with everything():
        assert not Patient.objects.exists()
