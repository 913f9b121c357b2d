"""Own instruments by FHIR: a Questionnaire of every kind of item, answers out and in again, repeating forms too."""

import pytest

from registry.models import Assessment, OwnRecord
from registry.services.protocol import bringing
from tests.protocol.test_publishing import CORE, OWN

FHIR = "application/fhir+json"


@pytest.fixture
def asking(publish, dose, save, alice, patient, client):
    publish(dose)
    publish(bringing.library()["rt_courses"])
    save(CORE | OWN)
    client.force_login(alice)
    return client


def test_a_questionnaire_has_the_type_of_every_kind_of_item(asking):
    answer = asking.get("/api/fhir/R4/Questionnaire/srs")
    assert answer.status_code == 200, answer.content
    types = {item["linkId"]: item["type"] for item in answer.json()["item"]}
    assert types == {
        "srs_given": "choice", "srs_dose_gy": "decimal", "srs_fractions": "integer", "srs_sites": "choice",
        "srs_other": "string", "srs_first": "date", "srs_at": "time", "srs_planned": "date", "srs_intent": "choice",
        "srs_per": "decimal",
    }  # fmt: skip
    (sites,) = [item for item in answer.json()["item"] if item["linkId"] == "srs_sites"]
    assert sites["repeats"] is True and [option["valueCoding"]["code"] for option in sites["answerOption"]] == [
        "rib",
        "spine",
        "other",
    ]
    listed = asking.get("/api/fhir/R4/Questionnaire").json()
    assert {"srs", "rt-courses", "eq5d5l"} <= {entry["resource"]["id"] for entry in listed["entry"]}


def test_answers_go_out_and_come_in_again(asking, patient, as_system):
    address = f"/api/fhir/R4/QuestionnaireResponse/preop.srs.{patient.pk}"
    read = asking.get(address)
    assert read.status_code == 200, read.content
    answers = {item["linkId"]: item["answer"] for item in read.json()["item"]}
    assert answers["srs_first"] == [{"valueDate": "2026-01"}] and answers["srs_at"] == [{"valueTime": "08:30:00"}]
    assert [answer["valueCoding"]["code"] for answer in answers["srs_sites"]] == ["rib", "other"]
    assert answers["srs_per"] == [{"valueDecimal": 8.0}]
    resource = read.json()
    (first,) = [item for item in resource["item"] if item["linkId"] == "srs_first"]
    first["answer"] = [{"valueDate": "2026-02-03"}]
    (sites,) = [item for item in resource["item"] if item["linkId"] == "srs_sites"]
    sites["answer"] = sites["answer"][:1]
    resource["item"] = [item for item in resource["item"] if item["linkId"] != "srs_other"]
    resource["extension"].append({"url": "urn:metaspine:reason-for-change", "valueString": "misread"})
    headers = {"If-Match": read["ETag"]}
    put = asking.put(address, resource, content_type=FHIR, headers=headers)
    assert put.status_code == 200, put.content
    with as_system():
        row = Assessment.objects.get()
    assert (row.srs_first, row.srs_sites, row.srs_at.strftime("%H:%M")) == ("2026-02-03", ("rib",), "08:30")
    (first,) = [item for item in resource["item"] if item["linkId"] == "srs_first"]
    first["answer"] = [{"valueString": "2026-02-03"}]
    refused = asking.put(address, resource, content_type=FHIR, headers={"If-Match": put["ETag"]})
    assert refused.status_code == 422 and "srs_first" in refused.content.decode()


def test_records_of_a_repeating_form(asking, alice, charlie, patient, as_system, client):
    base = asking.get("/api/fhir/R4/Questionnaire/rt-courses").json()["url"]

    def coded(name, code):
        return {"linkId": name, "answer": [{"valueCoding": {"code": code}}]}

    sent = {
        "resourceType": "QuestionnaireResponse", "questionnaire": base, "status": "completed",
        "subject": {"reference": f"Patient/{patient.pk}"},
        "item": [
            {"linkId": "rtc_from", "answer": [{"valueDate": "2025-11"}]}, coded("rtc_kind", "sbrt"),
            {"linkId": "rtc_levels", "answer": [{"valueString": "T8"}]},
            {"linkId": "rtc_dose_gy", "answer": [{"valueDecimal": 30}]},
            {"linkId": "rtc_fractions", "answer": [{"valueInteger": 5}]},
        ],
    }  # fmt: skip
    for _time in range(2):
        made = asking.post("/api/fhir/R4/QuestionnaireResponse", sent, content_type=FHIR)
        assert made.status_code == 201, made.content
    with as_system():
        rows = list(OwnRecord.objects.order_by("pk"))
    assert [(row.state, row.rtc_from) for row in rows] == [("complete", "2025-11")] * 2
    listed = asking.get(f"/api/fhir/R4/QuestionnaireResponse?patient={patient.pk}&questionnaire={base}").json()
    ids = [entry["resource"]["id"] for entry in listed["entry"]]
    assert ids == [f"record-{row.pk}.rt-courses.{patient.pk}" for row in rows]
    read = asking.get(f"/api/fhir/R4/QuestionnaireResponse/{ids[0]}")
    changed = read.json() | {
        "extension": [{"url": "urn:metaspine:reason-for-change", "valueString": "misread"}],
        "item": [*sent["item"][:2], {"linkId": "rtc_levels", "answer": [{"valueString": "T9"}]}, *sent["item"][3:]],
    }
    headers = {"If-Match": read["ETag"]}
    put = asking.put(f"/api/fhir/R4/QuestionnaireResponse/{ids[0]}", changed, content_type=FHIR, headers=headers)
    assert put.status_code == 200, put.content
    assert asking.get(f"/api/fhir/R4/QuestionnaireResponse/preop.rt-courses.{patient.pk}").status_code == 404
    client.force_login(charlie)
    assert client.get(f"/api/fhir/R4/QuestionnaireResponse/{ids[0]}").status_code == 404
