"""The right patient: hospital numbers beside study numbers, finding by them, and nobody enrolled twice unasked."""

import pytest
from django.urls import reverse

from registry.services.entry import entered_in_error, patients
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import AuditEvent
from tests.conftest import TODAY


@pytest.fixture
def enrol(as_person):
    def act(user, site, number, initials, born="1955-04-03"):
        with as_person(user) as access:
            raw = {"sex": "male", "birth_date": born, "consent_date": "2026-01-10"}
            names = {"hospital_number": number, "initials": initials}
            return patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY, **names)

    return act


@pytest.fixture
def two(enrol, alice, north):
    return enrol(alice, north, "H-4711", "Q.N."), enrol(alice, north, "H-4712", "T.S.", "1960-01-02")


def switch(client, to="on"):
    return client.post(reverse("show_identifiers"), {to: "", "next": "/patients/"})


def fill_the_lists(patient, alice, mona, as_person):
    """An event, one that was entered in error and a query, so that each list has a line of the patient."""
    with as_person(alice) as access:
        for kind in ("pneumonia", "csf_leak"):
            raw = {"kind": kind, "onset_date": "2026-01-20"}
            event = patients.save_adverse_event(access=access, patient=patient, raw=raw, today=TODAY)
        entered_in_error.mark(access=access, row=event, version=None, reason="twice")
    with as_person(mona) as access:
        queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Is it so?")


def test_the_switch_shows_identifiers_once_asked_and_on_record(two, alice, mona, browse, text, as_person):
    fill_the_lists(two[0], alice, mona, as_person)
    client = browse(alice)
    assert "H-4711" not in text(client.get("/patients/"))
    assert switch(client).url == "/patients/"
    of_one = [f"/patients/{two[0].pk}/{page}" for page in ("", "surgery/", "files/", "consent/")]
    for address in ("/patients/", "/", "/grid/?q=h-4711", "/queries/", "/safety/", "/entered-in-error/", *of_one):
        page = text(client.get(address))
        assert "H-4711" in page and "Q.N." in page, address
        assert 'placeholder="Number or initials"' in page
    with as_person(alice):
        assert AuditEvent.objects.filter(action="identifiers_shown", site_id=two[0].site_id).count() == 1
    switch(client, "off")
    assert "H-4711" not in text(client.get("/patients/"))


def test_by_number_initials_and_any_part_of_the_study_number(two, alice, browse):
    client = browse(alice)
    assert client.get("/patients/", {"q": "H-4712"}).status_code == 200  # the switch is off: nobody
    assert [row.patient_id for row in client.get("/patients/", {"q": "0002"}).context["rows"]] == [two[1].pk]
    switch(client)
    for typed in ("h-4712", "TS", "Ｈ－４７１２"):
        assert client.get("/patients/", {"q": typed}).url == f"/patients/{two[1].pk}/"


@pytest.mark.parametrize("who", ["mona", "dana", "bob", "ada"])
def test_never_for_others(request, two, who, browse):
    client = browse(request.getfixturevalue(who))
    assert switch(client).status_code == 404
    session = client.session
    session["identifiers_shown"] = True
    session.save()
    if who != "ada":
        for address in ("/patients/", "/grid/", "/safety/", f"/patients/{two[0].pk}/surgery/"):
            assert "H-4711" not in client.get(address).content.decode()
    assert client.get(reverse("identification_log")).status_code == 404


def test_another_sites_people_find_nobody_of_ours(two, charlie, browse):
    client = browse(charlie)
    switch(client)
    assert client.get("/patients/", {"q": "H-4711"}).context["rows"] == []
    assert "H-4711" not in client.get(reverse("identification_log")).content.decode()


def test_the_log_is_whole_and_on_record(two, alice, browse, text, as_person):
    page = text(browse(alice).get(reverse("identification_log")))
    for phrase in ("H-4711", "T.S.", "3 Apr 1955", two[1].pk):
        assert phrase in page
    with as_person(alice):
        (event,) = AuditEvent.objects.filter(action="identification_log")
        assert event.new == {"patients": 2}


def test_the_log_is_fifty_a_page_and_whole_to_be_printed(enrol, alice, north, browse, text, as_person):
    numbers = [enrol(alice, north, f"H-{place}", "Q.N.", f"19{place}-04-03").pk for place in range(10, 62)]
    client, log = browse(alice), reverse("identification_log")

    def shown(response):
        page = text(response)
        return [number for number in numbers if number in page]

    first, second, whole = (client.get(log, asked) for asked in ({}, {"page": "2"}, {"whole": "1"}))
    assert (shown(first), shown(second), shown(whole)) == (numbers[:50], numbers[50:], numbers)
    assert "H-59" in text(first) and "H-60" not in text(first) and "H-61" in text(second) and "H-61" in text(whole)
    assert "This page is a part, patients 51 to 52" in text(second)
    assert "This page is a part" not in text(whole)
    with as_person(alice):
        events = AuditEvent.objects.filter(action="identification_log").order_by("pk")
        assert [event.new["patients"] for event in events] == [50, 2, 52]


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"hospital_number": "h-4711", "birth_date": "1940-01-01"}, "hospital_number"),
        ({"hospital_number": "new", "birth_date": "1955-04-03"}, "birth_date"),
        ({"hospital_number": "new", "birth_date": "1955-04-03", "sex": "female"}, None),
        ({"hospital_number": "new", "birth_date": "1955-04-04"}, None),
    ],
)
def test_somebody_alike_is_asked_about_before_enrolment(two, alice, browse, changes, by):
    client = browse(alice)
    criteria = dict.fromkeys(("eligible_surgery", "eligible_consent", "eligible_no_dementia"), "on")
    sent = {"sex": "male", "consent_date": "2026-01-10"} | criteria | changes
    response = client.post("/patients/new/", sent)
    if by is None:
        assert response.status_code == 302
        return
    assert [(candidate.patient_id, candidate.by) for candidate in response.context["alike"]] == [(two[0].pk, by)]
    assert client.post("/patients/new/", sent | {"another_person": "on"}).status_code == 422  # not who was shown
    assert client.post("/patients/new/", sent | {"another_person": "on", "alike": two[0].pk}).status_code == 302
