"""One own instrument through what follows from its declaration: pages, files, codebook, API, FHIR, history."""

import io
import json

import pytest
from django.urls import reverse


@pytest.fixture
def browsed(client):
    def act(user, method, name, *args, data=None, **more):
        client.force_login(user)
        return getattr(client, method)(reverse(name, args=args), data or {}, **more)

    return act


def test_its_files(publish, dose, save, ada, browsed):
    publish(dose)
    for form in ("metaspine", "redcap", "fhir"):
        answer = browsed(ada, "get", "own_instrument_file", "srs", form)
        assert answer.status_code == 200
    assert json.loads(answer.content)["resourceType"] == "Questionnaire"


ABOUT = {
    "name_en": "Hybrid therapy against total en bloc spondylectomy", "short_name": "HT-TES", "number": "NX-1",
    "target": "1,570", "arms": "HT | Hybrid | ハイブリッド\nTES | En bloc",
    "inclusion": "solitary | Solitary metastasis",
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
        "maximum": "１，０００",
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
    endless = {"title_en": "Grip", "record": "assessment", "down": "9" * 5000}
    assert browsed(ada, "post", "own_instrument", "grip", data=endless).status_code == 302
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
    # What cannot be kept even as a draft is told: no code, no list of items, a second of its code.
    fit = {"metaspine": "instrument", "format": 1, "code": "odd", "title": 5, "items": [{"name": 5, "label": [1]}]}
    odd = [fit | {"code": None}, fit | {"code": "x", "items": 5}, fit | {"code": "y", "items": [3]}, fit, fit]
    for entry, says in [([declaration], "must be") for declaration in odd[:3]] + [
        (odd[3:], "two declarations have the code")
    ]:
        file = io.BytesIO(json.dumps(entry).encode())
        file.name = "forms.json"
        page = browsed(ada, "post", "own_instrument_upload", data={"file": file, "record": "surgery"})
        assert page.status_code == 422 and says in page.content.decode()
    file = io.BytesIO(json.dumps(fit).encode())
    file.name = "forms.json"
    assert browsed(ada, "post", "own_instrument_upload", data={"file": file}).status_code == 422
    assert browsed(ada, "get", "own_instrument", "odd").status_code == 200
