"""Licensed wording: off until it is loaded, on the patient's page from then on, in no export and no trail."""

import io
import zipfile

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from registry.exports import jobs
from registry.exports.choices import FORMATS, Choices
from registry.models import Assessment, LicensedWording, PatientLink
from registry.services.entry import patient_links
from registry.services.protocol import publishing, wording
from registry.services.protocol.publishing import InvalidDefinition
from sites.models import AuditEvent
from sites.tenancy.scope import everything

TEXT = "How well do you walk today, in the owner's words"
DIARY = {
    "metaspine": "instrument", "format": 1, "code": "diary", "title": {"en": "Sleep diary", "ja": "睡眠日誌"},
    "record": "assessment", "completed_by": "patient",
    "items": [
        {"name": "di_slept", "label": {"en": "Slept?", "ja": "眠れましたか"}, "kind": "yes_no"},
        {"name": "di_hours", "label": {"en": "Hours"}, "kind": "decimal", "places": 1, "minimum": 0, "maximum": 24,
         "show_if": "[di_slept] = 1"},
        {"name": "di_why", "label": {"en": "Why not"}, "kind": "codes", "show_if": "[di_slept] = 0",
         "choices": [{"code": "pain", "label": {"en": "Pain"}}, {"code": "noise", "label": {"en": "Noise"}}]},
        {"name": "di_words", "label": {"en": "In your words"}, "kind": "text", "required": False},
        {"name": "di_since", "label": {"en": "Since"}, "kind": "partial_date", "required": False},
        {"name": "di_bed", "label": {"en": "To bed at"}, "kind": "time", "required": False},
    ],
}  # fmt: skip


def file(language="en", **changes):
    text = wording.placeholder(language).decode()
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.replace(f"[{wording.PLACEHOLDER.en}] Mobility", TEXT).encode()


@pytest.fixture
def linked(as_person, alice, patient):
    def make(language="en"):
        with as_person(alice) as access:
            asked = {"timepoint": "preop", "language": language, "respondent": "self", "valid": "1d"}
            return patient_links.create(access=access, patient=patient, **asked)

    return make


def load(browser, **more):
    sent = {"questionnaire": "eq5d5l", "language": "en", "licence": "EuroQol 4711"}
    upload = io.BytesIO(more.pop("content", file()))
    upload.name = "wording.csv"
    return browser.post("/study/wording/", sent | {"file": upload} | more)


def test_until_it_is_loaded_links_do_not_ask_it_and_say_so(linked, alice, patient, client):
    client.force_login(alice)
    page = client.get(f"/patients/{patient.pk}/assessments/preop/links/").content.decode()
    assert page.count("because its licensed wording is not loaded") == 2 and "EQ-5D-5L with EQ VAS" in page
    link, token = linked()
    assert [item.name for item in patient_links.items_of(link)] == ["pain_vas_mm"]
    patient_page = Client().get(f"/answers/{token}/1/").content.decode()
    assert "Pain" in patient_page and "Mobility" not in patient_page


def test_loaded_it_is_what_the_patient_reads_in_that_language_alone(linked, ada, client):
    client.force_login(ada)
    assert load(client).status_code == 302
    _link, token = linked()
    page = Client().get(f"/answers/{token}/1/").content.decode()
    assert TEXT.replace("'", "&#x27;") in page and wording.PLACEHOLDER.en.replace("'", "&#x27;") in page
    link, _token = linked("ja")
    assert len(patient_links.items_of(link)) == 1
    shown = client.get("/study/wording/").content.decode()
    assert "EuroQol 4711" in shown and "Ada" in shown and "Not loaded: not asked by links" in shown
    gone = {"questionnaire": "eq5d5l", "language": "en", "licence": "licence ended", "take_back": "1"}
    assert client.post("/study/wording/", gone).status_code == 302
    assert [item.name for item in patient_links.items_of(linked()[0])] == ["pain_vas_mm"]


def test_a_link_that_was_given_before_asks_what_is_licensed_and_can_be_sent(linked, client):
    _link, token = linked()
    browser = Client()
    assert browser.post(f"/answers/{token}/1/", {"pain_vas_mm": "30"}).status_code == 302
    assert browser.post(f"/answers/{token}/2/").url == "/answers/thanks/en/"


@pytest.mark.parametrize(
    ("content", "row", "column"),
    [
        (b"", 1, ""),
        (b"a,b,c\n", 1, ""),
        (b"\xff\xfe\x00\x01", 0, ""),
        (file(**{"eq5d_mobility,1,no problems\r\n": ""}), 0, "text"),
        (file(**{"eq5d_mobility,1,": "eq5d_mobility,9,"}), 5, "code"),
        (file(**{"eq_vas,low,": "eq_vsa,low,"}), 35, "part"),
        (file() + b"intro,,twice\r\n", 37, "part"),
        (file(**{"eq5d_mobility,1,no problems": "eq5d_mobility,1," + "x" * 2001}), 5, "text"),
        (file() + b"intro,," + b"x" * 200_000, 0, ""),
    ],
)
def test_a_faulty_file_is_refused_with_row_and_reason_and_loads_nothing(content, row, column, ada, client):
    client.force_login(ada)
    answer = load(client, content=content)
    assert answer.status_code == 422
    with pytest.raises(InvalidDefinition) as refused:
        wording.read("eq5d5l", content)
    assert (refused.value.faults[0].row, refused.value.faults[0].column) == (row, column)
    assert not LicensedWording.objects.exists()


def test_what_a_japanese_spreadsheet_saves_is_read(ada, client):
    client.force_login(ada)
    content = wording.placeholder("ja").decode().replace("’", "'").encode("cp932", "replace")
    assert load(client, content=content, language="ja").status_code == 302
    assert "移動の程度" in wording.loaded("ja")["eq5d5l"]["items"]["eq5d_mobility"]["text"]


def test_without_a_licence_or_a_file_nothing_is_loaded_and_nobody_but_administrators_may(ada, alice, dana, client):
    client.force_login(ada)
    assert load(client, licence=" ").status_code == 422
    assert (
        client.post("/study/wording/", {"questionnaire": "eq5d5l", "language": "en", "licence": "1"}).status_code == 422
    )
    assert client.post("/study/wording/", {"questionnaire": "x", "language": "en"}).status_code == 404
    for person in (alice, dana):
        client.force_login(person)
        assert load(client).status_code == client.get("/study/wording/").status_code == 403
    assert not LicensedWording.objects.exists()


def test_it_is_in_no_export_and_no_audit_text_and_never_changes(
    ada, bob, client, as_person, settings, tmp_path, patient
):
    settings.EXPORT_FOLDER = tmp_path
    client.force_login(ada)
    assert load(client).status_code == 302
    with everything():
        assert not [event for event in AuditEvent.objects.all() if TEXT in f"{event.old}{event.new}{event.reason}"]
        assert AuditEvent.objects.filter(table_name="registry_licensedwording").get().new["licence"] == "EuroQol 4711"
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE registry_licensedwording SET licence = 'other'")
    with as_person(bob) as access:
        for kind in FORMATS:
            export = jobs.request(access=access, choices=Choices(format=kind.code, content=("items", "extras")))
            assert jobs.perform(export.pk, reporting=False)
            export.refresh_from_db()
            with zipfile.ZipFile(tmp_path / jobs.name_of(export)) as archive:
                assert not [name for name in archive.namelist() if TEXT.encode() in archive.read(name)]


def test_patients_are_asked_the_studys_own_forms_of_every_kind(ada, alice, as_person, linked, client, patient):
    with as_person(ada) as access:
        publishing.keep_draft(access=access, document=DIARY)
        publishing.publish(access=access, code="diary", note="to try")
    link, token = linked()
    browser = Client()

    def names():
        with everything():
            return [item.name for item in patient_links.items_of(PatientLink.objects.get(pk=link.pk))]

    assert names() == ["pain_vas_mm", "di_slept", "di_words", "di_since", "di_bed"]
    given = {
        "pain_vas_mm": "30",
        "di_slept": "1",
        "di_hours": "6.5",
        "di_words": "refused",
        "di_since": "2026-03",
        "di_bed": "23:10",
    }
    assert browser.post(f"/answers/{token}/1/", {"pain_vas_mm": "30"}).status_code == 302
    assert browser.post(f"/answers/{token}/2/", {"di_slept": "1"}).status_code == 302
    assert names()[2] == "di_hours"
    assert browser.post(f"/answers/{token}/3/", {"di_hours": "99"}).status_code == 422
    for step, name in enumerate(names(), 1):
        page = browser.get(f"/answers/{token}/{step}/")
        assert page.status_code == 200 and f'name="{name}"' in page.content.decode()
        assert browser.post(f"/answers/{token}/{step}/", {name: given[name]}).status_code == 302
    assert "6.5" in browser.get(f"/answers/{token}/7/").content.decode()
    assert browser.post(f"/answers/{token}/7/").url == "/answers/thanks/en/"
    client.force_login(alice)
    review = client.get(f"/patient-links/{link.pk}/").content.decode()
    assert "Slept?" in review and "23:10" in review and "refused" in review
    with as_person(alice) as access:
        patient_links.accept(access=access, link=PatientLink.objects.get(pk=link.pk))
    page = client.get(f"/patients/{patient.pk}/assessments/preop/").content.decode()
    assert 'value="6.5"' in page and "2026-03" in page
    assert Assessment.objects.count() == 0


def test_a_wording_that_lacks_what_the_form_asks_by_now_is_not_used_and_says_so(ada, as_person, linked, client):
    """A later version of an own form asks more than the file had: neither link nor paper fails, and the page tells."""
    longer = DIARY["items"][2] | {"choices": [*DIARY["items"][2]["choices"], {"code": "heat", "label": {"en": "Heat"}}]}
    more = {"name": "di_snored", "label": {"en": "Snored?"}, "kind": "yes_no"}
    later = [
        DIARY | {"items": [*DIARY["items"], more]},
        DIARY | {"items": [*DIARY["items"][:2], longer, *DIARY["items"][3:], more]},
    ]
    _link, token = linked()
    with as_person(ada) as access:
        publishing.keep_draft(access=access, document=DIARY)
        publishing.publish(access=access, code="diary", note="to try")
        lines = wording.template("diary").decode("utf-8-sig").splitlines()
        content = "\r\n".join([lines[0], *(f"{line}The owner's words" for line in lines[1:])]).encode()
        wording.load(access=access, code="diary", language="en", content=content, licence="L 1")
        assert wording.loaded("en")["diary"]["items"]["di_slept"]["text"] == "The owner's words"
        for document in later:
            publishing.keep_draft(access=access, document=document)
            publishing.publish(access=access, code="diary", note="asks more")
            assert "diary" not in wording.loaded("en")
            assert Client().get(f"/answers/{token}/2/").status_code == 200
    client.force_login(ada)
    assert "load a longer file" in client.get("/study/wording/").content.decode()
