"""A repeating form of the study's own through everything that a record of a patient has."""

import io
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from registry.analysis.data import frame
from registry.analysis.data.item_columns import gathered
from registry.exports import jobs
from registry.exports.choices import Choices
from registry.imports import jobs as import_jobs
from registry.imports import reach
from registry.imports.files import mapping, shaping
from registry.imports.storing import undoing
from registry.models import Draft, Import, OwnRecord, Query, Signature
from registry.services.entry import entered_in_error
from registry.services.entry.own_records import save_own_record
from registry.services.files import snapshots
from registry.services.protocol import bringing
from registry.services.review import queries, signing, soft_checks_bulk, to_sign, verification
from registry.services.review.forms import form_row
from registry.services.review.soft_checks import Form
from sites.tenancy.scope import because
from tests.conftest import TODAY
from tests.transfer.conftest import bring_in, browser, findings, write_csv  # noqa: F401 - fixtures
from tests.transfer.imports.test_extras_in_files import matched
from tests.transfer.imports.test_import_flow import columns_of, follow, send, values_of

SENT = {"rtc_from": "2025-11", "rtc_kind": "sbrt", "rtc_levels": "T8", "rtc_dose_gy": "30", "rtc_fractions": "5"}
WHOLE = ("items", "extras")
HIGH = SENT | {"rtc_fractions": "1"}


@pytest.fixture
def courses(publish):
    ready = bringing.library()["rt_courses"]
    hospital = {"name": "place", "label": {"en": "Hospital"}, "kind": "text", "required": False}
    document = ready | {
        "items": [*ready["items"], hospital],  # as a column that queries of the registry might make
        "checks": [
            {
                "name": "high",
                "when": "[rtc_dose_gy] / [rtc_fractions] > 24",
                "says": {"en": "More than 24 Gy a fraction", "ja": "1回24Gyを超えています"},
            }
        ],
    }
    publish(document)
    return document


@pytest.fixture
def record(courses, alice, patient, as_person):
    """`record(raw)` stores a complete course of the patient's and returns its Form and row."""

    def act(raw=SENT, **more):
        with as_person(alice) as access:
            row = save_own_record(
                access=access, patient=patient, form="rt_courses", raw=raw, today=TODAY, **{"complete": True} | more
            )
        return Form("own_record", own="rt_courses", record=row.pk), row

    return act


@pytest.fixture
def acting(client):
    def act(user, method, name, *args, data=None, query=""):
        client.force_login(user)
        return getattr(client, method)(reverse(name, args=args) + query, data or {})

    return act


def test_a_form_has_one_code_whatever_it_is_of(courses):
    for code in ("baseline", "preop", "event-17", "rt_courses.5", "rt_courses.new"):
        assert Form.of(code, ["preop"]).code == code
    for code in ("rt_courses.", "rt_courses.x", "nothing.5", "rt_courses.٣", "rt_courses"):
        assert Form.of(code, ["preop"]) is None


def test_what_is_typed_stays_as_a_draft_until_it_is_saved(courses, alice, patient, acting, as_person):
    code = "rt_courses.new"
    typed = {"person": alice.pk, "rtc_levels": "T8", "version": "", "drafted": ""}
    assert acting(alice, "post", "draft", patient.pk, code, data=typed).status_code == 200
    page = acting(alice, "get", "own_record_new", patient.pk, "rt_courses").content.decode()
    assert "T8" in page and f"/drafts/{code}/" in page
    assert "Courses of radiotherapy" in acting(alice, "get", "home").content.decode()
    answer = acting(alice, "post", "own_record_new", patient.pk, "rt_courses", data=SENT | {"complete": "1"})
    assert answer.status_code == 302
    with as_person(alice):
        assert not Draft.objects.exists()


def test_saving_a_draft_goes_on_with_the_record_that_it_made(courses, alice, patient, acting):
    answer = acting(alice, "post", "own_record_new", patient.pk, "rt_courses", data={"rtc_levels": "T9"})
    assert answer["Location"].startswith(f"/patients/{patient.pk}/records/rt_courses/")
    assert not answer["Location"].endswith("/new/")


def test_two_presses_store_one_record_and_its_files_are_attached_to_it(
    courses, alice, charlie, patient, acting, as_person
):
    new = ("own_record_new", patient.pk, "rt_courses")
    for levels in ("T8", "T8", "T9"):
        sent = acting(alice, "post", *new, data=SENT | {"rtc_levels": levels, "complete": "1"})
        assert sent.status_code == 302
    with as_person(alice):
        first, second = OwnRecord.objects.order_by("pk")
    page = acting(alice, "get", "own_record", patient.pk, "rt_courses", second.pk).content.decode()
    assert f"?of=own_record:{second.pk}" in page
    files = acting(alice, "get", "attachments", patient.pk, query=f"?of=own_record:{second.pk}").content.decode()
    assert f'<option value="own_record:{second.pk}" selected>Courses of radiotherapy {second.pk}</option>' in files
    assert f'<option value="own_record:{first.pk}">' in files
    assert "30.0 Gy" in acting(alice, "get", "patient", patient.pk).content.decode()
    assert acting(charlie, "get", "own_record", patient.pk, "rt_courses", first.pk).status_code == 404
    assert acting(alice, "get", "own_record_new", patient.pk, "nothing").status_code == 404


def test_a_doubt_about_a_new_record_is_asked_once_and_becomes_its_query(courses, alice, patient, acting, as_person):
    new = ("own_record_new", patient.pk, "rt_courses")
    asked = acting(alice, "post", *new, data=HIGH | {"complete": "1"})
    assert asked.status_code == 422 and "More than 24 Gy a fraction" in asked.content.decode()
    key = "rt_courses.new:rt_courses.high"
    assert key in asked.content.decode()
    assert acting(alice, "post", *new, data=HIGH | {"complete": "1", "asked": [key]}).status_code == 302
    with as_person(alice):
        query = Query.objects.get()
        assert (query.form, query.own_record_id, query.state) == ("own_record", OwnRecord.objects.get().pk, "open")
        assert query.seen == {"rtc_dose_gy": 30.0, "rtc_fractions": 1}


def test_the_sweep_finds_what_a_save_would_and_closes_what_was_mended(record, alice, patient, as_person, as_system):
    form, row = record(HIGH)
    with as_system():
        assert soft_checks_bulk.sweep() == (0, 0, 0)  # the save has asked already
        Query.objects.update(state="closed", mended=True)
        assert soft_checks_bulk.sweep() == (0, 1, 0)
    record(SENT, record=row.pk, version=row.version, reason="misread")
    with as_system():
        assert Query.objects.get().state == "closed"
        assert queries.form_of(Query.objects.get()) == form


def test_it_is_asked_about_answered_compared_with_the_source_and_signed(
    record, alice, mona, ivo, patient, acting, as_person
):
    form, row = record()
    page = acting(mona, "get", "own_record", patient.pk, "rt_courses", row.pk).content.decode()
    assert f"form={form.code}&amp;field=rtc_levels" in page
    sent = {"form": form.code, "field": "rtc_levels", "text": "T8 or T9?"}
    assert acting(mona, "post", "query_new", patient.pk, data=sent).status_code == 302
    assert "T8 or T9?" in acting(alice, "get", "own_record", patient.pk, "rt_courses", row.pk).content.decode()
    assert "T8 or T9?" in acting(mona, "get", "queries", query="?form=own_record").content.decode()
    with as_person(alice) as access:
        query = Query.objects.get()
        assert queries.answers_about(query, patient, queries.row_of(query)) == {"rtc_levels": "T8"}
        queries.answer(access=access, query=query, text="T8: the plan says so")
        assert queries.unsettled_by_form(patient) == {form.code: 1}
    listed = acting(mona, "get", "to_verify", query="?form=own_record").content.decode()
    assert form.code in listed and "Courses of radiotherapy" in listed
    assert acting(mona, "get", "verify_form", patient.pk, form.code).status_code == 200
    with as_person(mona) as access:
        stored = verification.verify(
            access=access, form_row=form_row(patient, form), columns=form_row(patient, form).comparable
        )
        assert stored.state == "verified"
        queries.close(access=access, query=query)
    with as_person(ivo) as access:
        ready = signing.ready(patient)
        assert form in [form.form for form in ready.forms]
        assert to_sign.unsigned([patient.site_id], limit=5).lines[0].ready == 1
        # The patient's other forms are not complete: the record is signed with those of its own that are.
        assert form_row(patient, form).is_finished


def test_a_signed_record_is_locked_and_its_signature_checked(record, ivo, patient, as_person, as_system, monkeypatch):
    form, row = record()
    # The patient's baseline and surgery are not complete, which would keep anybody from signing.
    monkeypatch.setattr(signing, "PATIENT_FORMS", {})
    of_all = signing.forms_of
    monkeypatch.setattr(signing, "forms_of", lambda *about: [details for details in of_all(*about) if details.form.own])
    with as_person(ivo) as access:
        signing.sign(access=access, patient=patient)
        assert OwnRecord.objects.get().state == "locked"
        (entry,) = Signature.objects.get().forms
        assert entry["form"] == form.code and "rtc_levels" in entry["columns"]
        assert [checked.status for checked in signing.checked(patient)] == ["valid"]
        assert signing.unlock(access=access, patient=patient, codes=[form.code], reason="to correct") == [form.code]
        row = OwnRecord.objects.get()
        assert row.state == "complete"
    record(SENT | {"rtc_levels": "T9"}, record=row.pk, version=row.version, reason="misread")
    with as_system():
        assert [checked.status for checked in signing.verify_all()] == ["broken"]


def test_the_history_tells_of_it_in_words(record, alice, patient, acting):
    form, row = record()
    record(SENT | {"rtc_levels": "T9"}, record=row.pk, version=row.version, reason="misread")
    page = acting(alice, "get", "history", patient.pk, query=f"?record={form.code}").content.decode()
    assert "T8" in page and "T9" in page and "misread" in page and f"Courses of radiotherapy {row.pk}" in page


def test_entered_in_error_takes_its_queries_along_and_back(record, alice, mona, patient, as_person):
    form, row = record()
    with as_person(mona) as access:
        queries.raise_query(access=access, patient=patient, form=form, text="Whose is it?")
    with as_person(alice) as access:
        entry = entered_in_error.mark(access=access, row=row, version=row.version, reason="another patient's")
        assert not OwnRecord.objects.exists() and not Query.objects.exists()
        entered_in_error.take_back(access=access, entry=entry, reason="it was right")
        assert OwnRecord.objects.count() == Query.objects.count() == 1


def test_the_api_reads_records_corrects_and_refuses(record, alice, charlie, patient, client):
    _form, row = record()
    client.force_login(alice)
    listed = client.get("/api/v1/own-records?form=rt_courses").json()["items"]
    assert [(preset["id"], preset["rtc_levels"], preset["rtc_from"]) for preset in listed] == [
        (row.pk, "T8", "2025-11")
    ]
    sent = {"patient_id": patient.pk, "form": "rt_courses", "rtc_levels": "L1", "missing": {"rtc_dose_gy": "unknown"}}

    def post(body):
        return client.post("/api/v1/own-records", body, content_type="application/json")

    made = post(sent)
    assert made.status_code == 201 and made.json()["state"] == "draft"
    wrong = post(sent | {"rtc_dose_gy": 30000, "kind": 1}).json()["errors"]
    assert wrong.keys() == {"rtc_dose_gy", "kind"}
    assert post(sent | {"form": "nothing"}).json()["errors"].keys() == {"form"}
    address = made["Location"]
    patch = {"content_type": "application/json", "headers": {"If-Match": made["ETag"]}}
    done = client.patch(address, SENT | {"complete": True}, **patch)
    assert (done.status_code, done.json()["state"], done.json()["rtc_levels"]) == (200, "complete", "T8"), done.content
    assert client.patch(address, {"rtc_levels": "L2"}, **patch).status_code == 412
    patch["headers"]["If-Match"] = done["ETag"]
    assert client.patch(address, {"rtc_levels": "L2"}, **patch).json()["errors"].keys() == {"reason"}
    client.force_login(charlie)
    assert client.get(address).status_code == 404 and client.get("/api/v1/own-records").json()["items"] == []


def test_the_openapi_document_has_the_own_items_of_each_form(publish, dose, courses, alice, client):
    publish(dose)
    client.force_login(alice)
    schemas = client.get("/api/v1/schema").json()["components"]["schemas"]
    read, sent = schemas["OwnRecord"]["properties"], schemas["OwnRecordNew"]["properties"]
    assert "rtc_dose_gy" in schemas["PatchedOwnRecordChange"]["properties"]
    assert read["rtc_dose_gy"]["type"] == ["number", "null"] and "rtc_dose_gy" in sent
    assert "srs_per" in schemas["Assessment"]["properties"] and "srs_per" not in schemas["AssessmentNew"]["properties"]
    assert schemas["Assessment"]["properties"]["srs_sites"]["items"]["enum"] == ["rib", "spine", "other"]
    assert "rt_courses" in read["rtc_dose_gy"]["description"]
    assert "rtc_dose_gy" in client.get("/api/v1/docs").content.decode()


def test_a_query_about_a_record_by_the_api(record, mona, patient, client):
    _form, row = record()
    client.force_login(mona)
    about = {"patient_id": patient.pk, "form": "own_record", "field": "rtc_levels", "text": "T8 or T9?"}

    def post(body):
        return client.post("/api/v1/queries", body, content_type="application/json")

    assert post(about).json()["errors"].keys() >= {"own_record_id"}
    made = post(about | {"own_record_id": row.pk})
    assert made.status_code == 201 and made.json()["own_record_id"] == row.pk
    assert post(about | {"own_record_id": row.pk, "field": "frankel"}).json()["errors"].keys() == {"field"}


def test_a_snapshot_freezes_records_for_exports_differences_and_comparisons(
    record, bob, alice, patient, as_person, as_system, tmp_path, settings
):
    settings.EXPORT_FOLDER = tmp_path
    _form, row = record()
    frozen = snapshots.freeze(access=None, label="First")
    assert frozen.rows["own_records"] == 1
    record(SENT | {"rtc_levels": "T9"}, record=row.pk, version=row.version, reason="misread")
    record(SENT | {"rtc_levels": "L1"})
    wanted = gathered(of="repeat", form="rt_courses", give="count")
    with as_system():
        assert snapshots.verify(frozen)
        with snapshots.opened(frozen) as source:
            assert frame.read([wanted], source=source).data[wanted].tolist() == [1]
            (difference,) = [
                difference for difference in snapshots.differences(source, snapshots.LIVE) if difference.differs
            ]
        assert frame.read([wanted]).data[wanted].tolist() == [2]
    assert (difference.table, difference.added, difference.changed) == ("own_records", 1, 1)
    assert ("rtc_levels", "T8", "T9") in [cell[1:] for cell in difference.cells]
    with as_person(bob) as access:
        written = {}
        for choices in (Choices(content=WHOLE), Choices(content=WHOLE, snapshot=str(frozen.pk))):
            export = jobs.request(access=access, choices=choices)
            assert jobs.perform(export.pk, reporting=False)
            export.refresh_from_db()
            with zipfile.ZipFile(tmp_path / jobs.name_of(export)) as archive:
                name = next(name for name in archive.namelist() if name.endswith("own_rt_courses.csv"))
                written[choices.snapshot] = archive.read(name).decode().count("\n") - 1
    assert sorted(written.values()) == [1, 2]


def test_odm_has_a_study_event_for_each_record(record, bob, patient, as_person, tmp_path, settings):
    settings.EXPORT_FOLDER = tmp_path
    _form, row = record()
    with as_person(bob) as access:
        export = jobs.request(access=access, choices=Choices(format="odm", content=WHOLE))
        assert jobs.perform(export.pk, reporting=False)
        export.refresh_from_db()
        with zipfile.ZipFile(tmp_path / jobs.name_of(export)) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".odm.xml"))
            odm = ET.fromstring(archive.read(name))  # noqa: S314 - our own file
    spaces = {"o": "http://www.cdisc.org/ns/odm/v1.3"}
    (event,) = odm.findall(".//o:StudyEventData[@StudyEventOID='SE.own_rt_courses']", spaces)
    assert event.get("StudyEventRepeatKey") == str(row.pk)
    values = {element.get("ItemOID"): element.get("Value") for element in event.findall(".//o:ItemData", spaces)}
    assert values["I.rtc_from"] == "2025-11" and values["I.rtc_kind"] == "sbrt"
    defined = {element.get("OID"): element.get("DataType") for element in odm.findall(".//o:ItemDef", spaces)}
    assert defined["I.rtc_from"] == "partialDate" and set(values) <= set(defined)
    assert odm.find(".//o:StudyEventDef[@OID='SE.own_rt_courses']", spaces).get("Repeating") == "Yes"


def test_what_one_form_does_not_ask_no_record_of_it_can_hold(record, publish, patient, as_system):
    _form, row = record()
    publish(
        {"metaspine": "instrument", "format": 1, "code": "walk", "title": {"en": "Walk"}, "record": "repeat",
         "items": [{"name": "walk_m", "label": {"en": "Metres"}, "kind": "whole", "minimum": 0, "maximum": 900}]}
    )  # fmt: skip
    with as_system(), because("raw SQL"), connection.cursor() as cursor:
        for values in ("walk_m = 5", "rtc_dose_gy = -1", "rtc_kind = 'other kind'", "rtc_from = '2025-13'"):
            with pytest.raises(IntegrityError), transaction.atomic():
                cursor.execute(f"UPDATE registry_ownrecord SET {values} WHERE id = %s", [row.pk])
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(
                "INSERT INTO registry_ownrecord (site_id, patient_id, form, state) VALUES (%s, %s, 'nothing', 'draft')",
                [patient.site_id, patient.pk],
            )


def test_a_file_brings_records_in_by_their_number_and_back(
    record, bring_in, patient, as_system, tmp_path, settings  # noqa: F811
):  # fmt: skip
    _form, row = record()
    second = SENT | {"patient_id": patient.pk, "rtc_levels": "L1", "rtc_dose_gy": "", "rtc_dose_gy_missing": "unknown"}

    def bring(*rows, **options):
        write_csv(tmp_path / "own_rt_courses.csv", rows, sorted({name for row in rows for name in row}))
        return bring_in(tmp_path, **options)

    first = {"patient_id": patient.pk, "record": row.pk} | SENT
    for _again in range(2):  # a file that is brought in twice stores nothing twice
        report = bring(first, second)
        assert (findings(report), report.stored) == ([], True)
        with as_system():
            stored = list(OwnRecord.objects.order_by("pk").values_list("rtc_levels", "state", "form"))
        assert stored == [("T8", "complete", "rt_courses"), ("L1", "complete", "rt_courses")]
    assert "was taken for that one" in report.warnings.shown[0].reason.en
    changed = bring(first | {"rtc_levels": "T9"}, update=True, reason="misread")
    assert (changed.stored, vars(changed.counts["own_rt_courses"])) == (True, {"new": 0, "changed": 1, "unchanged": 0})
    with as_system():
        assert OwnRecord.objects.get(pk=row.pk).rtc_levels == "T9"
    wrong = bring(first | {"record": row.pk + 9000}, first, first, {"patient_id": "X-1"}, first | {"rtc_dose_gy": "-1"})
    said = {(line, column) for _, line, column, *_ in findings(wrong)}
    assert said >= {(2, "record"), (4, "patient_id, record"), (5, "patient_id"), (6, "rtc_dose_gy")}
    assert "Leave the number empty" in str(findings(wrong))
    path = tmp_path / "out.zip"
    call_command("export_data", path, content=[*WHOLE], stdout=io.StringIO())
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "own_rt_courses.csv").write_bytes(archive.read("data/own_rt_courses.csv"))
    back = bring_in(tmp_path)
    assert (findings(back), vars(back.counts["own_rt_courses"])) == ([], {"new": 0, "changed": 0, "unchanged": 2})


def side_by_side():
    """Rows of a wide file of another system: dates, kinds, levels, doses and fractions of up to three courses."""
    names = ["patient_id"]
    for n in (1, 2, 3):
        names += [f"rtc_from_{n}", f"Kind {n}", f"{n}回目 照射高位", f"RT{n} Dose", f"rtc_fractions ({n})"]
    return names


TARGETS = ("rtc_from", "rtc_kind", "rtc_levels", "rtc_dose_gy", "rtc_fractions")


def course(level="T8"):
    return ["2025-11", "sbrt", level, "30.0", "5"]


NOTHING = [""] * 5


def test_columns_side_by_side_are_suggested_as_records(courses):
    suggested = mapping.suggested(side_by_side())
    wanted = ["patient_id", *(f"{target}#{n}" for n in (1, 2, 3) for target in TARGETS)]
    assert list(suggested.values()) == wanted
    twice = mapping.suggested(
        [
            "patient_id",
            "Total dose",
            "Total dose (2)",
            "総線量 No.3",
            "rtc_dose_gy_2_missing",
            "手術1 線量",
            "T8 Dose",
            "Day 30",
        ]
    )
    assert list(twice.values()) == [
        "patient_id", *(f"rtc_dose_gy{place}" for place in ("#1", "#2", "#3")), "rtc_dose_gy_missing#2"
    ]  # fmt: skip
    assert mapping.suggested(["rtc_dose_gy_1", "rtc_dose_gy_1 (2)"]) == {"rtc_dose_gy_1": "rtc_dose_gy#1"}
    wrong = {"a": "rtc_dose_gy#0", "b": "rtc_dose_gy#100", "c": "eq_vas#1", "d": "rtc_dose_gy#x", "f": "rtc_kind#1",
             "h": "rtc_levels#01", "i": "rtc_levels#00011111"}  # fmt: skip
    said = mapping.faults(mapping.Mapping(columns={"id": "patient_id"} | wrong | {"g": "rtc_kind#1"}))
    assert said.keys() - {"timepoint"} == {"a", "b", "c", "d", "g", "h", "i"}


def test_two_rows_that_number_courses_name_the_columns_together(courses):
    head = [
        (1, ["症例番号", "照射1", "", "照射2", ""]),
        (2, ["", "線量", "回数", "線量", "回数"]),
        (3, ["X", "30", "5"]),
    ]
    for first in ([], [(1, ["Our courses in 2026"])]):
        rows = [*first, *((number + len(first), cells) for number, cells in head)]
        header = shaping.find_header(rows, mapping.knower(), mapping.visit_reader())
        assert header == ((1 + len(first), 2 + len(first)), True)
    names = shaping.joined_names([cells for _, cells in head[:2]])
    assert list(mapping.suggested(names).values())[1:] == [
        "rtc_dose_gy#1", "rtc_fractions#1", "rtc_dose_gy#2", "rtc_fractions#2"
    ]  # fmt: skip
    assert shaping.find_header(head[1:], mapping.knower(), mapping.visit_reader()) == ((2,), True)


def test_records_side_by_side_come_in_as_the_first_the_second_and_so_on(
    record, browser, patient, as_system  # noqa: F811
):  # fmt: skip
    _form, row = record()

    def bring(*cells):
        lines = (side_by_side(), [patient.pk, *(cell for pair in cells for cell in pair)])
        content = "\n".join(",".join(map(str, line)) for line in lines).encode()
        return matched(browser, content)["own_rt_courses"]

    def stored():
        with as_system():
            return list(OwnRecord.objects.order_by("pk").values_list("rtc_levels", flat=True))

    assert bring(course(), course("T9"), NOTHING) == {"new": 1, "changed": 0, "unchanged": 1}
    assert bring(course("T9"), course("T8"), NOTHING) == {"new": 0, "changed": 0, "unchanged": 2}  # in another order
    assert bring(course("T7"), NOTHING, course("L1")) == {"new": 1, "changed": 1, "unchanged": 0}
    assert stored() == ["T7", "T9", "L1"]
    assert bring(NOTHING, NOTHING, course("L2")) == {"new": 0, "changed": 1, "unchanged": 0}
    assert stored() == ["T7", "T9", "L2"]
    with as_system():
        assert OwnRecord.objects.first().pk == row.pk


def test_numbers_that_skip_are_told_and_a_fault_names_its_own_column(record, browser, patient):  # noqa: F811
    names, rows = side_by_side(), [[patient.pk, *NOTHING, *course("T9"), *course("T" * 61)]]
    names[6:11] = [name.replace("2", "5") for name in names[6:11]]
    address = send(browser, other__csv="\n".join(",".join(map(str, line)) for line in [names, *rows]).encode())
    page = follow(browser, address)
    assert "record 5" in page.content.decode() and "dose#2" in page.content.decode()
    browser.post(f"{address}columns/", columns_of(page))
    page = follow(browser, address)
    if page.templates[0].name == "imports/import_values.html":
        browser.post(f"{address}values/", values_of(page))
        page = follow(browser, address)
    report = import_jobs.report_of(page.context["job"])
    assert [(finding.row, finding.column) for finding in report["errors"].listed] == [(2, "3回目 照射高位")]
    reasons = {(finding.row, finding.column): finding.reason.en for finding in report["warnings"].listed}
    assert reasons.keys() == {(1, "rtc_from_3"), (1, "rtc_from_5"), (2, "rtc_from_3")}, reasons
    assert "no columns for record 2" in reasons[1, "rtc_from_3"]
    assert "Record 1" in reasons[2, "rtc_from_3"] and "is empty in this row" in reasons[2, "rtc_from_3"]


def test_a_wide_export_has_records_side_by_side_and_comes_back_as_it_is(
    record, browser, patient, as_system, tmp_path  # noqa: F811
):  # fmt: skip
    record()
    record({"rtc_levels": "T9"}, complete=False)
    record(SENT | {"rtc_levels": "L1", "rtc_dose_gy": ""}, missing={"rtc_dose_gy": "unknown"})
    path = tmp_path / "wide.zip"
    call_command("export_data", path, shape="wide", content=[*WHOLE], missing="columns", stdout=io.StringIO())
    with zipfile.ZipFile(path) as archive:
        content = archive.read("data/patients.csv")
        assert archive.read("data/own_rt_courses.csv").decode().count("\n") == 4
    header = content.decode("utf-8-sig").split("\n")[0].split(",")
    own = [name for name in header if name.startswith("rtc_")]
    assert own[:2] == ["rtc_from_1", "rtc_from_1_missing"] and "rtc_dose_gy_3_missing" in own
    assert "rtc_from_4" not in own
    counts = matched(browser, content, age_at_surgery="")
    assert counts["own_rt_courses"] == {"new": 0, "changed": 0, "unchanged": 3}
    with as_system():
        before = list(OwnRecord.objects.order_by("pk").values("rtc_levels", "rtc_dose_gy", "missing", "state"))
        OwnRecord.objects.all().delete()
    assert matched(browser, content, age_at_surgery="")["own_rt_courses"]["new"] == 3
    with as_system():
        after = list(OwnRecord.objects.order_by("pk").values("rtc_levels", "rtc_dose_gy", "missing", "state"))
    assert after == before
    for days in ("days", "shifted"):
        call_command(
            "export_data", tmp_path / f"{days}.zip", shape="wide", content=[*WHOLE], dates=days, stdout=io.StringIO()
        )


def test_a_file_of_another_system_brings_records_in(record, browser, patient, as_system):  # noqa: F811
    _form, row = record()
    names = (
        "Subject",
        "redcap_repeat_instrument",
        "redcap_repeat_instance",
        "No",
        "Since",
        "Kind",
        "Level",
        "Dose",
        "Fx",
    )
    rows = [(patient.pk, "rt", n, number, "2025-12", "sbrt", level, "27.0", "3") for n, number, level in
            ((1, row.pk, "T1"), (2, "", "T2"), (3, "", "T3"))]  # fmt: skip
    targets = ("rtc_from", "rtc_kind", "rtc_levels", "rtc_dose_gy", "rtc_fractions")
    said = {"Subject": "patient_id", "No": "record"} | dict(zip(names[4:], targets, strict=True))
    content = "\n".join(",".join(map(str, line)) for line in (names, *rows)).encode()
    assert matched(browser, content, **said) == {"own_rt_courses": {"new": 2, "changed": 1, "unchanged": 0}}
    with as_system():
        stored = OwnRecord.objects.order_by("pk").values_list("rtc_levels", "rtc_dose_gy", "state")
        assert list(stored) == [(level, 27, "complete") for level in ("T1", "T2", "T3")]
        done = Import.objects.get()
        assert not undoing.obstacles(done)
        undoing.undo(done, scope=replace(reach.scope_of(done), reason="the wrong file"))
        assert OwnRecord.objects.get().rtc_levels == "T8"
