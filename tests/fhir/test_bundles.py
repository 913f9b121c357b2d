"""Transactions, batches, searches by POST and by moment, includes, observations, `$everything`: as engines speak."""

import json
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from django.test.utils import override_script_prefix
from django.utils.timezone import localtime
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation

from registry.fhir.mapping import names
from registry.instruments import value_sets
from registry.models import Assessment, Patient
from tests.fhir.test_sent_again import PATIENT as KNOWN_BIRTH_DATE
from tests.fhir.test_server import ROOT, ask, frankel, issues, resources, stored  # noqa: F401 - fixtures
from tests.transfer.conftest import good  # noqa: F401 - a fixture

# Somebody of the same sex and day of birth is enrolled: the program says that this is another person.
ELSE = {"url": names.ANOTHER_PERSON, "valueBoolean": True}
PATIENT = KNOWN_BIRTH_DATE | {"extension": [*KNOWN_BIRTH_DATE["extension"], ELSE]}
ONE = "urn:uuid:6f3b1c2e-8d4a-4f6b-9a51-2c7d8e9f0a1b"


def bundle(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(resource, method="POST", url=None, full="", **asked):
    written = {"request": {"method": method, "url": url or resource["resourceType"]} | asked}
    return written | ({"resource": resource} if resource else {}) | ({"fullUrl": full} if full else {})


def about(reference, timepoint, **more):
    return frankel("x", timepoint, **more) | {"subject": {"reference": reference}}


def test_a_transaction_enrols_and_answers_in_any_order(ask, stored, as_system):  # noqa: F811
    sent = bundle("transaction", entry(about(ONE, "1m")), entry(PATIENT, full=ONE), entry(about(ONE, "3m")))
    status, body, _ = ask("alice", "post", "", sent)
    assert (status, body["type"]) == (200, "transaction-response"), body
    Bundle.model_validate(body)
    assert [item["response"]["status"] for item in body["entry"]] == ["201 Created"] * 3
    patient = body["entry"][1]["resource"]["id"]
    assert body["entry"][0]["resource"]["subject"] == {"reference": f"Patient/{patient}"}
    assert body["entry"][0]["response"]["location"].endswith(f"QuestionnaireResponse/1m.frankel.{patient}")
    assert body["entry"][0]["response"]["etag"] == 'W/"1"'
    with as_system():
        assert Assessment.objects.filter(patient=patient).count() == 2


def test_a_transaction_is_nothing_where_one_entry_fails(ask, stored, as_system):  # noqa: F811
    with as_system():
        before = Patient.objects.count()
    sent = bundle("transaction", entry(PATIENT, full=ONE), entry(about(ONE, "1m")), entry(about(ONE, "3m", item=[])))
    status, body, _ = ask("alice", "post", "", sent)
    assert status == 422
    assert body["issue"][0]["expression"][0] == "Bundle.entry[2].resource"
    status, body, _ = ask("alice", "post", "", bundle("transaction", entry(PATIENT), entry(about(ONE, "1m"))))
    assert (status, body["issue"][0]["code"]) == (422, "not-found")  # nobody has that address
    with as_system():
        assert Patient.objects.count() == before
        assert not Assessment.objects.exclude(patient__in=["N01-0001", "N01-0002", "S01-0001"]).exists()


def test_each_entry_of_a_batch_stands_for_itself(ask, stored, as_system):  # noqa: F811
    sent = bundle(
        "batch",
        entry(frankel("N01-0001", "6m")),
        entry(frankel("S01-0001", "6m")),  # another site's
        entry(None, "GET", "Patient/N01-0001"),
        entry(frankel("N01-0001", "preop"), "PUT", "QuestionnaireResponse/preop.frankel.N01-0001"),
        entry(None, "DELETE", "Patient/N01-0001"),  # which is not understood
        entry(about(ONE, "12m")),  # a reference that only a transaction resolves
    )
    with override_script_prefix("/registry/"):  # as a proxy mounts it
        status, body, _ = ask("alice", "post", "", sent)
    assert (status, body["type"]) == (200, "batch-response")
    Bundle.model_validate(body)
    assert [item["response"]["status"][:3] for item in body["entry"]] == ["201", "404", "200", "428", "422", "422"]
    assert "request.method" in body["entry"][4]["response"]["outcome"]["issue"][0]["details"]["text"]
    assert body["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert body["entry"][2]["resource"]["id"] == "N01-0001"
    with as_system():
        assert Assessment.objects.filter(timepoint="6m").count() == 1


def test_a_transaction_that_is_sent_again_enrols_nobody_twice(ask, stored, client, request):  # noqa: F811
    number = f"{names.HOSPITAL_NUMBER}|0012345"
    known = PATIENT | {"identifier": [{"system": names.HOSPITAL_NUMBER, "value": "0012345"}]}
    sent = bundle("transaction", entry(known, ifNoneExist=f"identifier={number}"))
    first, again = (ask("alice", "post", "", sent)[1]["entry"][0] for _ in range(2))
    assert (first["response"]["status"][:3], again["response"]["status"][:3]) == ("201", "200")
    assert first["resource"]["id"] == again["resource"]["id"]
    for who, known_there in (("alice", [first["resource"]["id"]]), ("bob", []), ("charlie", [])):
        # Who may not see hospital numbers there is told nothing by them.
        client.force_login(request.getfixturevalue(who))
        form = urlencode({"identifier": number})
        sent = client.post(f"{ROOT}/Patient/_search", form, content_type="application/x-www-form-urlencoded")
        assert [resource["id"] for resource in resources(sent.json())] == known_there
    status, answer, _ = ask("alice", "get", f"Patient?{urlencode({'identifier': number})}")
    assert (status, answer["issue"][0]["code"]) == (400, "not-supported")  # an address is kept in logs


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (bundle("collection", entry(PATIENT)), "Bundle.type"),
        (bundle("batch"), "Bundle.entry"),
        (bundle("transaction", {"resource": PATIENT}), "Bundle.entry[0].request"),
        (bundle("transaction", entry(None, "DELETE", "Patient/N01-0001")), "Bundle.entry[0].request"),
        (bundle("transaction", entry(None, "GET", "../v1/patients")), "Bundle.entry[0].request"),
        (bundle("transaction", entry(None, "GET", "metadata")), "Bundle.entry[0].request"),
        (bundle("transaction", entry(None, "POST", "Patient")), "Bundle.entry[0].resource"),
        (bundle("transaction", entry(PATIENT, ifModifiedSince="2026")), "Bundle.entry[0].ifModifiedSince"),
        (bundle("transaction", entry(PATIENT) | {"link": []}), "Bundle.entry[0].link"),
    ],
)
def test_a_bundle_that_is_not_understood_is_refused(ask, stored, sent, path):  # noqa: F811
    status, body, _ = ask("alice", "post", "", sent)
    assert (status, issues(body)[0][0]) == (422, path)


def test_a_search_by_post_is_the_search(ask, stored, client, alice, charlie):  # noqa: F811
    client.force_login(alice)
    form = {"content_type": "application/x-www-form-urlencoded"}
    sent = client.post(f"{ROOT}/QuestionnaireResponse/_search", "patient=N01-0001", **form)
    assert (sent.status_code, sent["Content-Type"]) == (200, "application/fhir+json; charset=utf-8")
    _, body, _ = ask("alice", "get", "QuestionnaireResponse?patient=N01-0001")
    assert sent.json()["entry"] == body["entry"]
    assert client.post(f"{ROOT}/Patient/_search", "name=Sato", **form).status_code == 400
    lenient = {"headers": {"Prefer": "respond-async, handling=lenient"}}
    assert client.post(f"{ROOT}/Patient/_search", "name=Sato", **form, **lenient).status_code == 200
    answer = client.get(f"{ROOT}/Patient?name=Sato&_count=1", **lenient)
    assert answer.json()["link"][0]["url"].endswith("/Patient?_count=1")  # what was left out is told
    refused = {
        "Patient?gender:not=male": 400, "Patient?_format=xml": 406, "Patient/N01-0001?_format=xml": 406,
        "Patient/N01-0001?_elements=gender": 400, "Patient/N01-0001/$everything?start=2026": 400,
    }  # fmt: skip
    for address, status in refused.items():
        answer = client.get(f"{ROOT}/{address}", **lenient)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (status, "not-supported"), address
    assert client.get(f"{ROOT}/Patient/N01-0001?_format=application/fhir%2Bjson&_pretty=true").status_code == 200
    assert "entry" not in client.get(f"{ROOT}/Patient?gender=urn:other|male").json()
    assert client.post(f"{ROOT}/Patient/_search", "{}", content_type="application/json").status_code == 415
    client.force_login(charlie)
    assert client.post(f"{ROOT}/QuestionnaireResponse/_search", "patient=N01-0001", **form).status_code == 404


def test_what_changed_since_and_how_many(ask, stored, bob, as_system):  # noqa: F811
    with as_system():
        stored_at = localtime(Patient.objects.get(pk="N01-0002").updated_at)
    day, moment = stored_at.date(), quote(stored_at.isoformat(timespec="seconds"))
    yesterday, tomorrow = (day + timedelta(days=n) for n in (-1, 1))
    asked = {
        f"_lastUpdated={day}": 3,  # the day where the study is
        f"_lastUpdated=eq{yesterday}": 0,
        f"_lastUpdated=ge{day}": 3,
        f"_lastUpdated=gt{day}": 0,
        f"_lastUpdated=gt{yesterday}": 3,
        f"_lastUpdated=lt{day}": 0,
        f"_lastUpdated=le{day}": 3,
        f"_lastUpdated=le{yesterday}": 0,
        f"_lastUpdated=ge{moment}": 3,
        f"_lastUpdated=lt{moment}": 0,
        f"_lastUpdated=ge{day}&_lastUpdated=lt{tomorrow}": 3,
        f"_lastUpdated=ge{yesterday}&_lastUpdated=lt{day}": 0,
    }
    for query, count in asked.items():
        _, body, _ = ask("bob", "get", f"Patient?{query}&_total=accurate&_count=1")
        assert (body["total"], len(resources(body))) == (count, min(count, 1)), query
    assert "total" not in ask("bob", "get", "Patient")[1]
    for wrong in ("_lastUpdated=ap2020", "_lastUpdated=2020-02-30", "_lastUpdated=ge2020-01-01T00:00:00", "_total=some",
                  "_sort=_id", "gender=male&gender=female"):  # fmt: skip
        assert ask("bob", "get", f"Patient?{wrong}")[0] == 400, wrong


def test_pages_keep_what_was_asked(ask, stored, bob):  # noqa: F811
    _, body, _ = ask("bob", "get", "Patient?_id=N01-0001,N01-0002&_count=1")
    following = next(item["url"] for item in body["link"] if item["relation"] == "next")
    _, body, _ = ask("bob", "get", following.partition(f"{ROOT}/")[2])
    assert [resource["id"] for resource in resources(body)] == ["N01-0002"] and len(body["link"]) == 1


def test_the_patient_is_included_where_asked(ask, stored, mona):  # noqa: F811
    asked = "QuestionnaireResponse?patient=N01-0001&_include=QuestionnaireResponse:patient"
    _, body, _ = ask("mona", "get", asked)
    Bundle.model_validate(body)
    assert [item["search"]["mode"] for item in body["entry"]][-2:] == ["match", "include"]
    assert body["total"] == len(body["entry"]) - 1
    assert ask("mona", "get", f"{asked}&_include=QuestionnaireResponse:author")[0] == 400


def test_scores_and_hsuv_are_observations(ask, stored, as_system):  # noqa: F811
    _, body, _ = ask("alice", "get", "Observation?patient=N01-0001")
    Bundle.model_validate(body)
    known = {resource["id"]: Observation.model_validate(resource) and resource for resource in resources(body)}
    with as_system():
        row = Assessment.objects.get(patient="N01-0001", timepoint="preop")
    total = known["barthel-total.preop.N01-0001"]
    assert (total["valueInteger"], total["status"]) == (row.barthel_total, "final")
    assert total["derivedFrom"] == [{"reference": "QuestionnaireResponse/preop.barthel.N01-0001"}]
    hsuv = known["hsuv-jp.preop.N01-0001"]
    assert hsuv["valueQuantity"]["value"] == value_sets.get("JP").table()[row.eq5d_state]
    assert ask("alice", "get", f"Observation/{hsuv['id']}")[1] == hsuv
    _, some, _ = ask("alice", "get", f"Observation?patient=N01-0001&code={names.code_system('hsuv')}%7CJP")
    assert {resource["id"].partition(".")[0] for resource in resources(some)} == {"hsuv-jp"}
    assert ask("charlie", "get", f"Observation/{hsuv['id']}")[0] == 404
    assert ask("alice", "get", "Observation/hsuv-xx.preop.N01-0001")[0] == 404


def test_everything_of_a_patient(ask, stored, charlie):  # noqa: F811
    _, body, _ = ask("alice", "get", "Patient/N01-0001/$everything")
    Bundle.model_validate(body)
    kinds = [resource["resourceType"] for resource in resources(body)]
    assert kinds[0] == "Patient" and set(kinds) == {"Patient", "QuestionnaireResponse", "Observation"}
    assert len(kinds) == body["total"] and "1950" not in json.dumps(body)
    assert ask("charlie", "get", "Patient/N01-0001/$everything")[0] == 404
    assert ask("alice", "get", "Patient/N01-0001/$everything?start=2024-01-01")[0] == 400


def test_a_moment_is_the_day_that_it_was_where_the_study_is(ask, stored, as_system):  # noqa: F811
    late = frankel("N01-0001", "6m", authored="2024-07-08T23:30:00Z")  # the ninth in Japan
    assert ask("alice", "post", "QuestionnaireResponse", late)[0] == 201
    with as_system():
        assert str(Assessment.objects.get(patient="N01-0001", timepoint="6m").assessment_date) == "2024-07-09"
    status, body, _ = ask(
        "alice", "post", "QuestionnaireResponse", frankel("N01-0001", "12m", authored="2024-07-08T23:30:00")
    )
    assert (status, issues(body)[0][0]) == (422, "QuestionnaireResponse.authored")


def test_a_questionnaire_says_what_is_required_and_the_code_of_others(ask, alice):  # noqa: F811
    _, body, _ = ask("alice", "get", "Questionnaire")
    items = {item["linkId"]: item for resource in resources(body) for item in resource["item"]}
    item = items["ecog_ps"]
    assert item["required"] is True and "required" not in items["clavien_dindo"]
    assert {"system": names.LOINC, "code": "89247-1"}.items() <= item["code"][1].items()
