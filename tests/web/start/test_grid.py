"""The grid, the start page, the schedule's pages, the end of follow-up, visits outside the plan."""

import datetime as dt
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.models import Assessment, FollowUpEnd, Patient, ScheduleVersion
from registry.services.entry.assessments import save_assessment
from registry.services.operations import site_counts
from registry.web.start import grid as grid_page
from tests.web.conftest import ASSESSMENT

TODAY = timezone.localdate()
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _today():
    """The day may have changed since the file was loaded."""
    global TODAY
    TODAY = timezone.localdate()


@pytest.fixture
def operated(enrolled, alice, as_person):
    """`operated(days)` is a patient of North operated so many days ago."""

    def operate(days, user=alice, **changes):
        patient = enrolled(user)
        with as_person(user):
            surgery = TODAY - days * DAY
            Patient.objects.filter(pk=patient.pk).update(surgery_date=surgery, consent_date=surgery - DAY, **changes)
            return Patient.objects.get(pk=patient.pk)

    return operate


@pytest.fixture
def recorded(alice, as_person):
    def save(patient, timepoint, complete=False, **changes):
        with as_person(alice) as access:
            return save_assessment(
                access=access, patient=patient, timepoint=timepoint, raw=ASSESSMENT | changes, complete=complete
            )

    return save


def shown(response):
    """Patient's number to the states of the cells in its row."""
    rows = re.findall(r"<tr>(.*?)</tr>", response.content.decode(), re.DOTALL)
    by_name = {}
    for row in rows:
        if number := re.search(r'/patients/([^/"]+)/"', row):
            by_name[number[1]] = re.findall(r'cell state-(\w+)"|(cell-none)', row)
    return {number: [state or "none" for state, _none in cells] for number, cells in by_name.items()}


# -- The grid --------------------------------------------------------------------------------------------------------


def test_each_form_has_its_state(operated, recorded, alice, browse):
    patient = operated(60)
    recorded(patient, "preop", complete=True)
    recorded(patient, "u1")
    other = operated(400, vital_status="dead", death_date=TODAY - 300 * DAY)
    assert shown(browse(alice).get("/grid/")) == {
        patient.pk: ["empty", "draft", "complete", "overdue", "empty", "empty", "empty", "empty", "draft"],
        other.pk: ["empty", "draft", "missed", "missed", "dead", "dead", "dead", "dead", "none"],
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),
        ("state=due", "b"),
        ("state=overdue", "a"),
        ("state=missed", "c"),
        ("state=overdue&form=preop", "a"),
        ("state=missed&form=preop", "c"),
        ("state=missed&form=3m", "c"),
        ("state=draft", "abc"),
        ("state=draft&form=surgery", "abc"),
        ("state=draft&form=baseline", "c"),
        ("state=draft&form=u", "a"),
        ("state=complete", "bc"),
        ("state=query", "c"),
        ("due=1", "ab"),
        ("due=1&form=1m", "ab"),
        ("q=0002", "b"),
        ("q=n01-", "abc"),
        ("q=%25", ""),
        ("form=u", "a"),
        ("form=nonsense&state=nonsense", "abc"),
        ("site=S01", "abc"),  # no choice of those who have one site
        ("after=N01-0002", "c"),
    ],
)
def test_filters(operated, recorded, alice, as_person, browse, query, expected):
    names = {}
    names["a"] = operated(60)
    names["b"] = operated(20)
    names["c"] = operated(250)
    recorded(names["a"], "u1")
    recorded(names["b"], "preop", complete=True, assessment_date=str(TODAY - 21 * DAY))
    with as_person(alice):
        Patient.objects.filter(pk=names["c"].pk).update(primary_tumour="lung")
    recorded(names["c"], "6m", complete=True)
    numbers = {patient.pk: name for name, patient in names.items()}
    response = browse(alice).get(f"/grid/?{query}")
    assert "".join(numbers[number] for number in shown(response)) == expected
    if "after" not in query:
        assert response.context["count"] == len(expected)


def test_one_form_alone_has_one_column(operated, alice, browse):
    patient = operated(60)
    assert shown(browse(alice).get("/grid/?form=1m")) == {patient.pk: ["overdue"]}


def test_further_rows_follow(operated, alice, browse, monkeypatch, text):
    monkeypatch.setattr(grid_page, "PAGE", 2)
    numbers = [operated(60).pk for _ in range(5)]
    client = browse(alice)
    first = client.get("/grid/")
    assert list(shown(first)) == numbers[:2]
    assert f'href="?after={numbers[1]}"' in text(first)
    second = client.get(f"/grid/?after={numbers[1]}&part=rows", headers={"HX-Request": "true"})
    assert list(shown(second)) == numbers[2:4]
    assert b"<html" not in second.content
    last = client.get(f"/grid/?after={numbers[3]}")
    assert list(shown(last)) == numbers[4:]
    assert b"data-more" not in last.content


def test_central_people_see_every_site_and_no_identifier(operated, charlie, bob, dana, browse):
    mine, theirs = operated(60), operated(60, user=charlie)
    for user in (bob, dana):
        client = browse(user)
        assert list(shown(client.get("/grid/"))) == [mine.pk, theirs.pk]
        assert list(shown(client.get("/grid/?site=S01"))) == [theirs.pk]
    assert list(shown(browse(charlie).get("/grid/"))) == [theirs.pk]


# -- My day ----------------------------------------------------------------------------------------------------------


def lines(response):
    return [(line.visit.patient_id, line.visit.code) for line in response.context["work"]["lines"]]


def test_what_closes_first_stands_first_and_says_why(operated, recorded, alice, browse, text, monkeypatch):
    soon = operated(42)  # the window of one month closes in 2 days
    later = operated(30)
    overdue = operated(60)  # counts as missed in 10 days
    for patient in (soon, later, overdue):
        recorded(patient, "preop")
    response = browse(alice).get("/")
    assert lines(response) == [(soon.pk, "1m"), (overdue.pk, "1m"), (later.pk, "1m")]
    page = text(response)
    assert "Window closes in 2 days" in page
    assert "HSUV at 1 month is unknown for 3 of 3" in page
    assert "Window closed 16 days ago; counts as missed in 10 days" in page
    assert f'href="/patients/{soon.pk}/assessments/1m/"' in page
    assert (response.context["work"]["due"], response.context["work"]["overdue"]) == (2, 1)
    assert response.context["work"]["counted_at"] is None
    with monkeypatch.context() as large:  # where the worker counts what is known, the page says when
        cache.clear()
        large.setattr(site_counts, "is_large", lambda: True)
        assert browse(alice).get("/").context["work"]["counted_at"] is not None
    following = {soon: overdue, overdue: later, later: soon}  # from a patient's page to who stands behind
    for patient, other in following.items():
        page = browse(alice).get(f"/patients/{patient.pk}/").content.decode()
        assert f'href="/next/?after={patient.pk}"' in page
        assert browse(alice).get(f"/next/?after={patient.pk}").url == f"/patients/{other.pk}/assessments/1m/"
    assert browse(alice).get("/next/?after=N01-9999").url == f"/patients/{soon.pk}/assessments/1m/"
    going = browse(alice)
    assert going.get(f"/next/?after={soon.pk}").url == f"/patients/{overdue.pk}/assessments/1m/"
    recorded(overdue, "1m")  # who is done stands nowhere, and the one who was skipped is not asked for again
    assert going.get(f"/next/?after={overdue.pk}").url == f"/patients/{later.pk}/assessments/1m/"
    assert going.get(f"/next/?after={later.pk}").url == f"/patients/{soon.pk}/assessments/1m/"


def test_whoever_waits_alone_is_followed_by_my_day(operated, recorded, alice, browse):
    patient = operated(42)
    recorded(patient, "preop")
    assert browse(alice).get(f"/next/?after={patient.pk}").url == "/"


def test_of_equally_urgent_ones_the_least_known_timepoint_stands_first(operated, recorded, alice, browse):
    for _ in range(3):  # who have their month, so that it is better known than three months
        patient = operated(90)
        recorded(patient, "1m")
        recorded(patient, "preop")
    month = operated(40)
    recorded(month, "preop")
    grid = lines(browse(alice).get("/"))
    assert grid[0] == (month.pk, "1m")  # closes within a week
    assert {code for _pk, code in grid[1:]} == {"3m"}


def test_drafts_lead_to_their_forms(operated, recorded, alice, browse, text):
    patient = operated(60)
    recorded(patient, "u1")
    page = text(browse(alice).get("/"))
    assert f'href="/patients/{patient.pk}/assessments/u1/"' in page
    assert f'href="/patients/{patient.pk}/baseline/"' in page
    assert "Unscheduled 1" in page


def test_hundreds_due_are_counted_and_the_first_shown(north, alice, as_person, browse, text):
    with as_person(alice):
        Patient.objects.bulk_create(
            Patient(patient_id=f"N01-{n:04}", site=north, surgery_date=TODAY - 30 * DAY) for n in range(1, 301)
        )
    response = browse(alice).get("/")
    assert response.context["work"]["total"] == 600  # one month and, to be typed from paper, before surgery
    assert len(response.context["work"]["lines"]) == 30
    assert "All 600 in the grid of forms" in text(response)


def test_central_people_see_sites(operated, charlie, dana, browse, text):
    mine = operated(60)
    operated(30, user=charlie)
    response = browse(dana).get("/")
    assert [(line["due"], line["overdue"]) for line in response.context["sites"]["lines"]] == [(0, 2), (1, 1)]
    assert mine.pk not in text(response)


def test_administrators_have_their_own(ada, north, browse, text):
    page = text(browse(ada).get("/"))
    assert "Schedule of visits" in page
    assert "without anybody" in page


# -- How many queries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("url", ["/", "/grid/", "/grid/?state=draft", "/grid/?due=1", "/schedule/"])
def test_the_number_of_queries_does_not_grow(operated, recorded, as_person, alice, browse, request, url, who):
    client = browse(request.getfixturevalue(who))

    def one_more():
        patient = operated(60)
        recorded(patient, "preop")
        recorded(patient, "u1")
        ended = operated(45)
        with as_person(alice):
            FollowUpEnd.objects.create(
                patient=ended, site=ended.site, end_kind="lost", end_date=TODAY, end_reason="moved"
            )

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len(captured)

    one_more()
    queries()
    before = queries()
    for _ in range(4):
        one_more()
    assert queries() == before


# -- The schedule's pages --------------------------------------------------------------------------------------------


def fields(page, **changes):
    """What the page's form sends, with changes."""
    by_name = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r' name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and name[1] not in ("csrfmiddlewaretoken", "next", "q"):
            if 'type="checkbox"' in tag:
                by_name |= {name[1]: "on"} if " checked" in tag else {}
            else:
                by_name[name[1]] = value[1] if value else ""
    return by_name | changes


def test_an_administrator_publishes_another_version(ada, alice, browse, text):
    client = browse(ada)
    page = text(client.get("/schedule/new/"))
    start = str(TODAY + 3 * DAY)
    sent = fields(page, effective_from=start, note="Amendment", **{"day-2": "95"})
    further = {"code-6": "36m", "label-6": "36 months", "label_ja-6": "36か月", "day-6": "1095", "before-6": "60"}
    refused = client.post("/schedule/new/", sent | further)
    assert refused.status_code == 422
    assert "36m: Days after is needed." in text(refused)
    assert 'value="36 months"' in text(refused)
    assert ScheduleVersion.objects.count() == 1
    assert client.post("/schedule/new/", sent | further | {"after-6": "60"}).url == "/schedule/"
    again = client.post("/schedule/new/", sent | further | {"after-6": "60"})  # the second of two clicks
    assert (again.status_code, ScheduleVersion.objects.count()) == (422, 2)
    history = text(browse(alice).get("/schedule/"))
    assert "day 91, window 70 to 112" in history
    assert "Amendment" in history
    assert 'name="planned-6"' in text(client.get("/schedule/new/"))


def test_a_further_timepoint_is_left_out_by_its_tick(ada, browse, text):
    client = browse(ada)
    further = {"code-6": "36m", "label-6": "36 months", "label_ja-6": "x", "day-6": "1095"}
    further |= {"before-6": "9", "after-6": "9", "note": "a", "effective_from": str(TODAY + DAY)}
    client.post("/schedule/new/", fields(text(client.get("/schedule/new/")), **further))
    sent = fields(text(client.get("/schedule/new/")), effective_from=str(TODAY + 9 * DAY), note="b")
    assert sent.pop("planned-6") == "on"
    assert client.post("/schedule/new/", sent).status_code == 302
    assert [version.visits.count() for version in ScheduleVersion.objects.all()] == [6, 7, 6]


# -- End of follow-up ------------------------------------------------------------------------------------------------


def test_follow_up_ends_on_a_page_and_goes_on(operated, alice, bob, browse, text):
    patient = operated(60)
    client, url = browse(alice), f"/patients/{patient.pk}/end/"
    sent = {"end_kind": "withdrawn", "end_date": str(TODAY), "end_reason": "privacy"}
    refused = client.post(url, sent)
    assert refused.status_code == 422
    assert 'href="#field-end_data_use"' in text(refused)
    assert client.post(url, sent | {"end_data_use": "stop"}).url == f"/patients/{patient.pk}/"
    assert client.post(url, sent | {"end_data_use": "stop"}).status_code == 302  # the second of two clicks
    page = text(browse(bob).get(f"/patients/{patient.pk}/"))
    assert "Consent withdrawn from" in page
    assert "must no longer be used" in page
    assert "Withdrawn" in text(client.get("/grid/"))
    # Whose windows had closed before.
    assert lines(client.get("/")) == [(patient.pk, "1m"), (patient.pk, "preop")]
    assert client.post(url, {"resume": "", "version": "1", "resume_reason": ""}).status_code == 422
    assert client.post(url, {"resume": "", "version": "1", "resume_reason": "consents again"}).status_code == 302
    assert "consents again" in text(client.get(f"/patients/{patient.pk}/history/?record=follow_up_end"))
    assert "Consent withdrawn from" not in text(client.get(f"/patients/{patient.pk}/"))


def test_somebody_else_was_first(operated, alice, ivo, browse):
    patient = operated(60)
    url, sent = f"/patients/{patient.pk}/end/", {"end_kind": "lost", "end_date": str(TODAY), "end_reason": "moved"}
    assert browse(alice).post(url, sent).status_code == 302
    assert browse(ivo).post(url, sent | {"end_reason": "other"}).status_code == 409


# -- Outside the plan ------------------------------------------------------------------------------------------------


def test_an_unscheduled_visit_is_recorded(operated, alice, as_person, browse, text):
    patient = operated(60)
    client, own = browse(alice), f"/patients/{patient.pk}/"
    assert f'href="{own}assessments/u1/"' in text(client.get(own))
    assert client.get(f"{own}assessments/u2/").status_code == 404
    assert "Unscheduled 1" in text(client.get(f"{own}assessments/u1/"))
    sent = ASSESSMENT | {"assessment_date": str(TODAY - 40 * DAY), "complete": ""}
    assert client.post(f"{own}assessments/u1/", sent).status_code == 302
    page = text(client.get(own))
    assert f'href="{own}assessments/u2/"' in page
    assert "Unscheduled 1" in page
    with as_person(alice):
        assert Assessment.objects.get(patient=patient).timepoint_id == "u1"
    assert "Unscheduled 1" in text(client.get(f"{own}history/"))
    again = client.post(f"{own}assessments/u1/", sent | {"pain_vas_mm": "99"})
    assert again.status_code == 409
