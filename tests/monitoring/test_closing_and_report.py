"""Closing answered queries over what was shown, and the report of a visit."""

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import reverse
from reportlab.pdfgen.canvas import Canvas

from registry.exports import pdf
from registry.models import Query
from registry.services.monitoring import visits
from registry.services.operations import site_counts
from registry.services.review import queries, verification
from registry.services.review.soft_checks import Form
from registry.web.monitoring import visit_report
from sites.models import AuditEvent
from sites.tenancy.access import Role
from tests.conftest import person


@pytest.fixture
def answered(finished, save, mona, alice, as_person):
    """A query about the EQ VAS that was answered after the value was mended from 60 to 61."""
    with as_person(mona) as access:
        query = queries.raise_query(
            access=access, patient=finished, form=Form("assessment", "preop"), field="eq_vas", text="As on paper?"
        )
    save(eq_vas="61")
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="It was 61.")
    return query


def sent(page, *ticked):
    lines = page.context["lines"]
    return {
        "query": [line.query.pk for line in lines],
        "seen": [line.seen for line in lines],
        "close": [query.pk for query in ticked],
    }


def test_answered_queries_are_closed_over_what_was_asked_and_what_stands_there(answered, mona, browse, stored):
    client, address = browse(mona), reverse("close_queries")
    page = client.get(address)
    assert [line.answers for line in page.context["lines"]] == [[("EQ VAS (health today)", "60", "61")]]
    assert client.post(address, sent(page, answered) | {"text": "seen"}).status_code == 302
    (query,) = stored(Query)
    assert query.state == "closed"


def test_the_button_beside_a_query_closes_that_one_whatever_is_ticked(
    answered, finished, mona, alice, as_person, browse
):
    with as_person(mona) as access:
        other = queries.raise_query(access=access, patient=finished, form=Form("baseline"), text="Which hospital?")
    with as_person(alice) as access:
        queries.answer(access=access, query=other, text="Ours.")
    client, address = browse(mona), reverse("close_queries")
    assert client.post(address, sent(client.get(address), answered) | {"only": other.pk}).status_code == 302
    with as_person(mona):
        assert dict(Query.objects.values_list("pk", "state")) == {answered.pk: "answered", other.pk: "closed"}


@pytest.mark.parametrize("change", ["value", "thread"])
def test_what_went_on_since_the_page_stays_open(answered, save, mona, as_person, browse, stored, text, change):
    client, address = browse(mona), reverse("close_queries")
    page = client.get(address)
    if change == "value":
        save(eq_vas="62")
    else:
        with as_person(mona) as access:
            queries.reopen(access=access, query=answered, text="Which paper?")
    answer = client.post(address, sent(page, answered), follow=True)
    assert "1 query changed since you opened the page and was not closed." in text(answer)
    assert stored(Query)[0].state != "closed"


def test_nothing_is_closed_without_a_tick_or_without_the_page(answered, mona, browse, stored):
    client, address = browse(mona), reverse("close_queries")
    page = client.get(address)
    assert client.post(address, sent(page)).status_code == 422
    client.post(address, sent(page, answered) | {"seen": ["forged"]})
    assert stored(Query)[0].state == "answered"


def test_another_sites_queries_are_not_there(answered, south, browse, stored, finished, mona):
    page = browse(mona).get(reverse("close_queries"))
    client = browse(person("Sora", Role.MONITOR, south))
    assert client.get(reverse("close_queries")).context["lines"] == []
    assert client.post(reverse("close_queries"), sent(page, answered)).status_code == 422
    assert stored(Query)[0].state == "answered"


def test_the_report_tells_what_was_done_in_the_days_and_what_is_left(
    answered, finished, mona, as_person, browse, row_of, as_system, text
):
    with as_person(mona) as access:
        verification.verify(access=access, form_row=row_of(finished), columns=["frankel", "eq_vas"])
    client, address = browse(mona), reverse("visit_report")
    page = client.get(address)
    rows = [row for kind, block in page.context["blocks"] if kind == "table" for row in block.rows]
    assert (finished.pk, "Before surgery", 2, "", "Mona") in rows
    assert "As on paper?" in text(page)
    past = text(client.get(address, {"site": "N01", "first": "2020-01-01", "last": "2020-01-07"}))
    assert "None." in past
    answer = client.post(address, {"site": "N01", "remarks": "Everything was to hand.", "actions": ""})
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    with as_system():
        assert AuditEvent.objects.filter(action="visit_report_made").count() == 1


def test_in_a_large_registry_the_page_shows_what_is_kept_and_the_pdf_what_is_so(
    finished, mona, alice, enrolled, browse, text, monkeypatch
):
    cache.clear()
    monkeypatch.setattr(site_counts, "is_large", lambda: True)
    counted, filed = [], []
    monkeypatch.setattr(visits, "_counted", lambda *asked: counted.append(asked) or visits.Standing(7, 5, 6, 4))
    monkeypatch.setattr(visit_report, "_file", lambda visit, *_rest: filed.append(visit.standing) or HttpResponse())
    client, address = browse(mona), reverse("visit_report")
    first = client.get(address)
    facts = dict(first.context["blocks"][0][1].rows)
    assert (facts["Patients enrolled"], facts["Patients with forms to sign"]) == (1, 1)
    assert facts["Complete forms that are not verified"] == facts["Forms that the sampling plan still asks about"] > 1
    assert "The PDF is counted when it is made." in text(first)
    enrolled(alice)
    assert client.get(address).context["blocks"] == first.context["blocks"]  # as it was kept
    assert counted == []
    assert client.post(address, {"site": "N01"}).status_code == 200
    assert filed == [visits.Standing(7, 5, 6, 4)]


def test_days_in_the_wrong_order_are_told(mona, browse, text):
    answer = browse(mona).get(reverse("visit_report"), {"first": "2026-02-01", "last": "2026-01-01"})
    assert answer.status_code == 422
    assert "The first day must not be after the last." in text(answer)


@pytest.mark.parametrize("who", ["alice", "ivo", "dana", "ada"])
def test_only_monitors_report(request, who, browse, north):
    assert browse(request.getfixturevalue(who)).get(reverse("visit_report")).status_code == 404


def test_each_page_of_a_document_says_which_it_is_and_of_how_many(monkeypatch):
    drawn = []
    monkeypatch.setattr(Canvas, "drawRightString", lambda _canvas, _x, _y, text: drawn.append(text))
    for paragraphs, numbers in (1, ["1 / 1"]), (60, ["1 / 3", "2 / 3", "3 / 3"]):
        blocks = [pdf.Paragraph("A sentence that takes a line and a half of a page. " * 3)] * paragraphs
        content = pdf.document("Report", "N01", blocks, "en")
        assert drawn == numbers
        assert content == pdf.document("Report", "N01", blocks, "en")  # nothing in it says when it was made
        drawn.clear()
