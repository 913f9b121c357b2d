"""The patient's page leads to what is missing, shows one's own drafts, and forms say who saved their answers."""

import datetime as dt

import pytest

from registry.models import Assessment, Patient, State
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.review import signing, verification
from registry.services.review.forms import form_row
from registry.services.review.queries import raise_query
from registry.services.review.soft_checks import Form
from tests.conftest import TODAY
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY

FINE = {name: value for name, value in ASSESSMENT.items() if name != "version"}


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice)


@pytest.fixture
def own_form(alice, patient, as_person):
    def saving(form, raw):
        with as_person(alice) as access:
            patients.save_form(access=access, patient=patient, form=form, raw=raw, complete=True, today=TODAY)

    return saving


@pytest.fixture
def preop(alice, patient, as_person):
    def saving(complete=True, **changes):
        with as_person(alice) as access:
            return save_assessment(
                access=access,
                patient=patient,
                timepoint="preop",
                raw=FINE | changes,
                complete=complete,
                version=None,
                today=TODAY,
            )

    return saving


def steps(client, patient):
    return [step.label for step in client.get(f"/patients/{patient.pk}/").context["steps"]]


def test_each_form_leads_to_the_next_that_is_missing(alice, browse, patient, own_form, preop, text):
    client = browse(alice)
    assert steps(client, patient) == ["Baseline", "Before surgery", "Surgery"]
    page = text(client.get(f"/patients/{patient.pk}/"))
    assert f'href="/patients/{patient.pk}/baseline/">Next: Baseline</a>' in page
    own_form("baseline", BASELINE | {"birth_date": "1955-04-03", "sins_pain": "1"})
    assert steps(client, patient)[0] == "Before surgery"
    preop()
    assert steps(client, patient) == ["Surgery"]
    own_form("surgery", SURGERY | {"surgery_date": str(TODAY - dt.timedelta(days=20))})
    assert "Surgery" not in steps(client, patient)


def test_after_enrolment_the_page_says_next_baseline(alice, browse, text):
    client = browse(alice)
    sent = {f"eligible_{name}": "on" for name in ("age", "surgery", "consent", "no_dementia")}
    sent |= {"sex": "female", "birth_date": "1950-02-03", "consent_date": "2026-01-10", "submission": "one"}
    assert "Next: Baseline" in text(client.post("/patients/new/", sent, follow=True))


def test_who_may_not_enter_is_led_nowhere(bob, browse, patient):
    assert steps(browse(bob), patient) == []


def test_a_draft_shows_on_its_author_s_page_alone(alice, ivo, browse, patient, text):
    client = browse(alice)
    sent = {"person": alice.pk, "version": "", "frankel": "C"}
    assert client.post(f"/patients/{patient.pk}/drafts/preop/", sent).status_code == 200
    assert text(client.get(f"/patients/{patient.pk}/")).count("Your draft") == 1
    assert "Your draft" not in text(browse(ivo).get(f"/patients/{patient.pk}/"))
    client.post(f"/patients/{patient.pk}/drafts/preop/", {"discard": ""})
    assert "Your draft" not in text(client.get(f"/patients/{patient.pk}/"))


def test_who_signs_or_verifies_has_not_saved_the_answers(alice, ivo, mona, browse, patient, own_form, preop, as_person):
    own_form("baseline", BASELINE | {"birth_date": "1955-04-03", "sins_pain": "1"})
    own_form("surgery", SURGERY)
    preop()
    url = f"/patients/{patient.pk}/assessments/preop/"
    before = browse(alice).get(url).context
    assert before["saved_by"] == alice.name
    with as_person(mona) as access:
        row = form_row(patient, Form("assessment", timepoint="preop"))
        verification.verify(access=access, form_row=row, columns=row.comparable)
    verified = browse(alice).get(url).context
    with as_person(ivo) as access:
        signing.sign(access=access, patient=patient)
        assert Assessment.objects.get(patient=patient).state == State.LOCKED
        assert Patient.objects.get(pk=patient.pk).updated_by_id == ivo.pk
    signed = browse(alice).get(url).context
    for context in (verified, signed):
        assert (context["saved_by"], context["saved_at"]) == (alice.name, before["saved_at"])
    own = browse(alice).get(f"/patients/{patient.pk}/surgery/").context
    assert own["saved_by"] == alice.name


def test_a_query_says_the_value_that_it_is_about(alice, mona, browse, patient, preop, as_person, text):
    preop(complete=False, frankel="C")
    with as_person(mona) as access:
        raise_query(
            access=access,
            patient=patient,
            form=Form("assessment", timepoint="preop"),
            field="frankel",
            text="Why?",
        )
    page = text(browse(alice).get(f"/patients/{patient.pk}/assessments/preop/"))
    said = page[page.index("Why?") :][:400]
    assert "Stored now" in said and "<strong>C " in said
