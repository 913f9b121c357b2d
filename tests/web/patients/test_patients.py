"""The list, enrolment, the page of one patient, its identifiers."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import Patient
from registry.services.entry.assessments import save_assessment
from registry.services.records import identity
from sites.models import AuditEvent
from tests.web.conftest import ASSESSMENT

ENROLMENT = {
    "eligible_surgery": "on",
    "eligible_consent": "on",
    "eligible_no_dementia": "on",
    "sex": "female",
    "birth_date": "1950-02-03",
    "consent_date": "2026-01-10",
    "hospital_number": "H-4711",
    "initials": "T.K.",
}


def sent(**changes):
    return {name: value for name, value in (ENROLMENT | {"submission": uuid.uuid4().hex} | changes).items() if value}


def numbers(response):
    return [row.patient_id for row in response.context["rows"]]


def test_the_list_holds_the_own_sites_patients(enrolled, alice, charlie, bob, browse):
    mine, theirs = enrolled(alice), enrolled(charlie)
    assert numbers(browse(alice).get("/patients/")) == [mine.pk]
    assert numbers(browse(bob).get("/patients/")) == [mine.pk, theirs.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 3),
        ("?q=n01-00", 3),
        ("?q=S01", 0),
        ("?tumour=lung", 1),
        ("?tumour=renal", 0),
        ("?tumour=nonsense", 3),
        ("?segment=unknown", 3),
        ("?vital=dead", 0),
        ("?state=incomplete", 3),
        ("?state=draft", 0),
        ("?page=99", 3),
        ("?page=x&sort=nonsense", 3),
        ("?sort=-surgery_date", 3),
    ],
)
def test_filters_are_in_the_address(enrolled, alice, as_person, browse, query, expected):
    patients = [enrolled(alice) for _ in range(3)]
    with as_person(alice):
        Patient.objects.filter(pk=patients[0].pk).update(primary_tumour="lung")
    response = browse(alice).get("/patients/" + query)
    assert len(numbers(response)) == response.context["count"] == expected


def test_a_whole_number_leads_to_the_patient(enrolled, alice, browse):
    patient = enrolled(alice)
    assert browse(alice).get(f"/patients/?q={patient.pk.lower()}").url == f"/patients/{patient.pk}/"


def test_the_search_of_every_page_opens_the_only_patient_that_it_finds(enrolled, alice, browse):
    _first, second, client = enrolled(alice), enrolled(alice), browse(alice)
    assert client.get("/patients/?q=0002&find=1").url == f"/patients/{second.pk}/"
    assert numbers(client.get("/patients/?q=0002")) == [second.pk]  # a filter of the list stays one
    assert len(numbers(client.get("/patients/?q=N01&find=1"))) == 2
    assert client.get("/patients/?q=S01&find=1").status_code == 200


def test_an_empty_list_says_what_to_do(alice, browse, enrolled):
    client = browse(alice)
    assert b"No patient is enrolled yet" in client.get("/patients/").content
    enrolled(alice)
    assert b"No patient matches" in client.get("/patients/?vital=dead").content


@pytest.mark.parametrize("url", ["/", "/patients/", "/patients/{first}/", "/patients/{first}/history/"])
def test_the_number_of_queries_does_not_grow(enrolled, alice, as_person, browse, url):
    def one_more():
        patient = enrolled(alice)
        with as_person(alice) as access:
            Patient.objects.filter(pk=patient.pk).update(surgery_date="2026-01-15")
            for timepoint in ("preop", "1m"):
                save_assessment(access=access, patient=patient, timepoint=timepoint, raw=ASSESSMENT)
        return patient

    client, first = browse(alice), one_more()
    address = url.format(first=first.pk)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    queries()  # what is read once and kept is read here
    before = queries()
    for _ in range(3):
        one_more()
    assert queries() == before


def test_enrolling_gives_the_next_number_and_keeps_identifiers_apart(alice, browse, as_person):
    response = browse(alice).post("/patients/new/", sent(), follow=True)
    assert response.redirect_chain == [("/patients/N01-0001/", 302)]
    assert b"N01-0001" in response.content
    with as_person(alice):
        patient = Patient.objects.get()
        assert (patient.sex, patient.consent_date.isoformat()) == ("female", "2026-01-10")
        assert identity.read(patient)["hospital_number"] == "H-4711"
    assert b"H-4711" not in browse(alice).get("/patients/N01-0001/").content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eligible_surgery": ""}, "Confirm this"),
        ({"eligible_no_dementia": ""}, "Confirm this"),
        ({"birth_date": "2010-01-01"}, "The study takes patients of 20 years and over; this patient was 16"),
        ({"birth_date": ""}, "Date of birth is needed."),
        ({"birth_date": "1.2.1950"}, "got “1.2.1950”"),
        ({"consent_date": "2999-01-01"}, "Date of consent is in the future"),
        ({"sex": "other"}, "Sex must be one of male, female"),
    ],
)
def test_what_does_not_hold_is_said_and_nothing_is_stored(alice, browse, as_person, text, changes, message):
    client = browse(alice)
    response = client.post("/patients/new/", sent(**changes))
    assert response.status_code == 422
    assert message in text(response)
    assert 'value="H-4711"' in text(response)
    with as_person(alice):
        assert not Patient.objects.exists()
    assert client.post("/patients/new/", sent()).status_code == 302


def test_sending_twice_enrols_once(alice, browse, as_person):
    client, form = browse(alice), sent()
    assert client.post("/patients/new/", form).url == client.post("/patients/new/", form).url
    with as_person(alice):
        assert Patient.objects.count() == 1
    again = client.post("/patients/new/", sent())
    assert again.status_code == 422 and again.context["alike"][0].patient_id == "N01-0001"
    another = sent() | {"another_person": "on", "alike": "N01-0001"}
    assert client.post("/patients/new/", another).url == "/patients/N01-0002/"


def test_the_page_of_a_patient_shows_the_course(enrolled, alice, as_person, browse, text):
    patient = enrolled(alice)
    with as_person(alice) as access:
        Patient.objects.filter(pk=patient.pk).update(surgery_date="2026-01-15", lesion_levels=("T5", "T6"))
        save_assessment(access=access, patient=patient, timepoint="preop", raw=ASSESSMENT, complete=True)
        later = ASSESSMENT | {
            "assessment_date": "2026-02-14",
            "pain_vas_mm": "15",
            "barthel_stairs": "5",
            "eq_vas": "40",
        }
        save_assessment(access=access, patient=patient, timepoint="1m", raw=later, complete=True)
    response = browse(alice).get(f"/patients/{patient.pk}/")
    rows = {row.label: row.cells for row in response.context["timeline"]["rows"]}
    assert [(c.text, c.change, c.direction) for c in rows["Pain (VAS)"][:2]] == [
        ("40", "", ""),
        ("15", "−25", "better"),
    ]
    assert [(c.text, c.change, c.direction) for c in rows["Barthel index, total"][:2]] == [
        ("65", "", ""),
        ("70", "+5", "better"),
    ]
    assert (rows["EQ VAS (health today)"][1].change, rows["EQ VAS (health today)"][1].direction) == ("−20", "worse")
    assert rows["HSUV"][0].text == "0.685"  # the Japanese value of 21232
    assert rows["HSUV"][1].change == "±0.000"
    assert "Thoracic" in text(response)
    assert "Outcomes are being computed" in text(response)


def test_opening_identifiers_is_on_record(enrolled, alice, as_person, browse):
    patient = enrolled(alice)
    response = browse(alice).get(f"/patients/{patient.pk}/identifiers/")
    assert 'value="1955-04-03"' in response.content.decode()
    with as_person(alice):
        events = AuditEvent.objects.filter(action="identifiers_viewed", row_id=patient.pk, user_id=alice.pk)
        assert events.count() == 1


def test_identifiers_are_corrected_by_the_site(enrolled, alice, as_person, browse):
    patient = enrolled(alice)
    url = f"/patients/{patient.pk}/identifiers/"
    bad = browse(alice).post(url, {"birth_date": "2027-01-01", "hospital_number": "7", "initials": ""})
    assert bad.status_code == 422
    good = browse(alice).post(url, {"birth_date": "1955-04-04", "hospital_number": "7", "initials": ""})
    assert good.status_code == 302
    with as_person(alice):
        assert identity.read(patient)["hospital_number"] == "7"
        assert identity.read(patient)["birth_date"].isoformat() == "1955-04-04"


def test_the_start_page_says_what_waits(enrolled, alice, bob, as_person, browse, text):
    patient = enrolled(alice)
    with as_person(alice):
        Patient.objects.filter(pk=patient.pk).update(surgery_date="2026-01-15")
    response = browse(alice).get("/")
    assert response.context["sites"]["total"]["enrolled"] == 1
    assert patient.pk in text(response)
    central = browse(bob).get("/")
    assert [line["enrolled"] for line in central.context["sites"]["lines"]] == [1, 0]
    assert patient.pk not in text(central)
