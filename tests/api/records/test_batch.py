"""Many records in one request: a result for each, by the rules of single ones."""

import pytest

from registry.models import Assessment
from sites.models import AuditEvent
from tests.api.records.test_records import ENROLMENT, problem


@pytest.fixture
def alices(program, alice):
    return program(alice)


def draft(patient, timepoint, **answers):
    body = {"patient_id": patient, "timepoint": timepoint, "assessment_date": "2026-02-12"} | answers
    return {"method": "POST", "path": "assessments", "body": body}


def test_each_is_carried_out_by_its_own_rules(alices, enrolled, alice, charlie, as_system):
    own, others = enrolled(alice).pk, enrolled(charlie).pk
    here = f"assessments/{own}/1m"
    asked = [
        {"method": "POST", "path": "patients", "body": ENROLMENT},
        draft(own, "1m", ecog_ps=2),
        draft(own, "1m"),
        draft(own, "3m", ecog_ps=9, eq_vas=101),
        draft(others, "1m"),
        {"method": "PATCH", "path": here, "if_match": '"1"', "body": {"eq_vas": 40}},
        {"method": "PATCH", "path": here, "if_match": '"1"', "body": {"eq_vas": 50}},
        {"method": "PATCH", "path": f"assessments/{others}/1m", "if_match": "*", "body": {"eq_vas": 50}},
    ]
    answer = alices.post("batch", {"requests": asked})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert [result["status"] for result in body["results"]] == [201, 201, 409, 422, 422, 200, 412, 404]
    assert (body["stored"], body["refused"]) == (3, 5)
    assert body["results"][0]["location"].endswith("/api/v1/patients/N01-0002")
    assert body["results"][3]["body"]["errors"].keys() == {"ecog_ps", "eq_vas"}
    assert (body["results"][5]["etag"], body["results"][5]["body"]["eq_vas"]) == ('"2"', 40)
    with as_system():
        assert list(Assessment.objects.values_list("patient_id", "timepoint_id", "eq_vas")) == [(own, "1m", 40)]
        assert AuditEvent.objects.filter(table_name="registry_assessment", user_id=alice.pk).count() == 2


def test_all_or_nothing_is_nothing_where_one_is_refused(alices, enrolled, alice, as_system):
    patient = enrolled(alice).pk
    asked = {"requests": [draft(patient, "1m"), draft(patient, "3m", eq_vas=101)], "all_or_nothing": True}
    assert problem(alices.post("batch", asked), 422).keys() == {"requests[1].eq_vas"}
    with as_system():
        assert not Assessment.objects.exists()
    asked["requests"][1]["body"]["eq_vas"] = 99
    assert alices.post("batch", asked).json()["stored"] == 2


def test_a_batch_is_one_request_and_is_done_once(alices, enrolled, alice, as_system, settings):
    settings.API_RATES = {"token": 2, "address": 10**9}
    patient = enrolled(alice).pk
    asked = {"requests": [draft(patient, visit) for visit in ("1m", "3m", "6m")]}
    first = alices.post("batch", asked, idempotency_key="one")
    again = alices.post("batch", asked, idempotency_key="one")
    assert (first.json()["stored"], again["Idempotent-Replayed"]) == (3, "true")
    assert again.json() == first.json()
    with as_system():
        assert Assessment.objects.count() == 3


def test_a_browsers_session_may_send_one_too_with_its_key(browse, enrolled, alice):
    patient = enrolled(alice).pk
    asked = {"requests": [draft(patient, "1m")]}
    client = browse(alice)
    key = {"headers": {"idempotency-key": "one"}, "content_type": "application/json"}
    first, again = (client.post("/api/v1/batch", asked, **key) for _ in range(2))
    assert (first.status_code, first.json()["stored"], again["Idempotent-Replayed"]) == (200, 1, "true")


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"method": "DELETE", "path": "patients", "body": {}}, "POST or PATCH"),
        ({"method": "POST", "path": "batch", "body": {}}, "no such request"),
        ({"method": "POST", "path": "exports", "body": {}}, "no such request"),
        ({"method": "PATCH", "path": "assessments", "body": {}}, "no such request"),
        ({"method": "POST", "path": "../../patients", "body": {}}, "no such request"),
        ({"method": "POST", "path": "/patients?limit=1", "body": {}}, "behind /api/v1/"),
        ({"method": "POST", "path": "patients", "body": []}, "an object"),
        ({"method": "POST", "path": "patients", "body": {}, "sudo": True}, "an object"),
        ("patients", "an object"),
    ],
)
def test_what_is_no_part_is_refused_before_anything_is_stored(alices, enrolled, alice, part, reason, as_system):
    errors = problem(alices.post("batch", {"requests": [draft(enrolled(alice).pk, "1m"), part]}), 422)
    assert errors.keys() == {"requests[1]"} and reason in errors["requests[1]"][0]
    with as_system():
        assert not Assessment.objects.exists()


def test_a_batch_has_requests_and_not_too_many(alices):
    for wrong in ([], {}, None, [draft("N01-0001", "1m")] * 501):
        assert problem(alices.post("batch", {"requests": wrong}), 422).keys() == {"requests"}
    assert problem(alices.post("batch", {"rows": []}), 422).keys() == {"rows", "requests"}
