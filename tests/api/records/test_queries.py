"""Queries by program: the same steps, the same rules, and only one's own site's."""

import pytest

from registry.instruments import catalogue


@pytest.fixture
def asked(program, alice, charlie, mona, dana, enrolled):
    """Ids of two queries at North and one at South."""
    north, south = enrolled(alice).pk, enrolled(charlie).pk
    raising = program(dana)
    raised = raising.post("queries", {"patient_id": north, "form": "baseline", "field": "sex", "text": "Male?"})
    two = program(mona).post("queries", {"patient_id": north, "form": "surgery", "text": "When?"})
    three = raising.post("queries", {"patient_id": south, "form": "baseline", "text": "Of South?"})
    assert {answer.status_code for answer in (raised, two, three)} == {201}
    return [answer.json()["id"] for answer in (raised, two, three)]


def ids(answer):
    return [item["id"] for item in answer.json()["items"]]


def test_a_site_sees_its_own_queries_and_a_reader_of_all_sites_all(asked, program, alice, charlie, dana, bob):
    north, south = asked[:2], asked[2:]
    assert ids(program(alice).get("queries")) == north
    assert ids(program(alice, "read").get("queries")) == north
    assert ids(program(charlie).get("queries")) == south
    assert ids(program(dana).get("queries")) == asked
    assert program(bob).get("queries").status_code == 403  # a statistician takes no part, as on the pages
    assert program(alice).get(f"queries/{south[0]}").status_code == 404
    assert program(alice).post(f"queries/{south[0]}/answer", {"text": "No."}).status_code == 404
    assert program(charlie).get(f"queries/{south[0]}").json()["question"] == "Of South?"


@pytest.mark.parametrize(
    ("filters", "places"),
    [
        ("state=open", [0, 1, 2]),
        ("state=answered,closed", []),
        ("form=surgery", [1]),
        ("field=sex", [0]),
        ("site_code=S01", [2]),
        ("raised_by=person&limit=500", [0, 1, 2]),
        ("raised_by=rule", []),
        ("raised_since=2199-01-01T00:00:00Z", []),
        ("order=-raised_at", [2, 1, 0]),
    ],
)
def test_filters_and_order(asked, program, dana, filters, places):
    assert ids(program(dana).get(f"queries?{filters}")) == [asked[place] for place in places]


def test_pages_go_on_where_the_last_ended(asked, program, dana):
    first = program(dana).get("queries?limit=2").json()
    assert [item["id"] for item in program(dana).get(first["next"]).json()["items"]] == asked[2:]


def test_a_filter_that_is_not_understood_is_named(asked, program, dana):
    errors = program(dana).get("queries?state=gone&raised_by=nobody&age=3").json()["errors"]
    assert set(errors) == {"state", "raised_by", "age"}


def test_a_query_goes_from_the_question_to_its_end(asked, program, alice, mona):
    address = f"queries/{asked[1]}"
    entering, asking = program(alice), program(mona)
    assert asking.post(f"{address}/answer", {"text": "No."}).status_code == 403  # who asks does not answer
    assert entering.post(f"{address}/close", {}).status_code == 403
    before = entering.get(address)
    answered = entering.post(f"{address}/answer", {"text": "In May."}, if_match=before["ETag"])
    assert (answered.status_code, answered.json()["state"]) == (200, "answered")
    assert answered["ETag"] == entering.get(address)["ETag"] != before["ETag"]
    assert asking.post(f"{address}/reopen", {"text": "Which year?"}).json()["state"] == "open"
    assert entering.post(f"{address}/answer", {"text": "2026."}).status_code == 200
    closed = asking.post(f"{address}/close", {}).json()
    assert [(message["kind"], message["text"], message["by"]) for message in closed["messages"]] == [
        ("raised", "", "Mona"),
        ("answered", "In May.", "Alice"),
        ("reopened", "Which year?", "Mona"),
        ("answered", "2026.", "Alice"),
        ("closed", "", "Mona"),
    ]
    assert (closed["state"], closed["question"], closed["raised_by"]) == ("closed", "When?", "Mona")


def test_a_step_of_a_state_that_is_over_is_refused(asked, program, alice, ivo, mona):
    address = f"queries/{asked[1]}"
    read = program(alice).get(address)["ETag"]
    assert program(ivo).post(f"{address}/answer", {"text": "In May."}).status_code == 200
    assert program(alice).post(f"{address}/answer", {"text": "In June."}, if_match=read).status_code == 412
    late = program(alice).post(f"{address}/answer", {"text": "In June."})
    assert (late.status_code, "answered in the meantime" in late.json()["detail"]) == (409, True)
    assert program(mona).get(address).json()["messages"][-1]["text"] == "In May."
    unchanged = program(mona).get(address, if_none_match=program(mona).get(address)["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_step_sent_again_with_its_key_is_taken_once(asked, program, alice):
    address = f"queries/{asked[0]}/answer"
    entering = program(alice)
    first, second = (entering.post(address, {"text": "Yes."}, idempotency_key="k") for _ in range(2))
    assert (first.json(), second["Idempotent-Replayed"]) == (second.json(), "true")
    assert len(second.json()["messages"]) == 2


def test_the_same_question_is_asked_once(asked, program, mona):
    patient = program(mona).get(f"queries/{asked[1]}").json()["patient_id"]
    again = program(mona).post("queries", {"patient_id": patient, "form": "surgery", "text": "When?"})
    assert again.json()["id"] == asked[1]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"patient_id", "form", "text"}),
        ({"form": "letter"}, {"patient_id", "form", "text"}),
        ({"patient_id": "own", "form": "assessment", "text": "?"}, {"timepoint"}),
        ({"patient_id": "own", "form": "assessment", "timepoint": "9w", "text": "?"}, {"timepoint"}),
        ({"patient_id": "own", "form": "baseline", "timepoint": "preop", "text": "?"}, {"timepoint"}),
        ({"patient_id": "own", "form": "adverse_event", "event_id": 999999, "text": "?"}, {"event_id"}),
        ({"patient_id": "own", "form": "adverse_event", "text": "?"}, {"event_id"}),
        ({"patient_id": "own", "form": "surgery", "event_id": 1, "text": "?"}, {"event_id"}),
        ({"patient_id": "own", "form": "baseline", "field": "birth_date", "text": "?"}, {"field"}),
        ({"patient_id": "own", "form": "baseline", "text": "  "}, {"text"}),
        ({"patient_id": "own", "form": "baseline", "text": 7, "colour": "red"}, {"colour", "text"}),
        ({"patient_id": "other", "form": "baseline", "text": "?"}, {"patient_id"}),
    ],
)
def test_what_cannot_be_asked_is_told_field_by_field(program, alice, charlie, mona, enrolled, body, fields):
    known = {"own": enrolled(alice).pk, "other": enrolled(charlie).pk}
    if "patient_id" in body:
        body = body | {"patient_id": known[body["patient_id"]]}
    answer = program(mona).post("queries", body)
    assert (answer.status_code, set(answer.json()["errors"])) == (422, fields), answer.content
    good = {"patient_id": known["own"], "form": "baseline", "text": "Is it so?"}
    assert program(mona).post("queries", good).status_code == 201


def test_a_rules_query_says_its_question_in_the_readers_language(program, alice, enrolled):
    entering, known = program(alice), enrolled(alice).pk
    answers = {"frankel": "A", "barthel_mobility": 15}  # a complete palsy that walks
    reasons = {
        instrument.name: "unknown"
        for instrument in catalogue.items(catalogue.ASSESSMENT)
        if instrument.name not in answers
    }
    sent = {"patient_id": known, "timepoint": "1m", "assessment_date": "2026-02-14", "missing": reasons} | answers
    assert entering.post("assessments", sent | {"complete": True}).status_code == 201
    (asked,) = entering.get("queries?raised_by=rule").json()["items"]
    japanese = entering.get(f"queries/{asked['id']}", accept_language="ja").json()
    assert (asked["rule"], asked["raised_by"]) == ("severe_palsy_but_walks", None)
    assert asked["seen"] == answers
    assert asked["question"] != japanese["question"]
