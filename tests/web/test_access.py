"""Every address about a patient, as everyone: another site's records do not exist."""

import pytest

from registry.services.entry.patients import save_adverse_event
from tests.conftest import TODAY

PAGES = (
    "",
    "history/",
    "baseline/",
    "surgery/",
    "follow-up/",
    "assessments/preop/",
    "assessments/24m/",
    "adverse-events/new/",
    "adverse-events/{event}/",
    "identifiers/",
)


@pytest.fixture
def addresses(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        event = save_adverse_event(
            access=access, patient=patient, raw={"kind": "pneumonia", "onset_date": "2026-02-01"}, today=TODAY
        )
    return [f"/patients/{patient.pk}/" + page.format(event=event.pk) for page in PAGES]


@pytest.mark.parametrize(("reader", "status"), [("alice", 200), ("ivo", 200), ("charlie", 404), ("ada", 404)])
def test_every_page_of_a_patient_is_for_its_site(addresses, browse, request, reader, status):
    client = browse(request.getfixturevalue(reader))
    assert {client.get(url).status_code for url in addresses} == {status}


@pytest.mark.parametrize("reader", ["mona", "bob", "dana"])
def test_readers_without_identifiers_read_the_rest(addresses, browse, request, reader):
    client = browse(request.getfixturevalue(reader))
    *clinical, identifiers = addresses
    assert {client.get(url).status_code for url in clinical} == {200}
    assert client.get(identifiers).status_code == 404


@pytest.mark.parametrize(("writer", "status"), [("alice", 302), ("mona", 403), ("bob", 403), ("charlie", 404)])
def test_only_those_who_enter_may_send(enrolled, alice, browse, request, writer, status):
    patient = enrolled(alice)
    client = browse(request.getfixturevalue(writer))
    url = f"/patients/{patient.pk}/assessments/preop/"
    response = client.post(url, {"assessment_date": "2026-01-12", "frankel": "C", "version": ""})
    assert response.status_code == status


@pytest.mark.parametrize(("writer", "status"), [("alice", 200), ("mona", 403), ("bob", 403), ("ada", 403)])
def test_only_those_who_enter_may_enrol(browse, request, writer, status):
    assert browse(request.getfixturevalue(writer)).get("/patients/new/").status_code == status


def test_an_unknown_timepoint_or_event_does_not_exist(enrolled, alice, browse):
    client, patient = browse(alice), enrolled(alice)
    assert client.get(f"/patients/{patient.pk}/assessments/7m/").status_code == 404
    assert client.get(f"/patients/{patient.pk}/adverse-events/999999/").status_code == 404
    assert client.get(f"/patients/{patient.pk}/assessments/1m/").status_code == 200


def test_free_text_of_an_event_stays_with_the_site(enrolled, alice, bob, as_person, browse):
    patient = enrolled(alice)
    with as_person(alice) as access:
        event = save_adverse_event(
            access=access,
            patient=patient,
            raw={"kind": "pneumonia", "onset_date": "2026-02-01", "detail": "seen by a named doctor"},
            today=TODAY,
        )
    for page in ("", f"adverse-events/{event.pk}/", "history/"):
        url = f"/patients/{patient.pk}/{page}"
        assert b"named doctor" in browse(alice).get(url).content
        assert b"named doctor" not in browse(bob).get(url).content
