"""Completeness and quality: what is counted, that each number opens its rows, and whom it is shown."""

import datetime as dt

import pytest
from django.urls import reverse

from registry.models import Assessment
from registry.services.follow_up import schedule
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.quality import (
    enrolment_plan,
    entry_delay,
    measured_numbers,
    missing_items,
    query_rates,
    visit_states,
)
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.web.quality import views
from sites.tenancy.access import Role
from tests.conftest import TODAY, person


@pytest.fixture
def counted(north, mona, as_person):
    """`counted(visit_states)` is what is counted of North, on a day."""

    def counting(module, today=TODAY):
        with as_person(mona):
            return module.by_site([north.pk], schedule.plans(), today).get(north.pk, {})

    return counting


def test_visits_are_in_the_window_early_late_missed_or_waiting(finished, save, counted):
    save(timepoint="1m", assessment_date="2026-02-14")  # operated on 15 January: day 30
    save(timepoint="3m", assessment_date="2026-05-20")  # day 125 of 70 to 112
    states = counted(visit_states)
    assert states == {"preop": {"in_window": 1}, "1m": {"in_window": 1}, "3m": {"late": 1}}
    assert counted(visit_states, dt.date(2026, 6, 20))["6m"] == {"waiting": 1}
    assert counted(visit_states, dt.date(2027, 1, 10))["6m"] == {"missed": 1}


def test_visits_that_death_closed_are_not_missed(finished, own_form, counted):
    own_form("follow_up", vital_status="dead", last_contact_date="2026-02-01", death_date="2026-02-02")
    states = counted(visit_states)
    assert (states["1m"], states["3m"]) == ({"dead": 1}, {"dead": 1})


def test_missing_items_are_counted_by_reason(finished, save, counted):
    assert counted(missing_items)["assessment"] == (1, {})
    save({"assessment_date": "2026-01-12"} | dict.fromkeys(("frankel",), "D"), complete=False, timepoint="1m")
    assert counted(missing_items)["assessment"] == (1, {})  # a draft says nothing yet


def test_queries_have_rates_and_ages(finished, counted, mona, alice, as_person):
    with as_person(mona) as access:
        for words in ("As on paper?", "Which hospital?"):
            query = queries.raise_query(access=access, patient=finished, form=Form("baseline"), text=words)
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="Ours.")
    rates = counted(query_rates)
    assert (rates.asked, rates.open, rates.answered, rates.forms, rates.per_hundred) == (2, 1, 1, 3, 66.7)
    assert (rates.age, rates.answer) == (0.0, 0.0)


def test_digits_and_spread_are_counted(finished, save, counted):
    save(timepoint="1m", assessment_date="2026-02-14", eq_vas="63")
    moments = counted(measured_numbers)["eq_vas"]
    assert (moments.n, moments.rounded, moments.mean, moments.variance) == (2, 1, 61.5, 4.5)


def test_the_delay_is_from_the_visit_to_its_first_saving(finished, counted, as_system):
    with as_system():
        day = Assessment.objects.get().assessment_date
    n, median, _tenth = counted(entry_delay)
    assert n == 1
    assert 0 <= median <= (dt.datetime.now(dt.UTC).date() - day).days + 1


def test_half_days_of_delay_are_rounded_up(north):
    ((_site, delays),) = views._delay_rows([north], {north.pk: (4, 2.5, 6.4)})
    assert delays[1:] == ["3", "6"]


def test_each_number_opens_its_rows(finished, save, mona, browse, text):
    save(timepoint="3m", assessment_date="2026-05-20")
    client = browse(mona)
    page = client.get(reverse("quality"))
    (line,) = page.context["visit_lines"]
    late = line["cells"][visit_states.STATES.index("late")]
    assert late.n == 1
    rows = client.get(reverse("quality") + late.url)
    assert [(row["patient"], row["form"]) for row in rows.context["lines"]] == [(finished.pk, "3 months")]
    numbers = client.get(reverse("quality_rows"), {"what": "numbers", "item": "eq_vas"})
    assert [row["cells"] for row in numbers.context["lines"]] == [[60], [60]]
    assert len(client.get(reverse("quality_rows"), {"what": "delay"}).context["lines"]) == 2


@pytest.mark.parametrize(
    "sent",
    [{}, {"what": "x"}, {"what": "visits", "state": "x"}, {"what": "missing", "item": "detail"}, {"what": "numbers"}],
)
def test_what_is_no_number_has_no_rows(sent, mona, north, browse):
    assert browse(mona).get(reverse("quality_rows"), sent).status_code == 404


def test_another_sites_numbers_are_nowhere(finished, south, browse):
    client = browse(person("Sora", Role.MONITOR, south))
    page = client.get(reverse("quality") + "?site=N01")
    assert page.context["visit_lines"] == []
    rows = client.get(reverse("quality_rows"), {"what": "visits", "state": "in_window", "site": "N01"})
    assert rows.context["lines"] == []


MONTHS = {dt.date(2026, month, 1): 10 for month in range(1, 7)}


def test_the_forecast_goes_on_at_the_rate_of_the_last_whole_months():
    today = dt.date(2026, 7, 1)
    forecast = enrolment_plan.forecast(MONTHS, 60, 120, today)
    assert forecast.rate == 10
    assert forecast.likely == today + dt.timedelta(days=round(6 * 365.25 / 12))
    assert today < forecast.early < forecast.likely < forecast.late
    assert enrolment_plan.forecast(MONTHS, 120, 120, today) is None
    assert enrolment_plan.forecast(MONTHS, 60, None, today) is None
    stopped = enrolment_plan.forecast(MONTHS, 60, 120, dt.date(2027, 7, 1))
    assert (stopped.rate, stopped.likely, stopped.late) == (0, None, None)


def test_the_plan_is_a_line_between_its_days():
    plan = enrolment_plan.Plan(dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert enrolment_plan.planned(364, plan, dt.date(2026, 1, 11)) == pytest.approx(10)
    assert enrolment_plan.planned(364, plan, dt.date(2027, 3, 1)) == 364
    assert enrolment_plan.planned(364, enrolment_plan.Plan(), dt.date(2027, 3, 1)) is None
    assert enrolment_plan.cumulative({dt.date(2025, 12, 1): 2, dt.date(2026, 2, 1): 1}) == [
        (dt.date(2025, 12, 1), 2),
        (dt.date(2026, 1, 1), 2),
        (dt.date(2026, 2, 1), 3),
    ]


def test_the_days_of_the_plan_are_declared_in_order(ada, as_person):
    with as_person(ada) as access:
        for first, last in (("2026-01-01", "2026-01-01"), ("soon", "2026-01-01"), ("", "")):
            with pytest.raises(InvalidDefinition):
                enrolment_plan.declare(access=access, first=first, last=last, note="planned")
        enrolment_plan.declare(access=access, first="2026-01-01", last="2027-01-01", note="planned")
    assert enrolment_plan.plan() == enrolment_plan.Plan(dt.date(2026, 1, 1), dt.date(2027, 1, 1))
