"""One own instrument through what follows from its declaration: pages, files, codebook, API, FHIR, history."""

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
    told = client.get(f"/api/v1/assessments/{patient.pk}/preop").json()
    assert told["srs_dose_gy"] == 24.0 and told["srs_sites"] == ["rib", "other"] and told["srs_per"] == 8.0
    assert told["srs_at"] == "08:30" and told["srs_first"] == "2026-01"
    changed = client.patch(
        f"/api/v1/assessments/{patient.pk}/preop",
        {"srs_dose_gy": 20, "reason": "misread"},
        content_type="application/json",
        headers={"If-Match": f'"{told["version"]}"'},
    )
    assert changed.json()["srs_per"] == 6.7, changed.content
    refused = client.patch(
        f"/api/v1/assessments/{patient.pk}/preop",
        {"srs_dose_gy": 200, "reason": "misread"},
        content_type="application/json",
        headers={"If-Match": f'"{changed.json()["version"]}"'},
    )
    assert refused.status_code == 422 and "srs_dose_gy" in refused.json()["errors"]
    assert "srs" in {one["code"] for one in client.get("/api/v1/instruments").json()["items"]}
