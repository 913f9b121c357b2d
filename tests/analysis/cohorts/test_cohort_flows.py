"""The flow of a cohort in a large registry: counted by a worker, kept, shown with its age, equal to a count at once."""

import datetime as dt

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from registry import tasks
from registry.analysis.design import cohort_flows, cohort_lists
from registry.analysis.design.cohorts import Cohort, Step
from registry.instruments.base import Label
from registry.models import SavedCohort
from tests.api.conftest import Program, issued

OPERATED = Cohort("new", "0", Label("All", "全員"), (Step("operated_from", {"first": "2024-01-01"}),))
ADDRESS = "/cohorts/new/?operated_from=2024-01-01"


@pytest.fixture
def three(enrolled, alice, charlie):
    cache.clear()
    return enrolled(alice), enrolled(alice), enrolled(charlie)


@pytest.fixture
def sent(monkeypatch):
    """What is handed to workers, and is done when the test says so."""
    messages = []

    def delay(*args):
        messages.append(args)
        return object()

    monkeypatch.setattr(cohort_flows, "is_large", lambda: True)
    monkeypatch.setattr(tasks.count_cohort, "delay", delay)
    monkeypatch.setattr(tasks.list_cohort, "delay", delay)
    return messages


@pytest.fixture
def page(bob):
    client = Client()
    client.force_login(bob)
    return lambda address=ADDRESS, **more: client.get(address, **more)


def test_the_page_says_that_patients_are_counted_and_then_shows_the_same_flow(three, sent, page, monkeypatch):
    first = page()
    assert first.status_code == 200
    assert b"All patients are being counted" in first.content
    page()
    assert len(sent) == 1  # asked for once, however often the page looks
    tasks.count_cohort(*sent[0])
    then = page()
    assert b"being counted" not in then.content
    assert b"Counted " in then.content
    monkeypatch.setattr(cohort_flows, "is_large", lambda: False)
    now = page()
    assert b"Counted " not in now.content
    assert [(step["n"], step.get("excluded")) for step in then.context["flow"]] == [
        (step["n"], step.get("excluded")) for step in now.context["flow"]
    ]
    assert then.context["enrolled"] == 3


def test_what_an_earlier_version_kept_unencrypted_is_counted_anew(three, sent, page):
    question = cohort_flows.FlowOf(OPERATED)
    cache.set(question.key, question.count(), 60)
    assert cohort_flows.stored(question) is None
    assert b"All patients are being counted" in page().content
    tasks.count_cohort(*sent[0])
    assert page().context["enrolled"] == 3


def test_a_flow_that_is_old_is_shown_and_counted_anew(three, sent, page, enrolled, alice, monkeypatch):
    page()
    tasks.count_cohort(*sent.pop())
    enrolled(alice)
    assert page().context["enrolled"] == 3
    assert sent == []
    later = timezone.now() + cohort_flows.FRESH + dt.timedelta(seconds=1)
    monkeypatch.setattr(cohort_flows.timezone, "now", lambda: later)
    assert page().context["enrolled"] == 3
    tasks.count_cohort(*sent.pop())
    assert page().context["enrolled"] == 4


def test_cohorts_that_somebody_has_left_are_passed_over(three, sent, page, monkeypatch):
    page()
    page("/cohorts/new/?operated_from=2023-01-01")
    counted = []
    monkeypatch.setattr(cohort_flows, "count", counted.append)
    tasks.count_cohort(*sent[0])
    assert counted == []
    page()  # comes back to it
    assert len(sent) == 3


def test_without_a_broker_the_page_counts_itself(three, sent, page, monkeypatch):
    monkeypatch.setattr(tasks.count_cohort, "delay", lambda *args: None)
    assert page().context["enrolled"] == 3


def test_the_part_that_htmx_fetches_is_there_while_counting(three, sent, page):
    assert b'id="preview"' in page(headers={"HX-Request": "true"}).content


def test_people_who_may_not_compare_start_nothing(three, sent, alice):
    client = Client()
    client.force_login(alice)
    assert client.get(ADDRESS).status_code == 404
    assert sent == []


LIST = "/cohorts/preview/patients/?operated_from=2024-01-01&step=1"


def test_the_patients_behind_a_number_are_listed_by_the_worker(three, sent, page, monkeypatch, bob, as_system):
    waiting = page(LIST)
    assert b"All patients are being counted" in waiting.content
    page(LIST)
    assert len(sent) == 1
    tasks.list_cohort(*sent.pop())
    then = page(LIST)
    assert [then.context["n"], list(then.context["page"])] == [3, sorted(patient.pk for patient in three)]
    assert b"Counted " in then.content
    assert page(f"{LIST}&at=N01").context.get("n") is None  # another list, which is asked for anew
    tasks.list_cohort(*sent.pop())
    assert page(f"{LIST}&at=N01").context["n"] == 2
    assert page(LIST.replace("step=1", "step=7")).status_code == 200
    tasks.list_cohort(*sent.pop())
    assert page(LIST.replace("step=1", "step=7")).status_code == 404
    monkeypatch.setattr(cohort_flows, "is_large", lambda: False)
    now = page(LIST)
    assert list(now.context["page"]) == list(then.context["page"])
    assert b"Counted " not in now.content


def test_a_list_that_is_old_is_not_shown_and_names_only_so_many(three, sent, page, monkeypatch):
    monkeypatch.setattr(cohort_lists, "LISTED", 2)
    page(LIST)
    tasks.list_cohort(*sent.pop())
    first = page(LIST)
    assert [first.context["n"], len(first.context["page"])] == [3, 2]
    assert b"the first 2 are listed" in first.content
    later = timezone.now() + cohort_flows.FRESH + dt.timedelta(seconds=1)
    monkeypatch.setattr(cohort_flows.timezone, "now", lambda: later)
    assert b"being counted" in page(LIST).content
    assert len(sent) == 1


def test_the_api_says_the_same_flow(three, sent, page, bob, monkeypatch):
    saved = SavedCohort.objects.create(name="operated", version=1, steps=OPERATED.to_json()["steps"], created_by=bob)
    asked = Program(issued(bob))
    waiting = asked.get(f"cohorts/{saved.pk}/flow")
    assert (waiting.status_code, waiting["Retry-After"], waiting.json()["n"]) == (202, "2", None)
    tasks.count_cohort(*sent.pop())
    flow = asked.get(f"cohorts/{saved.pk}/flow").json()
    monkeypatch.setattr(cohort_flows, "is_large", lambda: False)
    now = asked.get(f"cohorts/{saved.pk}/flow").json()
    assert flow.pop("counted_at") and now.pop("counted_at") is None
    assert flow == now
    assert [step["n"] for step in now["flow"]] == [step["n"] for step in page().context["flow"]]
