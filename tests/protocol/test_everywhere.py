"""One own instrument through what follows from its declaration: pages, files, codebook, API, FHIR, history."""

import io
import json

import pytest
from django.urls import reverse

from registry.models import Assessment, OwnRecord
from registry.services.protocol import bringing
from tests.protocol.test_publishing import CORE, OWN
from tests.web.conftest import ASSESSMENT


@pytest.fixture
def browsed(client):
    def act(user, method, name, *args, data=None, **more):
        client.force_login(user)
        return getattr(client, method)(reverse(name, args=args), data or {}, **more)

    return act


def test_the_form_asks_it_and_says_what_it_found(publish, dose, alice, patient, browsed, as_system):
    publish(dose)
    page = browsed(alice, "get", "assessment", patient.pk, "preop").content.decode()
    assert "Stereotactic radiosurgery" in page and 'name="srs_dose_gy"' in page and "srs_per" not in page
    assert '"conditions"' in page and '"show_if"' in page
    sent = ASSESSMENT | OWN | {"complete": "1", "srs_sites": ["other", "rib"]}
    answer = browsed(alice, "post", "assessment", patient.pk, "preop", data=sent)
    assert answer.status_code == 302
    with as_system():
        assert Assessment.objects.get(patient=patient).srs_sites == ("rib", "other")
    page = browsed(alice, "get", "assessment", patient.pk, "preop").content.decode()
    assert "8.0 Gy" in page
    history = browsed(alice, "get", "history", patient.pk).content.decode()
    assert "Dose per fraction" not in history and "24.0 Gy" in history and "Rib, Other" in history
    page = browsed(alice, "get", "patient", patient.pk).content.decode()
    assert "24.0 Gy" in page


def test_a_doubt_of_its_own_is_asked_about(publish, dose, alice, patient, browsed):
    publish(dose)
    sent = CORE | OWN | {"complete": "1", "srs_dose_gy": "60", "srs_fractions": "1"}
    answer = browsed(alice, "post", "assessment", patient.pk, "preop", data=sent)
    assert answer.status_code == 422
    assert "More than 24 Gy a fraction" in answer.content.decode()


def test_a_repeating_form(publish, alice, charlie, patient, browsed, as_system):
    publish(bringing.library()["rt_courses"])
    address = "own_record_new"
    assert "Courses of radiotherapy" in browsed(alice, "get", "patient", patient.pk).content.decode()
    sent = {"rtc_from": "2025-11", "rtc_kind": "sbrt", "rtc_levels": "T8", "rtc_dose_gy": "30", "rtc_fractions": "5"}
    assert browsed(alice, "post", address, patient.pk, "rt_courses", data=sent | {"complete": "1"}).status_code == 302
    answer = browsed(alice, "post", address, patient.pk, "rt_courses", data=sent | {"complete": "1", "rtc_from": ""})
    assert answer.status_code == 422
    with as_system():
        row = OwnRecord.objects.get()
    assert (row.state, row.rtc_from, row.asked_by is not None) == ("complete", "2025-11", True)
    assert "30.0 Gy" in browsed(alice, "get", "patient", patient.pk).content.decode()
    changed = sent | {"version": row.version, "rtc_levels": "T9"}
    assert browsed(alice, "post", "own_record", patient.pk, "rt_courses", row.pk, data=changed).status_code == 422
    changed["reason"] = "misread"
    assert browsed(alice, "post", "own_record", patient.pk, "rt_courses", row.pk, data=changed).status_code == 302
    assert browsed(charlie, "get", "own_record", patient.pk, "rt_courses", row.pk).status_code == 404
    assert browsed(alice, "get", address, patient.pk, "nothing").status_code == 404


def test_its_files(publish, dose, save, ada, browsed):
    publish(dose)
    for form in ("metaspine", "redcap", "fhir"):
        answer = browsed(ada, "get", "own_instrument_file", "srs", form)
        assert answer.status_code == 200
    assert json.loads(answer.content)["resourceType"] == "Questionnaire"


def test_the_api_and_fhir_have_it(publish, dose, save, alice, patient, client):
    publish(dose)
    save(CORE | OWN)
    client.force_login(alice)
    answer = client.get(f"/api/v1/assessments/{patient.pk}/preop").json()
    assert answer["srs_dose_gy"] == 24.0 and answer["srs_sites"] == ["rib", "other"] and answer["srs_per"] == 8.0
    assert answer["srs_at"] == "08:30" and answer["srs_first"] == "2026-01"
    changed = client.patch(
        f"/api/v1/assessments/{patient.pk}/preop",
        {"srs_dose_gy": 20, "reason": "misread"},
        content_type="application/json",
        headers={"If-Match": f'"{answer["version"]}"'},
    )
    assert changed.json()["srs_per"] == 6.7, changed.content
    refused = client.patch(
        f"/api/v1/assessments/{patient.pk}/preop",
        {"srs_dose_gy": 200, "reason": "misread"},
        content_type="application/json",
        headers={"If-Match": f'"{changed.json()["version"]}"'},
    )
    assert refused.status_code == 422 and "srs_dose_gy" in refused.json()["errors"]
    assert "srs" in {item["code"] for item in client.get("/api/v1/instruments").json()["items"]}


ABOUT = {
    "name_en": "Hybrid therapy against total en bloc spondylectomy", "short_name": "HT-TES", "number": "NX-1",
    "target": "157", "arms": "HT | Hybrid | ハイブリッド\nTES | En bloc", "inclusion": "solitary | Solitary metastasis",
    "exclusion": "resected | Earlier resection", "consent": "1.0 | May 2012", "ethics": "N01 | 34",
    "note": "as approved",
}  # fmt: skip


def test_what_the_study_is_becomes_forms_and_versions(ada, alice, patient, browsed):
    answer = browsed(ada, "post", "study_about", data=ABOUT)
    assert (answer.status_code, answer.get("Location")) == (302, "/study/")
    page = browsed(alice, "get", "patient_baseline", patient.pk).content.decode()
    for name in ("study_arm", "incl_solitary", "excl_resected"):
        assert f'name="{name}"' in page
    guide = browsed(ada, "get", "study").content.decode()
    assert guide.count("missing:") == 2  # the matrix, which nobody has looked at, and the licensed wording
    assert "HT-TES" in browsed(ada, "get", "study_protocol").content.decode()
    twice = browsed(ada, "post", "study_about", data=ABOUT | {"arms": "HT | One\nHT | Two"})
    assert twice.status_code == 422 and "is there twice" in twice.content.decode()


def test_a_form_is_made_in_the_browser(ada, browsed):
    answer = browsed(
        ada, "post", "own_instrument_new", data={"title_en": "Grip", "code": "grip", "record": "assessment"}
    )
    assert answer.get("Location") == "/study/instruments/grip/"
    assert browsed(ada, "get", "own_item", "grip", 0).status_code == 200
    item = {
        "label_en": "Grip",
        "name": "byte",
        "kind": "whole",
        "minimum": "0",
        "maximum": "90",
        "unit": "kg",
        "save": "",
    }
    refused = browsed(ada, "post", "own_item", "grip", 0, data=item)
    assert refused.status_code == 422 and "is a word of Stata itself; “byte_2” would fit" in refused.content.decode()
    assert browsed(ada, "post", "own_item", "grip", 0, data=item | {"name": "grip_kg"}).status_code == 302
    hand = {"label_en": "Hand", "name": "grip_hand", "kind": "code", "choices": "l | Left | 左\nr | Right | 右",
            "show_if": "[grip_kg] > 0", "required": "on"}  # fmt: skip
    assert browsed(ada, "post", "own_item", "grip", 0, data=hand).status_code == 302
    assert 'name="grip_hand"' in browsed(ada, "get", "own_instrument_preview", "grip").content.decode()
    tried = browsed(ada, "post", "own_instrument_preview", "grip", data={"grip_kg": "31"})
    assert tried.status_code == 422 and "Hand needs a value" in tried.content.decode()
    assert browsed(ada, "post", "own_instrument", "grip", data={"down": "1"}).status_code == 302
    assert browsed(ada, "get", "own_instrument_publish", "grip").status_code == 200
    published = browsed(ada, "post", "own_instrument_publish", "grip", data={"note": "grip"})
    assert published.get("Location") == "/study/instruments/"
    states = {"note": "not at a month", "grip@1m": "not_asked", "off@barthel": "on"}
    assert browsed(ada, "post", "study_matrix", data=states).status_code == 302
    assert browsed(ada, "post", "own_instrument_retire", "grip", data={"note": "done"}).status_code == 302


def test_a_dictionary_is_brought(ada, browsed):
    content = (
        'Variable / Field Name,Form Name,Field Type,Field Label,"Choices, Calculations, OR Slider Labels"\n'
        'margin,visit,radio,Margin,"0, R0 | 1, R1"\nscan,visit,file,Scan,\n'
    )
    file = io.BytesIO(content.encode())
    file.name = "dictionary.csv"
    page = browsed(ada, "post", "own_instrument_upload", data={"file": file, "record": "surgery"})
    assert page.status_code == 200 and "2 fields were read; 1 became items" in page.content.decode()
    assert browsed(ada, "get", "own_instrument", "visit").status_code == 200
