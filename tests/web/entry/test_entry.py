"""Entering, completing and correcting forms in the browser."""

import pytest
from django.urls import reverse

from registry.models import AdverseEvent, Assessment, Patient
from registry.services.entry.assessments import ITEMS
from sites.models import AuditEvent, Membership
from sites.tenancy.access import Role
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY


def test_every_item_of_every_instrument_is_on_the_form(alice, browse, url):
    html = browse(alice).get(url).content.decode()
    for item in ITEMS:
        assert f'name="{item.name}"' in html
        assert f'name="{item.name}_missing"' in html
    assert 'name="ecog_ps" value="5"' not in html  # a death is recorded in the follow-up


def test_ecog_5_is_refused_while_no_death_is_on_record(alice, browse, url, stored, text, as_person):
    sent = {"assessment_date": "2026-01-12", "ecog_ps": "5", "version": "", "save": ""}
    response = browse(alice).post(url, sent)
    assert response.status_code == 422
    assert "“dead” is only for a patient whose death is on record" in text(response)
    with as_person(alice):
        assert not Assessment.objects.exists()
        patient = Patient.objects.get()
        patient.vital_status, patient.death_date = "dead", patient.surgery_date
        patient.save()
    assert browse(alice).post(url, sent).status_code == 302
    assert stored().ecog_ps == 5


def test_a_draft_keeps_what_there_is(alice, browse, url, stored):
    response = browse(alice).post(url, {"assessment_date": "2026-01-12", "frankel": "C", "version": "", "save": ""})
    assert response.url == url
    row = stored()
    assert (row.state, row.frankel, row.ecog_ps, row.barthel_total) == ("draft", "C", None, None)


def test_a_complete_form_leads_back_to_the_patient(alice, browse, url, stored, patient):
    response = browse(alice).post(url, ASSESSMENT | {"complete": ""})
    assert response.url == f"/patients/{patient.pk}/"
    row = stored()
    assert (row.state, row.barthel_total, row.eq5d_state) == ("complete", 65, 21232)


def test_completing_lists_what_has_no_answer(alice, browse, url, as_person, text):
    unanswered = {name: value for name, value in ASSESSMENT.items() if not name.startswith("eq5d")}
    client = browse(alice)
    response = client.post(url, unanswered | {"complete": ""})
    assert response.status_code == 422
    assert "5 items have no answer yet" in text(response)
    assert '<a href="#field-eq5d_mobility">Mobility needs a value or a reason why there is none.</a>' in text(response)
    assert 'name="frankel" value="D" data-key="D" checked' in text(response)
    with as_person(alice):
        assert not Assessment.objects.exists()
    response = client.post(url, unanswered | {"complete": "", "eq5d5l_not_done": "refused"})
    assert response.status_code == 302
    with as_person(alice):
        assert Assessment.objects.get().missing["eq5d_mobility"] == "refused"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pain_vas_mm": "101"}, "Pain (VAS) must be a whole number from 0 to 100 mm; got “101”."),
        ({"pain_vas_mm": "5.5"}, "got “5.5”"),
        ({"eq_vas": "-1"}, "EQ VAS (health today) must be a whole number from 0 to 100; got “-1”."),
        ({"frankel": "F"}, "Frankel grade must be one of A, B, C, D, E; got “F”."),
        ({"assessment_date": ""}, "Date of assessment needs the day of the assessment."),
        ({"assessment_date": "12.1.2026"}, "Date of assessment must be a date written YYYY-MM-DD"),
        ({"assessment_date": "2999-01-01"}, "is in the future"),
        ({"pain_vas_mm_missing": "refused"}, "has a value and a reason for having none"),
    ],
)
def test_a_wrong_answer_is_said_and_kept(alice, browse, url, as_person, text, changes, message):
    client = browse(alice)
    response = client.post(url, ASSESSMENT | changes)
    assert response.status_code == 422
    assert message in text(response)
    ((name, value),) = changes.items()
    if name in ("pain_vas_mm", "eq_vas", "assessment_date"):
        assert f'value="{value}"' in text(response)
    with as_person(alice):
        assert not Assessment.objects.exists()
    assert client.post(url, ASSESSMENT).status_code == 302


def test_digits_of_a_japanese_keyboard_are_digits(alice, browse, url, stored):
    browse(alice).post(url, ASSESSMENT | {"pain_vas_mm": "４０"})
    assert stored().pain_vas_mm == 40


def test_a_correction_asks_why_and_is_on_record(alice, browse, url, stored, as_person, text, patient):
    client = browse(alice)
    client.post(url, ASSESSMENT | {"complete": ""})
    changed = ASSESSMENT | {"version": str(stored().version), "frankel": "E", "save": ""}
    response = client.post(url, changed)
    assert response.status_code == 422
    assert "This form is complete. Say why it is corrected." in text(response)
    assert stored().frankel == "D"
    assert client.post(url, changed | {"reason": "misread the chart"}).status_code == 302
    assert (stored().frankel, stored().state) == ("E", "complete")
    with as_person(alice):
        event = AuditEvent.objects.filter(table_name="registry_assessment", action="update").get()
        assert (event.old["frankel"], event.new["frankel"], event.reason) == ("D", "E", "misread the chart")
    page = text(client.get(f"/patients/{patient.pk}/history/?record=preop"))
    assert "D motor useful" in page
    assert "E normal" in page
    assert "misread the chart" in page


def test_who_saved_second_sees_both_answers(alice, ivo, browse, url, stored, text):
    browse(alice).post(url, {"assessment_date": "2026-01-12", "frankel": "C", "version": ""})
    version = str(stored().version)
    browse(ivo).post(url, {"assessment_date": "2026-01-12", "frankel": "D", "version": version})
    response = browse(alice).post(url, {"assessment_date": "2026-01-12", "frankel": "B", "version": version})
    assert response.status_code == 409
    assert stored().frankel == "D"
    asked = response.context["conflict"].asked
    assert [
        (disagreement.name, disagreement.theirs, disagreement.mine, disagreement.who) for disagreement in asked
    ] == [("frankel", "D motor useful", "B sensory only", "Ivo")]
    assert "Ivo saved this form" in text(response)
    seen = str(stored().version)
    answers = {"assessment_date": "2026-01-12", "frankel": "B", "version": version, "seen": seen}
    assert browse(alice).post(url, answers).status_code == 409  # which one was not said
    assert stored().frankel == "D"
    browse(alice).post(url, answers | {"keep-frankel": "mine"})
    assert stored().frankel == "B"


def test_two_people_who_begin_the_same_form_meet(alice, ivo, browse, url, stored):
    browse(alice).post(url, {"assessment_date": "2026-01-12", "frankel": "C", "version": ""})
    response = browse(ivo).post(url, {"assessment_date": "2026-01-12", "frankel": "D", "version": ""})
    assert response.status_code == 409
    assert stored().frankel == "C"


@pytest.mark.parametrize("button", ["save", "complete"])
def test_a_double_click_stores_once(alice, browse, url, stored, as_person, button):
    client, form = browse(alice), ASSESSMENT | {button: ""}
    assert client.post(url, form).status_code == client.post(url, form).status_code == 302
    assert stored().version == 1
    with as_person(alice):
        assert AuditEvent.objects.filter(table_name="registry_assessment").count() == 1


def test_completing_what_someone_else_saved_alike_completes_it(alice, ivo, browse, url, stored):
    browse(ivo).post(url, ASSESSMENT | {"save": ""})
    assert browse(alice).post(url, ASSESSMENT | {"complete": ""}).status_code == 302
    assert stored().state == "complete"


def test_answers_that_hardly_go_together_are_asked_about_once(alice, browse, url, stored, text, as_person):
    client = browse(alice)
    unlikely = ASSESSMENT | {"frankel": "A", "barthel_mobility": "15", "complete": ""}
    response = client.post(url, unlikely)
    assert response.status_code == 422
    assert text(response).count("Frankel A or B, yet walks independently") == 3  # on top, beside the field, for readers
    with as_person(alice):
        assert not Assessment.objects.exists()
    client.post(url, unlikely | {"asked": [doubt.key for doubt in response.context["doubts"]]})
    assert stored().state == "complete"
    page = client.get(url)
    assert "1 query about this form" in text(page)
    fine = client.get(url.replace("preop", "1m"))
    assert "yet walks independently" not in text(fine)


def test_the_answer_of_the_visit_before_is_marked(alice, browse, url):
    client = browse(alice)
    client.post(url, ASSESSMENT | {"complete": ""})
    question = client.get(url.replace("preop", "1m")).context["sections"][0].questions[0]
    assert [option.code for option in question.options if option.previous] == ["D"]
    assert not any(option.checked for option in question.options)


def test_a_reader_sees_the_form_and_cannot_change_it(alice, mona, browse, url):
    browse(alice).post(url, ASSESSMENT | {"complete": ""})
    response = browse(mona).get(url)
    assert response.context["read_only"]
    assert b"Save the correction" not in response.content
    assert b"Save the correction" in browse(alice).get(url).content


def test_the_own_forms_of_a_patient(alice, browse, patient, stored):
    client = browse(alice)
    base = f"/patients/{patient.pk}/"
    version = str(patient.version)
    assert client.post(base + "baseline/", BASELINE | {"version": version, "complete": ""}).status_code == 302
    row = stored(Patient)
    assert (row.baseline_state, row.sins_total, row.sins_class, row.segment_group) == (
        "complete",
        9,
        "potentially_unstable",
        "thoracic",
    )
    response = client.post(base + "surgery/", SURGERY | {"version": str(row.version), "complete": ""})
    assert response.status_code == 302
    row = stored(Patient)
    assert (row.surgery_state, row.age_at_surgery, row.baseline_state) == ("complete", 70, "complete")
    follow_up = {"last_contact_date": "2026-04-01", "vital_status": "dead", "death_date": "2026-04-01"}
    assert client.post(base + "follow-up/", follow_up | {"version": str(row.version)}).status_code == 302
    assert stored(Patient).vital_status == "dead"


@pytest.mark.parametrize(
    ("page", "sent", "message"),
    [
        ("surgery", SURGERY | {"surgery_date": "2026-01-09"}, "Date of surgery must not be before date of consent"),
        ("surgery", SURGERY | {"blood_loss_ml": "523.2.1"}, "Blood loss must be a whole number from 0 to 50000 mL"),
        ("surgery", SURGERY | {"operative_time_min": "0"}, "Operative time must be a whole number from 1 to 2880 min"),
        (
            "follow-up",
            {"last_contact_date": "2026-04-01", "vital_status": "alive", "death_date": "2026-04-01"},
            "Date of death is only for vital status “dead”",
        ),
        ("baseline", BASELINE | {"sins_pain": "2"}, "Pain must be one of 0, 1, 3"),
    ],
)
def test_hard_checks_stop_a_form(alice, browse, patient, stored, text, page, sent, message):
    response = browse(alice).post(f"/patients/{patient.pk}/{page}/", sent | {"version": "1", "complete": ""})
    assert response.status_code == 422
    assert message in text(response)
    assert stored(Patient).version == patient.version


def test_every_fault_is_named_at_once_and_with_what_it_is_held_against(alice, browse, patient, stored, text):
    client, url = browse(alice), f"/patients/{patient.pk}/surgery/"
    wrong = SURGERY | {"surgery_date": "2026-01-09", "blood_loss_ml": "523.2.1", "version": str(patient.version)}
    page = text(client.post(url, wrong | {"complete": ""}))
    assert "Blood loss must be a whole number" in page
    assert "Date of surgery must not be before date of consent (10 Jan 2026)" in page
    client.post(url, SURGERY | {"version": str(patient.version), "complete": ""})
    page = text(client.post(url, wrong | {"version": str(stored(Patient).version)}))
    for phrase in ("Blood loss must be", "must not be before date of consent", "Say why it is corrected"):
        assert phrase in page


def test_enrolment_names_every_fault_at_once(alice, north, south, browse, text):
    Membership.objects.create(user=alice, role=Role.COORDINATOR, site=south, starts_on="2018-01-01")
    sent = {"birth_date": "2020-01-01", "consent_date": "2026-13-01", "hospital_number": "12\u200b3"}
    page = text(browse(alice).post(reverse("enrol"), sent))
    for phrase in ("Choose the site.", "Confirm this", "Sex is needed", "Date of consent", "Hospital number"):
        assert phrase in page
    assert 'id="error-hospital_number"' in page


def test_a_completed_surgery_changes_with_a_reason_only(alice, browse, patient, stored):
    client, url = browse(alice), f"/patients/{patient.pk}/surgery/"
    client.post(url, SURGERY | {"version": str(patient.version), "complete": ""})
    changed = SURGERY | {"blood_loss_ml": "350", "version": str(stored(Patient).version)}
    assert client.post(url, changed).status_code == 422
    assert client.post(url, changed | {"reason": "typing error"}).status_code == 302
    assert stored(Patient).blood_loss_ml == 350
    emptied = changed | {"blood_loss_ml": "", "reason": "wrong chart", "version": str(stored(Patient).version)}
    assert client.post(url, emptied).status_code == 422


def test_adverse_events(alice, browse, patient, stored, as_person):
    client, url = browse(alice), f"/patients/{patient.pk}/adverse-events/new/"
    event = {"kind": "pneumonia", "onset_date": "2026-02-01", "clavien_dindo": "II", "detail": "", "version": ""}
    assert client.post(url, event | {"onset_date": ""}).status_code == 422
    assert client.post(url, event).status_code == 302
    assert client.post(url, event).status_code == 302  # the same form sent twice
    assert client.post(url, event | {"clavien_dindo": "V"}).status_code == 422
    row = stored(AdverseEvent)
    change = f"/patients/{patient.pk}/adverse-events/{row.pk}/"
    worse = event | {"clavien_dindo": "IVa", "version": str(row.version)}
    assert client.post(change, worse).status_code == 422
    assert client.post(change, worse | {"reason": "moved to intensive care"}).status_code == 302
    assert stored(AdverseEvent).clavien_dindo == "IVa"
    assert client.post(change, worse | {"clavien_dindo": "I", "reason": "x"}).status_code == 409


def test_the_value_set_is_the_declared_one(alice, browse):
    client = browse(alice)
    response = client.get("/value-sets/JP/1/")
    assert len(response.json()) == 3125
    assert response.json()["55555"] == -0.025449
    assert "immutable" in response["Cache-Control"]
    assert client.get("/value-sets/XX/1/").status_code == 404
    assert client.get("/value-sets/JP/0/").status_code == 404


@pytest.mark.parametrize(
    ("levels", "group"),
    [
        ("C7", "Cervical"),
        ("T4&lesion_levels=T5", "Thoracic"),
        ("T11", "TL/L/S"),
        ("C1&lesion_levels=L1", "Multisegment"),
    ],
)
def test_the_segment_group_is_said_while_levels_are_ticked(alice, browse, text, levels, group):
    assert f"<strong>{group}</strong>" in text(browse(alice).get(f"/segment-group/?lesion_levels={levels}"))


def test_without_a_script_a_form_says_what_follows_from_its_fields_and_stores_nothing(alice, browse, patient, stored):
    client, address = browse(alice), f"/patients/{patient.pk}/baseline/"
    assert b'<noscript><button class="btn btn-outline-secondary" name="work_out">' in client.get(address).content
    page = client.post(address, BASELINE | {"version": str(patient.version), "work_out": ""})
    assert page.status_code == 200
    said = [line["text"] for card in page.context["sections"] for line in card.worked_out]
    assert said[0] == "Thoracic"
    assert "9 of 18" in said
    assert b"Worked out; nothing is saved yet" in page.content
    assert page.context["version"] == patient.version
    row = stored(Patient)
    assert (row.baseline_state, row.segment_group, row.version) == (patient.baseline_state, "unknown", patient.version)
    left = client.post(address, {"lesion_levels": ["T4", "L5"], "version": str(patient.version), "work_out": ""})
    assert b"the vertebrae are not neighbours" in left.content  # beside the levels, too
    assert browse(alice).post(address, BASELINE | {"version": str(patient.version), "save": ""}).status_code == 302


def test_a_reader_cannot_have_a_form_worked_out(alice, mona, browse, patient):
    assert browse(mona).post(f"/patients/{patient.pk}/baseline/", {"work_out": ""}).status_code == 403


def test_a_form_that_does_not_say_what_it_has_seen_overwrites_nothing(client, alice, enrolled, as_person):
    patient = enrolled(alice)
    client.force_login(alice)
    address = reverse("patient_follow_up", args=[patient.pk])
    blind = client.post(address, {"vital_status": "alive", "save": ""})
    assert blind.status_code == 409
    answers = {"vital_status": "alive", "last_contact_date": "2026-02-01", "version": patient.version, "save": ""}
    seen = client.post(address, answers)
    assert seen.status_code == 302
    with as_person(alice):
        assert Patient.objects.get(pk=patient.pk).vital_status == "alive"
