"""Reading and writing records: the same rules as on the pages, told as problem documents."""

import secrets
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import ConnectionError as Broken
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request

from registry.api.records.adverse_events import EventShown
from registry.api.records.assessments import AssessmentShown
from registry.api.records.patients import PatientShown
from registry.api.shared.addresses import location_of
from registry.api.shared.item_fields import represent, represent_record
from registry.api.shared.resource import Negotiation
from registry.instruments import value_sets
from registry.models import AdverseEvent, Assessment, Patient
from registry.services import standing
from registry.services.follow_up.ends import end_follow_up
from registry.services.records.extras import switch
from registry.tasks import forget_api_answers
from sites.database import redis_cache
from sites.models import ApiAnswer, AuditEvent
from tests.conftest import PASSWORD, TODAY
from tests.privacy.conftest import END
from tests.web.conftest import ASSESSMENT as TYPED
from tests.web.conftest import BASELINE, SURGERY

ASSESSMENT = {name: int(value) if value.isdecimal() else value for name, value in TYPED.items() if name != "version"}
ENROLMENT = {
    "site_code": "N01",
    "sex": "female",
    "birth_date": "1950-05-05",
    "consent_date": "2026-01-10",
    "consented": True,
    "hospital_number": "H-1",
}


@pytest.fixture
def alices(program, alice):
    return program(alice)


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice).pk


def problem(response, status):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status
    return response.json().get("errors", {})


def test_a_patient_is_enrolled_and_read(alices, as_person, alice):
    answer = alices.post("patients", ENROLMENT)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["patient_id"], body["site_code"], body["sex"], body["version"]) == ("N01-0001", "N01", "female", 1)
    assert "birth_date" not in body and "1950" not in answer.content.decode()
    assert answer["Location"].endswith("/api/v1/patients/N01-0001")
    read = alices.get(answer["Location"])
    assert (read.json(), read["ETag"], read["Cache-Control"]) == (body, '"1"', "no-store")
    assert alices.get(answer["Location"], if_none_match='"1"').status_code == 304
    known = alices.get("patients/N01-0001/identifiers").json()
    assert known == {"birth_date": "1950-05-05", "hospital_number": "H-1", "initials": None}


def test_every_fault_of_an_enrolment_is_told_at_once(alices, as_system):
    sent = ENROLMENT | {"site_code": "S01", "sex": "neither", "birth_date": "1950-5-5", "shoe_size": 44}
    errors = problem(alices.post("patients", sent | {"consented": "yes"}), 422)
    assert errors.keys() == {"site_code", "sex", "birth_date", "shoe_size", "consented"}
    assert "must be one of male, female" in errors["sex"][0]
    assert problem(alices.post("patients", ENROLMENT | {"consented": False}), 422).keys() == {"consent_date"}
    with as_system():
        assert Patient.objects.count() == 0


def test_an_assessment_lives_from_draft_to_correction(alices, patient, as_system):
    draft = {"patient_id": patient, "timepoint": "preop", "assessment_date": "2026-01-12", "ecog_ps": 2}
    answer = alices.post("assessments", draft)
    assert (answer.status_code, answer.json()["state"]) == (201, "draft"), answer.content
    here = f"assessments/{patient}/preop"
    errors = problem(alices.change(here, {"complete": True}), 422)
    assert {"frankel", "pain_vas_mm", "eq5d_mobility"} <= errors.keys() and "ecog_ps" not in errors
    whole = {name: value for name, value in ASSESSMENT.items() if name not in ("ecog_ps", "eq_vas")}
    done = alices.change(here, whole | {"missing": {"eq_vas": "refused"}, "complete": True})
    assert done.status_code == 200, done.content
    body = done.json()
    assert (body["state"], body["missing"], body["eq_vas"]) == ("complete", {"eq_vas": "refused"}, None)
    assert (body["ecog_ps"], body["barthel_total"], body["eq5d_state"]) == (2, 65, 21232)

    assert problem(alices.change(here, {"eq_vas": 55}), 422).keys() == {"reason"}
    corrected = alices.change(here, {"eq_vas": 55}, change_reason="%E8%BB%A2%E8%A8%98%E3%83%9F%E3%82%B9")
    assert (corrected.json()["eq_vas"], corrected.json()["missing"]) == (55, {})
    with as_system():
        events = AuditEvent.objects.filter(table_name="registry_assessment", action="update")
        assert events.latest("pk").reason == "転記ミス"


def test_a_second_assessment_at_a_timepoint_is_a_conflict(alices, patient):
    draft = {"patient_id": patient, "timepoint": "1m", "assessment_date": "2026-02-12"}
    first = alices.post("assessments", draft)
    again = alices.post("assessments", draft)
    problem(again, 409)
    assert again["Location"] == first["Location"]


def test_a_change_needs_the_version_that_is_stored(alices, patient):
    here = f"patients/{patient}/follow-up"
    sent = {"last_contact_date": "2026-03-01", "vital_status": "alive"}
    problem(alices.patch(here, sent), 428)
    problem(alices.patch(here, sent, if_match='"7"'), 412)
    done = alices.patch(here, sent, if_match=alices.get(f"patients/{patient}")["ETag"])
    assert (done.status_code, done.json()["vital_status"]) == (200, "alive")
    problem(alices.patch(here, sent, if_match='"1"'), 412)


def test_a_patients_forms_are_completed_and_checked_as_on_the_pages(alices, patient):
    here = f"patients/{patient}"
    levels = {"lesion_levels": ["T6", "T5"]}
    typed = {name: value for name, value in BASELINE.items() if name != "lesion_levels"}
    done = alices.change(f"{here}/baseline", typed | levels | {"complete": True}, read=here)
    assert done.status_code == 200, done.content
    answer = done.json()
    assert (answer["baseline_state"], answer["lesion_levels"], answer["segment_group"]) == (
        "complete",
        ["T5", "T6"],
        "thoracic",
    )
    assert answer["sins_total"] == 9
    early = SURGERY | {"surgery_date": "2025-12-01"}
    errors = problem(alices.change(f"{here}/surgery", early, read=here), 422)
    assert errors.keys() == {"surgery_date"}
    done = alices.change(f"{here}/surgery", SURGERY | {"complete": True}, read=here).json()
    assert (done["surgery_state"], done["age_at_surgery"]) == ("complete", 70)


def test_adverse_events_are_recorded_and_corrected_with_a_reason(alices, patient, program, alice, dana):
    event = {"patient_id": patient, "kind": "pneumonia", "onset_date": "2026-01-20", "detail": "seen by QXN"}
    answer = alices.post("adverse-events", event)
    assert (answer.status_code, answer.json()["detail"]) == (201, "seen by QXN"), answer.content
    assert problem(alices.post("adverse-events", event), 422).keys() == {"kind"}
    here = answer["Location"]
    assert problem(alices.change(here, {"clavien_dindo": "II"}), 422).keys() == {"reason"}
    changed = alices.change(here, {"clavien_dindo": "II", "reason": "graded later"})
    assert (changed.json()["clavien_dindo"], changed.json()["kind"]) == ("II", "pneumonia")
    for reader in (program(alice, "read"), program(dana)):
        assert reader.get(here).json()["detail"] is None


def test_outcomes_follow_from_what_is_stored(alices, patient, as_person, alice):
    before = ASSESSMENT | {"patient_id": patient, "timepoint": "preop"}
    assert alices.post("assessments", before).status_code == 201
    after = before | {"timepoint": "1m", "assessment_date": "2026-02-12", "pain_vas_mm": 5, "eq5d_mobility": 1}
    after |= {"eq_vas": None, "missing": {"eq_vas": "refused"}}
    assert alices.post("assessments", after).status_code == 201
    first, later = (alices.get(f"assessments/{patient}/{visit}/outcomes").json() for visit in ("preop", "1m"))
    assert first["hsuv"]["JP"] == value_sets.get("JP").table()[21232]
    assert set(first["hsuv"]) == {value_set.code for value_set in value_sets.ALL}
    assert set(first["delta_hsuv"].values()) == {None} and first["delta_pain_vas_mm"] is None
    assert later["hsuv"]["JP"] == value_sets.get("JP").table()[11232]
    assert later["delta_hsuv"]["JP"] == later["hsuv"]["JP"] - first["hsuv"]["JP"]
    assert (later["delta_pain_vas_mm"], later["delta_eq_vas"]) == (5 - ASSESSMENT["pain_vas_mm"], None)
    assert alices.get(f"assessments/{patient}/24m/outcomes").status_code == 404


def test_ends_of_follow_up_are_a_list(alices, patient, as_person, alice, program, charlie):
    with as_person(alice) as access:
        end_follow_up(access=access, patient=Patient.objects.get(pk=patient), raw=END, today=TODAY)
    (row,) = alices.get("follow-up-ends").json()["items"]
    assert (row["patient_id"], row["end_kind"], row["end_date"]) == (patient, END["end_kind"], END["end_date"])
    assert alices.get("follow-up-ends?end_kind=withdrawn,lost").json()["items"] == [row]
    assert program(charlie).get("follow-up-ends").json()["items"] == []


def test_a_list_can_be_sparse(alices, patient, enrolled, alice):
    enrolled(alice, sex="female")
    asked = alices.get("patients?fields=sex,patient_id&limit=1").json()
    assert list(asked["items"][0].items()) == [("sex", "male"), ("patient_id", patient)]
    assert [list(row) for row in alices.get(asked["next"]).json()["items"]] == [["sex", "patient_id"]]
    for wrong in ("birth_date", "", "sex,shoe_size"):
        assert problem(alices.get(f"patients?fields={wrong}"), 400).keys() == {"fields"}


def test_each_answer_says_how_often_one_may_still_ask(alices, settings):
    settings.API_RATES = {"token": 3, "address": 1000}
    answers = [alices.get("me") for _ in range(4)]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer["RateLimit-Limit"] for answer in answers} == {"3"}
    assert all(1 <= int(answer["RateLimit-Reset"]) <= 60 for answer in answers)
    counted = f"counted:{secrets.token_hex(8)}"
    assert [cache.count([counted], 900) for _ in range(2)] == [[1], [2]]
    assert 0 < cache.client.connections.ttl(cache.make_key(counted)) <= 900  # the first count says when it is forgotten


def test_a_count_whose_answer_never_came_is_forgotten_too(monkeypatch):
    """Nothing that a process had still to say later decides whether what it counted goes away."""

    def cut(*_arguments, **_options):
        raise Broken("gone")

    counted = f"counted:{secrets.token_hex(8)}"
    assert cache.count(["another"], 900)  # the connection is there
    with monkeypatch.context() as patched:
        patched.setattr("redis.connection.AbstractConnection.read_response", cut)
        cache.count([counted], 900)
    redis_cache.circuit.answered()
    stored = cache.client.connections
    assert stored.exists(cache.make_key(counted)) and 0 < stored.ttl(cache.make_key(counted)) <= 900


def test_what_a_redis_that_was_emptied_counts_anew_is_forgotten_too():
    """When a count is forgotten is said once; a Redis that knows nothing of it any more is told again."""
    counted = f"counted:{secrets.token_hex(8)}"
    stored, key = cache.client.connections, cache.make_key(counted)
    assert [cache.count([counted], 900) for _ in range(2)] == [[1], [2]]
    stored.delete(key)
    assert [cache.count([counted], 900) for _ in range(2)] == [[1], [2]]
    assert 0 < stored.ttl(key) <= 900
    stored.delete(key)
    cache.client.asked.disconnect()  # as one that was started again
    assert cache.count([counted], 900) == [1] and 0 < stored.ttl(key) <= 900


def test_a_record_is_where_the_resolver_says(rf):
    request = rf.get("/api/v1/assessments", HTTP_HOST="testserver")
    for name, *keys in (("assessment", "N01-0001", "12m"), ("assessment", "Å~:@! b", "u1"), ("query", 12)):
        assert location_of(request, name, *keys) == request.build_absolute_uri(reverse(f"api:{name}", args=keys))


def test_whole_numbers_come_as_floats_too(alices, patient):
    """What R's jsonlite and Excel make of whole numbers; half a grade is still none."""
    draft = {"patient_id": patient, "timepoint": "preop", "assessment_date": "2026-01-12"}
    answer = alices.post("assessments", draft | {"ecog_ps": 2.0, "pain_vas_mm": 40.0})
    assert (answer.status_code, answer.json()["ecog_ps"], answer.json()["pain_vas_mm"]) == (201, 2, 40), answer.content
    errors = problem(alices.change(f"assessments/{patient}/preop", {"ecog_ps": 1.5, "eq_vas": 50.5}), 422)
    assert errors.keys() == {"ecog_ps", "eq_vas"}


def test_lists_are_filtered_ordered_and_paged(alices, enrolled, alice, charlie, program, dana):
    own = [enrolled(alice, sex=sex).pk for sex in ("male", "female", "male", "female", "male")]
    enrolled(charlie)

    def walk(who, query):
        ids, address = [], f"patients?{query}"
        while address:
            page = who.get(address)
            assert page.status_code == 200, page.content
            ids += [item["patient_id"] for item in page.json()["items"]]
            address = page.json()["next"]
        return ids

    assert walk(alices, "limit=2") == own
    assert walk(alices, "limit=1&order=-patient_id") == own[::-1]
    assert walk(alices, "limit=2&sex=male&order=-surgery_date") == own[::2]
    assert walk(alices, "limit=2&order=-updated_at") == own[::-1]
    assert walk(program(dana), "site_code=S01&limit=3") == ["S01-0001"]
    assert walk(program(dana), "site_code=S01,N01&limit=3") == [*own, "S01-0001"]
    assert walk(alices, f"patient_id={own[3]},{own[1]}") == [own[1], own[3]]
    assert problem(alices.get("assessments?timepoint=1m,,3m"), 400).keys() == {"timepoint"}
    assert walk(alices, "consent_date_from=2026-01-11") == []
    errors = problem(alices.get("patients?sex=neither&colour=red&limit=10000&order=shoe&cursor=x"), 400)
    assert errors.keys() == {"sex", "colour", "limit", "order", "cursor"}
    cursor = alices.get("patients?limit=1").json()["next"].partition("cursor=")[2]
    assert problem(alices.get(f"patients?order=updated_at&cursor={cursor}"), 400).keys() == {"cursor"}
    assert problem(alices.get(f"assessments?cursor={cursor}"), 400).keys() == {"cursor"}


def test_a_repeated_post_is_answered_again_and_done_once(alices, program, alice, as_system):
    first = alices.post("patients", ENROLMENT, idempotency_key="k-1")
    again = alices.post("patients", ENROLMENT, idempotency_key="k-1")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert (first.headers.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    problem(alices.post("patients", ENROLMENT | {"sex": "male"}, idempotency_key="k-1"), 409)
    problem(program(alice, "write").post("patients", ENROLMENT, idempotency_key="k-1"), 409)
    problem(alices.post("patients", ENROLMENT, idempotency_key="a b"), 400)
    with as_system():
        assert Patient.objects.count() == 1
    refused = alices.post("patients", ENROLMENT | {"sex": "x"}, idempotency_key="k-2")
    other = ENROLMENT | {"birth_date": "1951-05-05", "hospital_number": "H-2"}
    assert (refused.status_code, alices.post("patients", other, idempotency_key="k-2").status_code) == (422, 201)


def test_an_answer_is_kept_for_the_person_alone_and_for_a_day(alices, as_person, as_system, alice, charlie):
    alices.post("patients", ENROLMENT, idempotency_key="k-1")
    with as_person(alice):
        assert ApiAnswer.objects.count() == 1
    for scope in (as_person(charlie), as_system()):
        with scope:
            assert ApiAnswer.objects.count() == 0
    forget_api_answers()
    with as_person(alice):
        assert ApiAnswer.objects.count() == 1
        ApiAnswer.objects.update(answered_at=timezone.now() - timedelta(hours=25))
    forget_api_answers()
    with as_person(alice):
        assert ApiAnswer.objects.count() == 0


BODIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "not UTF-8": b'{"sex": "\xff"}',
    "a null byte": b'{"sex": "\\u0000"}',
    "half a character": b'{"sex": "\\ud800"}',
    "a name twice": b'{"sex": "male", "sex": "female"}',
    "no number": b'{"sex": NaN}',
    "deep": b'{"sex": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested": b'{"sex": ' + b"[" * 30 + b"]" * 30 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_object_of_text_is_refused(alices, body):
    problem(alices.post("patients", body), 400)


def test_whatever_goes_wrong_is_a_problem_document(alices, patient, program, alice, settings):
    anybody = program(alice)
    anybody.headers = {}
    unsigned = anybody.get("patients")
    problem(unsigned, 401)
    assert unsigned["WWW-Authenticate"].startswith("Bearer")
    problem(alices.get("nowhere"), 404)
    strict = program(alice)
    strict.client.handler.enforce_csrf_checks = True
    problem(strict.post("nowhere", {}), 404)
    assert strict.post("patients", {}).status_code == 422
    problem(alices.get("patients/%00"), 400)
    problem(alices.get("patients?sex=%00"), 400)
    problem(alices.get("patients/S01-0001"), 404)
    refused = alices.ask("delete", f"patients/{patient}")
    problem(refused, 405)
    assert "GET" in refused["Allow"]
    problem(alices.get("patients", accept="text/csv"), 406)
    headers = alices.headers
    form = alices.client.post("/api/v1/patients", {"sex": "male"}, headers=headers)
    problem(form, 415)
    problem(alices.client.post("/api/v1/patients", headers=headers), 415)
    problem(alices.post("patients", b'{"sex": "' + b"x" * 1_000_001 + b'"}'), 413)
    problem(program(alice, "read").post("patients", ENROLMENT), 403)


def test_who_asks_too_often_waits(alices, program, alice, settings):
    settings.API_RATES = {"token": 3, "address": 5}
    address = f"192.0.2.{secrets.randbelow(10**6)}"  # nobody else has asked from there
    alices.client.defaults["REMOTE_ADDR"] = address
    assert [alices.get("me").status_code for _ in range(4)] == [200, 200, 200, 429]
    other = program(alice)
    other.client.defaults["REMOTE_ADDR"] = address
    assert other.get("me").status_code == 200  # by the token, not by the person
    waits = other.get("me")
    problem(waits, 429)  # by the address
    assert 1 <= int(waits["Retry-After"]) <= 61


def test_errors_speak_the_language_that_is_asked_for(alices):
    errors = problem(alices.post("patients", ENROLMENT | {"sex": "x"}, accept_language="ja"), 422)
    assert "いずれか" in errors["sex"][0]


def test_a_plan_or_a_cohort_that_is_refused_speaks_that_language_too(bob, program):
    asking = program(bob)
    for language, says in (("en", "compares two groups; Segment group"), ("ja", "3群です")):
        sent = asking.post("comparisons", {"plan": {"overall_continuous": "t_test"}}, accept_language=language)
        assert says in problem(sent, 422)["plan"][0]
    sent = asking.post("cohorts", {"name": "x", "steps": [{"step": "site", "values": []}]}, accept_language="ja")
    assert problem(sent, 422)["steps"] == ["値を1つ以上指定してください"]
    assert asking.post("cohorts", {"name": "x", "steps": [{"step": "no_tes"}]}).status_code == 201


def test_a_session_needs_the_csrf_token_to_change_something(alice, patient):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get(f"/api/v1/patients/{patient}").status_code == 200
    body = {"data": "{}", "content_type": "application/json"}
    problem(client.post("/api/v1/patients", **body), 403)
    token = client.get("/tokens/").context["csrf_token"]
    problem(client.post("/api/v1/patients", headers={"x-csrftoken": str(token)}, **body), 422)


def test_extras_are_read_and_written_where_they_are_on(alices, patient, as_system):
    sent = {**ASSESSMENT, "patient_id": patient, "timepoint": "preop"}
    extra = {"kps": 60, "cobb_deg": 12.5, "missing": {"escc": "not_done"}}
    refused = problem(alices.post("assessments", sent | extra), 422)
    assert set(refused) == {"kps", "cobb_deg", "escc"}
    assert "switched off" in str(refused["kps"])
    with as_system(reason="test"):
        for code in ("kps", "cobb", "escc"):
            switch(access=None, code=code, on=True)
    answer = alices.post("assessments", sent | extra)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["kps"], body["cobb_deg"], body["escc"], body["missing"]) == (60, 12.5, None, {"escc": "not_done"})
    with as_system(reason="test"):
        switch(access=None, code="kps", on=False)
    here = answer["Location"]
    changed = alices.patch(here, {"frankel": "C"}, if_match=answer["ETag"])
    assert changed.status_code == 200, changed.content
    assert (changed.json()["frankel"], changed.json()["kps"]) == ("C", 60)
    assert "kps" in problem(alices.patch(here, {"kps": 50}, if_match=changed["ETag"]), 422)
    kinds = {item["code"]: item for item in alices.get("instruments").json()["items"]}
    assert kinds["cobb"]["optional"] and not kinds["frankel"]["optional"]


EVENT = {"kind": "other", "detail": "fever", "onset_date": "2026-01-20"}


def test_records_are_shown_as_the_serializer_shows_them(alices, patient, as_system):
    lacking = {name: value for name, value in ASSESSMENT.items() if name != "eq_vas"}
    sent = lacking | {"patient_id": patient, "timepoint": "preop", "missing": {"eq_vas": "not_done"}, "complete": True}
    assert alices.post("assessments", sent).status_code == 201
    assert alices.post("adverse-events", EVENT | {"patient_id": patient}).status_code == 201
    with as_system():
        for serializer, model in ((PatientShown, Patient), (AssessmentShown, Assessment), (EventShown, AdverseEvent)):
            row = model.objects.select_related("site").get()
            assert represent_record(serializer, row) == represent(serializer, row)


def test_a_write_takes_few_statements(alices, alice, patient, statements, monkeypatch):
    """Each costs the web process up to a twentieth of a save; what several parts ask is read once.

    That a correction's reason is taken back is one of them here alone, where a request's transaction is not the last.
    """
    page = Client()
    assert page.post("/login/", {"username": alice.email, "password": PASSWORD}).status_code == 302
    form, typed = f"/patients/{patient}/assessments/1m/", TYPED | {"complete": "1", "assessment_date": "2026-02-10"}
    sent = ASSESSMENT | {"patient_id": patient, "timepoint": "3m", "complete": True, "assessment_date": "2026-04-10"}
    here = f"assessments/{patient}/3m"
    monkeypatch.setattr(standing, "FRESH", float("inf"))  # once a second
    alices.get("me")  # what is noted once a minute, is noted
    page.get(form)
    assert statements(lambda: page.post(form, typed), 302) <= 3
    assert statements(lambda: page.post(form, typed | {"version": "1", "eq_vas": "61", "reason": "misread"}), 302) <= 5
    assert statements(lambda: alices.post("assessments", sent), 201) <= 4
    changed = {"eq_vas": 61, "reason": "misread", "complete": True}
    assert statements(lambda: alices.patch(here, changed, if_match='"1"'), 200) <= 5


@pytest.fixture
def statements():
    """`statements(act, status)`: how many an act sends beside those of its transaction."""

    def count(act, status):
        with CaptureQueriesContext(connection) as captured:
            response = act()
        assert response.status_code == status, response.content
        asked = [query["sql"] for query in captured]
        beside = ("SAVEPOINT", "app.read_sites", "registry_protocolversion")  # the last once a second
        return len([sql for sql in asked if not any(known in sql for known in beside)])

    return count


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html, */*", "application/json; indent=2"])
def test_what_is_weighed_quickly_is_what_the_framework_chooses(rf, accept):
    headers = {} if accept is None else {"HTTP_ACCEPT": accept}
    request = Request(rf.get("/api/v1/me", **headers))
    for renderers in ([JSONRenderer()], [JSONRenderer(), BrowsableAPIRenderer()]):
        chosen = DefaultContentNegotiation().select_renderer(request, renderers)
        assert Negotiation().select_renderer(request, renderers) == chosen
