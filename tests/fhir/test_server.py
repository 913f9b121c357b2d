"""FHIR over HTTP: read, write into an empty patient, read the same; permissions, tenancy, lost updates, bad input."""

import json

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from registry.fhir.mapping import names
from registry.imports import import_files
from registry.models import Assessment, Patient
from registry.services.records import identity
from registry.services.records.extras import switch
from sites.models import AuditEvent
from tests.transfer.conftest import good  # noqa: F401 - a fixture

ROOT = "/api/fhir/R4"
TYPE = "application/fhir+json"


@pytest.fixture
def ask(client, request):
    """`ask("alice", "get", "Patient")` → (status, resource, headers)."""

    def send(who, method, address, body=None, **headers):
        if who:
            client.force_login(request.getfixturevalue(who))
        else:
            client.logout()
        data = {} if body is None else {"data": json.dumps(body), "content_type": TYPE}
        response = getattr(client, method)(f"{ROOT}/{address}", **data, headers=headers)
        content = json.loads(response.content) if response.content else None
        return response.status_code, content, response.headers

    return send


@pytest.fixture
def stored(good, north, south, django_capture_on_commit_callbacks):  # noqa: F811
    assert import_files(good).stored


def resources(body):
    return [entry["resource"] for entry in body.get("entry", [])]


def bare(resource, **without):
    """A response without what belongs to one patient and one moment."""
    body = {name: value for name, value in resource.items() if name not in ("id", "meta", "subject")}
    body["item"] = [item for item in body["item"] if item["linkId"] != "birth_date"]
    return body


def new_patient(ask):
    patient = {
        "resourceType": "Patient",
        "gender": "male",
        "birthDate": "1950-04-03",
        "managingOrganization": {"identifier": {"system": names.SITE_CODE, "value": "N01"}},
        "extension": [
            {"url": names.CONSENT, "valueDate": "2024-01-08"},
            {
                "url": names.ANOTHER_PERSON,
                "valueBoolean": True,
            },  # of the same sex and day of birth
        ],
    }
    status, body, headers = ask("alice", "post", "Patient", patient)
    assert status == 201, body
    assert headers["Location"].endswith(f"{ROOT}/Patient/{body['id']}")
    assert "birthDate" not in body
    return body["id"]


def test_a_response_that_was_entered_in_error_takes_its_form_out(ask, stored, as_system):
    barthel, eq5d = (f"QuestionnaireResponse/preop.{code}.N01-0001" for code in ("barthel", "eq5d5l"))
    _status, body, headers = ask("alice", "get", eq5d)
    total = "Observation/barthel-total.preop.N01-0001"
    assert any(name.startswith("value") for name in ask("alice", "get", total)[1])
    match = {"If-Match": headers["ETag"].removesuffix('"') + '-gzip"'}  # as a compressing proxy gives it on
    wrong = {**body, "status": "entered-in-error", "item": []}
    because = {"url": names.REASON, "valueString": "of another patient"}
    assert ask("alice", "put", eq5d, wrong)[0] == 428
    status, refused, _headers = ask("alice", "put", eq5d, wrong, **match)
    assert status == 422 and "barthel" in refused["issue"][0]["details"]["text"]
    wrong["extension"] = [*body["extension"], {"url": names.WHOLE_FORM, "valueBoolean": True}]
    assert ask("alice", "put", eq5d, wrong, **match)[0] == 422  # without a reason
    wrong["extension"].append(because)
    assert ask("alice", "put", eq5d, wrong, **{"If-Match": 'W/"99"'})[0] == 412
    assert ask("alice", "put", eq5d, wrong | {"id": "1m.eq5d5l.N01-0001"}, **match)[0] == 422
    assert ask("mona", "put", eq5d, wrong, **match)[0] == 403
    assert ask("charlie", "put", eq5d, wrong, **match)[0] == 404
    assert QuestionnaireResponse.model_validate(body).status == "completed"
    status, marked, _headers = ask("alice", "put", eq5d, wrong, **match)
    assert (status, marked["status"], "item" in marked) == (200, "entered-in-error", False)
    QuestionnaireResponse.model_validate(marked)
    for address in (eq5d, barthel, total):
        status, resource, _headers = ask("alice", "get", address)
        assert (status, resource["status"]) == (200, "entered-in-error"), address
        assert not [name for name in resource if name == "item" or name.startswith("value")]
    assert ask("alice", "put", eq5d, wrong, **match)[1] == marked  # sent again
    for address in ("QuestionnaireResponse?patient=N01-0001", "Patient/N01-0001/$everything"):
        assert not [
            resource for resource in resources(ask("alice", "get", address)[1]) if resource["id"].startswith("preop.")
        ]
    assert ask("charlie", "get", eq5d)[0] == 404
    with as_system():
        event = AuditEvent.objects.filter(table_name="registry_assessment", action="update").latest("pk")
        assert event.reason == "of another patient"


def test_a_patients_own_form_is_not_marked_alone(ask, stored):
    address = "QuestionnaireResponse/patient.sins.N01-0001"
    _status, body, headers = ask("alice", "get", address)
    reason = [{"url": names.REASON, "valueString": "wrong"}]
    wrong = {**body, "status": "entered-in-error", "extension": reason}
    status, refused, _headers = ask("alice", "put", address, wrong, **{"If-Match": headers["ETag"]})
    assert (status, refused["issue"][0]["code"]) == (422, "not-supported")


def issues(body):
    assert body["resourceType"] == "OperationOutcome"
    return [(issue.get("expression", [""])[0], issue["details"]["text"]) for issue in body["issue"]]


def test_what_is_read_is_written_and_read_again(ask, stored, alice, as_system):
    _, body, _ = ask("alice", "get", "QuestionnaireResponse?patient=N01-0001")
    Bundle.model_validate(body)
    originals = resources(body)
    assert len(originals) == 6 + 2 * 6 + 1
    patient = new_patient(ask)
    for original in originals:
        copy = original | {"subject": {"reference": f"Patient/{patient}"}}
        copy.pop("id")
        status, _, _ = ask("alice", "post", "QuestionnaireResponse", copy)
        if status == 409:  # enrolment has answers already: an update
            copy["id"] = names.response_id(names.instruments()["enrolment"], patient)
            _, _, headers = ask("alice", "get", f"QuestionnaireResponse/{copy['id']}")
            status, answer, _ = ask(
                "alice", "put", f"QuestionnaireResponse/{copy['id']}", copy, **{"If-Match": headers["ETag"]}
            )
            assert status == 200, answer
            continue
        assert status == 201, (original, _)
    _, body, _ = ask("alice", "get", f"QuestionnaireResponse?patient={patient}")
    assert [bare(resource) for resource in resources(body)] == [bare(original) for original in originals]
    with as_system():
        row = Patient.objects.get(pk=patient)
        assert (row.baseline_state, row.surgery_state, row.age_at_surgery) == ("complete", "complete", 73)
        assert set(row.assessments.values_list("state", flat=True)) == {"complete"}
        assert identity.read(row)["birth_date"].isoformat() == "1950-04-03"
        assert AuditEvent.objects.filter(table_name="registry_assessment", user_id=alice.pk).exists()


@pytest.mark.parametrize(
    ("who", "own", "other"),
    [("alice", 200, 404), ("mona", 200, 404), ("charlie", 404, 200), ("bob", 200, 200), ("ada", 403, 403)],
)
def test_each_reads_the_patients_of_the_own_sites(ask, stored, request, who, own, other, ada, mona, charlie):
    for address in ("Patient/{}", "QuestionnaireResponse?patient={}", "QuestionnaireResponse/patient.sins.{}"):
        # To those who read no records at all, single ones do not exist.
        mine, theirs = (404, 404) if own == other == 403 and "?" not in address else (own, other)
        assert ask(who, "get", address.format("N01-0001"))[0] == mine
        assert ask(who, "get", address.format("S01-0001"))[0] == theirs
    status, body, _ = ask(who, "get", "Patient")
    assert status == (403 if own == other == 403 else 200)
    ids = [resource["id"] for resource in resources(body)]
    assert ("N01-0001" in ids, "S01-0001" in ids) == (own == 200, other == 200)
    assert "1950-04-03" not in json.dumps(body)


def test_nobody_reads_without_signing_in(ask, db):
    assert ask(None, "get", "Patient")[0] in (401, 403)
    assert ask(None, "get", "metadata")[0] == 200


@pytest.mark.parametrize(("who", "status"), [("alice", 201), ("mona", 403), ("bob", 403), ("charlie", 404)])
def test_who_writes(ask, stored, who, status, mona, charlie, bob):
    body = frankel("N01-0001", "6m")
    assert ask(who, "post", "QuestionnaireResponse", body)[0] == status
    assert ask(who, "post", "Patient", {"resourceType": "Patient"})[0] == (422 if who in ("alice", "charlie") else 403)


def frankel(patient, timepoint, code="C", **more):
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "Questionnaire/frankel",
        "status": "completed",
        "subject": {"reference": f"Patient/{patient}"},
        "authored": "2024-07-09",
        "extension": [{"url": names.TIMEPOINT, "valueCode": timepoint}],
        "item": [{"linkId": "frankel", "answer": [{"valueCoding": {"code": code}}]}],
    } | more


def test_one_instrument_leaves_the_others_as_they_are(ask, stored, alice, as_system):
    assert ask("alice", "post", "QuestionnaireResponse", frankel("N01-0001", "6m"))[0] == 201
    vas = frankel("N01-0001", "6m", questionnaire="Questionnaire/eq-vas")
    vas["item"] = [{"linkId": "eq_vas", "answer": [{"valueInteger": 40}]}]
    assert ask("alice", "post", "QuestionnaireResponse", vas)[0] == 201
    with as_system():
        row = Assessment.objects.get(patient="N01-0001", timepoint="6m")
        assert (row.frankel, row.eq_vas, row.state) == ("C", 40, "draft")


def test_lost_updates_and_changes_without_a_reason_are_refused(ask, stored, as_system):
    address = "QuestionnaireResponse/preop.frankel.N01-0001"
    _, body, headers = ask("alice", "get", address)
    body["item"][0]["answer"][0]["valueCoding"]["code"] = "D"
    match = {"If-Match": headers["ETag"]}
    assert ask("alice", "put", address, body)[0] == 428
    assert ask("alice", "put", address, body, **{"If-Match": 'W/"99"'})[0] == 412
    status, answer, _ = ask("alice", "put", address, body, **match)
    assert (status, "reason" in issues(answer)[0][1]) == (422, True)
    body["extension"].append({"url": names.REASON, "valueString": "read the chart again"})
    assert ask("alice", "put", "QuestionnaireResponse/1m.frankel.N01-0001", body, **match)[0] == 422
    status, answer, _ = ask("alice", "put", address, body, **match)
    assert (status, answer["item"][0]["answer"][0]["valueCoding"]["code"]) == (200, "D")
    assert ask("alice", "put", address, body, **match)[0] == 412
    assert ask("alice", "post", "QuestionnaireResponse", frankel("N01-0001", "preop"))[0] == 409
    with as_system():
        event = AuditEvent.objects.filter(table_name="registry_assessment", action="update").latest("pk")
        assert event.reason == "read the chart again"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (frankel("N01-0001", "6m", "F"), "QuestionnaireResponse.item.where(linkId='frankel')"),
        (frankel("N01-0001", "9m"), "QuestionnaireResponse.extension"),
        (
            frankel("N01-0001", "6m", authored="2099-01-01"),
            "QuestionnaireResponse.authored",
        ),
        (frankel("N01-0001", "6m", item=[]), "QuestionnaireResponse.item.where(linkId='frankel')"),
        (frankel("N01-0001", "6m", status="final"), "QuestionnaireResponse.status"),
    ],
)
def test_an_outcome_names_the_item(ask, stored, alice, as_system, body, path):
    status, result, _ = ask("alice", "post", "QuestionnaireResponse", body)
    assert (status, issues(result)[0][0]) == (422, path)
    with as_system():
        assert not Assessment.objects.filter(patient="N01-0001", timepoint="6m").exists()


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a": NaN}', b"[" * 100_000, b'{"a": "\\ud800"}'])
def test_a_body_that_is_no_resource(client, alice, body):
    client.force_login(alice)
    response = client.post(f"{ROOT}/QuestionnaireResponse", body, content_type=TYPE)
    assert (response.status_code, response.json()["resourceType"]) == (400, "OperationOutcome")


def test_patients_come_in_pages(ask, stored, bob):
    _, body, _ = ask("bob", "get", "Patient?_count=2")
    Bundle.model_validate(body)
    following = next(entry["url"] for entry in body["link"] if entry["relation"] == "next")
    assert [resource["id"] for resource in resources(body)] == ["N01-0001", "N01-0002"]
    _, body, _ = ask("bob", "get", following.partition(f"{ROOT}/")[2])
    assert [resource["id"] for resource in resources(body)] == ["S01-0001"]
    assert ask("bob", "get", "Patient?_count=0")[0] == 400
    assert [resource["id"] for resource in resources(ask("bob", "get", "Patient?identifier=N01-0002")[1])] == [
        "N01-0002"
    ]


def test_what_is_not_understood_is_refused_and_not_left_out(ask, stored, bob):
    for asked in ("Patient?name=Sato", "Questionnaire?title=x", "QuestionnaireResponse?patient=N01-0001&authored=2024"):
        status, body, _ = ask("bob", "get", asked)
        assert (status, body["issue"][0]["code"]) == (400, "not-supported")
    assert ask("bob", "get", "QuestionnaireResponse?patient=N01-0001&_format=json")[0] == 200
    status, body, _ = ask("bob", "get", "Condition?code=x")
    assert (status, body["resourceType"]) == (404, "OperationOutcome")


@pytest.mark.parametrize(
    "asked",
    [
        "patient=N01-0001&subject=N01-0002",
        "patient=Group/N01-0001",
        "patient=https://other.example/api/fhir/R4/Patient/N01-0001",
        "patient=Patient/",
        "patient=N01-0001&questionnaire=",
    ],
)
def test_a_search_that_would_answer_of_somebody_else_or_with_more_is_refused(ask, stored, bob, asked):
    status, body, _ = ask("bob", "get", f"QuestionnaireResponse?{asked}")
    assert (status, body["resourceType"]) == (400, "OperationOutcome")


def test_questionnaires_are_named_by_their_addresses_and_versions(ask, stored, bob):
    base = "http://testserver/api/fhir/R4"

    def answered(address):
        bundled = resources(ask("bob", "get", f"QuestionnaireResponse?patient={base}/Patient/N01-0001&{address}")[1])
        return {resource["questionnaire"].rpartition("/")[2].partition("|")[0] for resource in bundled}

    both = {entry["id"]: entry for entry in resources(ask("bob", "get", "Questionnaire?_id=frankel,eq5d5l")[1])}
    assert both.keys() == {"frankel", "eq5d5l"}
    version = both["frankel"]["version"]
    assert answered("questionnaire=frankel,Questionnaire/eq5d5l") == {"frankel", "eq5d5l"}
    assert answered(f"questionnaire={base}/Questionnaire/frankel|{version}") == {"frankel"}
    assert answered("questionnaire=frankel|999") == answered("questionnaire=https://x/Questionnaire/frankel") == set()
    for address, n in ((f"{base}/Questionnaire/frankel|{version}", 1), (f"{base}/Questionnaire/frankel|999", 0)):
        assert len(resources(ask("bob", "get", f"Questionnaire?url={address}")[1])) == n


def test_a_condition_of_another_address_is_refused(ask, stored, as_system):
    condition = {"If-None-Exist": f"identifier={names.PATIENT_ID}|N01-0001"}
    status, body, _ = ask("alice", "post", "QuestionnaireResponse", frankel("N01-0001", "6m"), **condition)
    assert (status, body["issue"][0]["code"]) == (400, "not-supported")
    with as_system():
        assert not Assessment.objects.filter(patient="N01-0001", timepoint="6m").exists()


def test_questionnaires_are_listed(ask, alice):
    _, body, _ = ask("alice", "get", "Questionnaire")
    Bundle.model_validate(body)
    questionnaire = next(resource for resource in resources(body) if resource["id"] == "eq5d5l")
    assert ask("alice", "get", "Questionnaire/eq5d5l")[1] == questionnaire
    assert resources(ask("alice", "get", f"Questionnaire?url={questionnaire['url']}")[1]) == [questionnaire]
    assert ask("alice", "get", "Questionnaire/none")[0] == 404


def test_an_extra_is_answered_where_it_is_on(ask, stored, alice, as_system):
    response = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "https://example.org/Questionnaire/cobb|1",
        "status": "in-progress",
        "subject": {"reference": "Patient/N01-0001"},
        "extension": [{"url": names.TIMEPOINT, "valueCode": "preop"}, {"url": names.REASON, "valueString": "read"}],
        "authored": "2024-01-09",
        "item": [{"linkId": "cobb_deg", "answer": [{"valueDecimal": -4.5}]}],
    }
    status, body, _ = ask("alice", "post", "QuestionnaireResponse", response)
    assert status == 422 and "switched off" in json.dumps(body)
    with as_system(reason="test"):
        switch(access=None, code="cobb", on=True)
    missing = [{"url": names.MISSING, "valueCode": "not_done"}]
    rest = [{"linkId": f"cobb_{name}", "extension": missing} for name in ("upper", "lower", "modality", "posture")]
    response["item"] += rest
    status, body, _ = ask("alice", "post", "QuestionnaireResponse", response)
    assert status == 201, body
    assert body["item"][0]["answer"] == [{"valueDecimal": -4.5}] and body["status"] == "completed"
    QuestionnaireResponse.model_validate(body)
