"""A look at all answers before a form is completed, where somebody fills in forms in steps; else one page."""

import pytest

from registry.models import Assessment
from tests.web.conftest import ASSESSMENT

ALL = ASSESSMENT | {"version": ""}


@pytest.fixture
def steps(browse, alice):
    client = browse(alice)
    client.post("/account/entry/", {"entry": "steps"})
    return client


@pytest.fixture
def address(enrolled, alice):
    return f"/patients/{enrolled(alice).pk}/assessments/preop/"


def stored(as_person, alice):
    with as_person(alice):
        return list(Assessment.objects.values_list("state", flat=True))


def test_the_form_asks_in_steps_only_whom_it_should(steps, browse, ivo, address):
    page = steps.get(address).content.decode()
    assert "data-steps" in page and 'name="check"' in page and 'name="complete"' not in page
    page = browse(ivo).get(address).content.decode()
    assert "data-steps" not in page and 'name="complete"' in page and 'name="check"' not in page
    steps.post("/account/entry/", {"entry": "page"})
    assert 'name="complete"' in steps.get(address).content.decode()


def test_all_answers_are_shown_and_nothing_is_stored_until_completed(steps, address, as_person, alice):
    page = steps.post(address, ALL | {"check": ""})
    assert page.status_code == 200
    answers_shown = {
        label: answer for _code, _title, answers in page.context["parts"] for label, answer, _lacks in answers
    }
    assert "40 mm" in answers_shown.values()
    assert stored(as_person, alice) == []
    sent = dict(page.context["sent"])
    assert {"check", "csrfmiddlewaretoken"}.isdisjoint(sent)
    assert steps.post(address, sent | {"complete": ""}).status_code == 302
    assert stored(as_person, alice) == ["complete"]


def test_a_reason_for_a_missing_answer_is_told(steps, address, as_person, alice):
    page = steps.post(address, ALL | {"eq_vas": "", "eq_vas_missing": "refused", "check": ""})
    assert page.status_code == 200
    assert "Refused" in [
        answer for _code, _title, answers in page.context["parts"] for _label, answer, _lacks in answers
    ]
    assert steps.post(address, dict(page.context["sent"]) | {"complete": ""}).status_code == 302
    with as_person(alice):
        assert Assessment.objects.get().missing == {"eq_vas": "refused"}


def test_what_completing_refuses_is_told_first(steps, address, as_person, alice):
    page = steps.post(address, ALL | {"pain_vas_mm": "400", "check": ""})
    assert page.status_code == 422
    assert "pain_vas_mm" in {name.removeprefix("field-") for name, _text in page.context["summary"]} | set(
        page.context["errors"]
    )
    assert stored(as_person, alice) == []


def test_who_wants_to_change_something_finds_the_answers_in_the_form(steps, address, as_person, alice):
    sent = dict(steps.post(address, ALL | {"check": ""}).context["sent"])
    page = steps.post(address, sent | {"work_out": ""})
    assert page.status_code == 200
    assert 'value="40"' in page.content.decode()
    assert stored(as_person, alice) == []
