"""Enrolling patients and correcting their forms."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection

from registry.models import AdverseEvent, Identity, Patient
from registry.services.entry import patients
from registry.services.records import identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from sites.tenancy.access import access_of
from tests.conftest import TODAY

CONSENTED = {"sex": "female", "birth_date": "1950-02-28", "consent_date": "2026-03-01"}
SURGERY = {"procedure": "psf", "surgery_date": "2026-03-10", "operative_time_min": "180", "blood_loss_ml": "250"}
BASELINE = {
    "primary_tumour": "breast", "lesion_levels": ["T1", "C7"],
    "tokuhashi_general_condition": 2, "tokuhashi_extraspinal_bone": 2, "tokuhashi_vertebral": 1,
    "tokuhashi_organs": 2, "tokuhashi_primary": 5, "tokuhashi_palsy": 2,
    "sins_location": 3, "sins_pain": 3, "sins_bone_lesion": 2, "sins_alignment": 0, "sins_collapse": 1,
    "sins_posterolateral": 0,
}  # fmt: skip


def errors_of(call, **arguments):
    with pytest.raises(InvalidAnswers) as caught:
        call(**arguments)
    return {name: [str(label) for label in labels] for name, labels in caught.value.errors.items()}


def test_patients_are_numbered_by_site(enrolled, alice, charlie):
    assert [enrolled(user).pk for user in (alice, alice, charlie)] == ["N01-0001", "N01-0002", "S01-0001"]


def test_numbers_go_on_past_four_digits(enrolled, alice, north, as_system):
    with as_system():
        Patient.objects.create(patient_id="N01-9999", site=north)
    assert [enrolled(alice).pk, enrolled(alice).pk] == ["N01-10000", "N01-10001"]


@pytest.mark.parametrize(
    ("changes", "item", "message"),
    [
        ({"birth_date": "2010-01-01"}, "birth_date", "this patient was 16"),
        ({"birth_date": "2026-05-01"}, "consent_date", "must be after"),
        ({"consent_date": "2026-07-01"}, "consent_date", "in the future"),
        ({"sex": "m"}, "sex", "must be one of male, female"),
        ({"sex": ""}, "sex", "needs a value"),
    ],
)
def test_who_is_not_eligible_is_not_enrolled(alice, north, as_person, changes, item, message):
    with as_person(alice) as access:
        errors = errors_of(
            patients.enrol, access=access, site=north, raw=CONSENTED | changes, consented=True, today=TODAY
        )
        assert message in errors[item][0]
        assert Patient.objects.count() == 0


def test_no_one_is_enrolled_without_consent(alice, north, as_person):
    with as_person(alice) as access:
        errors = errors_of(patients.enrol, access=access, site=north, raw=CONSENTED, consented=False, today=TODAY)
    assert errors == {"consent_date": ["A patient is enrolled only with consent."]}


@pytest.mark.parametrize("who", ["charlie", "bob", "mona", "ada"])
def test_only_the_sites_own_people_enrol(request, north, as_person, who):
    with as_person(request.getfixturevalue(who)) as access, pytest.raises(PermissionDenied):
        patients.enrol(access=access, site=north, raw=CONSENTED, consented=True)


def test_identifiers_are_encrypted_and_readable_at_the_site(alice, bob, north, as_person):
    with as_person(alice) as access:
        patient = patients.enrol(
            access=access, site=north, raw=CONSENTED, consented=True, hospital_number="HN-4711", initials="AB",
            today=TODAY,
        )  # fmt: skip
        assert identity.read(patient) == {
            "birth_date": dt.date(1950, 2, 28), "hospital_number": "HN-4711", "initials": "AB"
        }  # fmt: skip
        row = Identity.objects.get()
        assert b"4711" not in bytes(row.hospital_number)
        with connection.cursor() as cursor:
            cursor.execute("SELECT string_agg(new::text, ' ') FROM study_sites_auditevent")
            (trail,) = cursor.fetchone()
        assert "N01-0001" in trail
        assert "4711" not in trail and "1950" not in trail
    with as_person(bob):
        assert identity.read(patient) is None


def test_an_identifier_cannot_be_moved_to_another_patient(enrolled, alice, as_person):
    first, other = enrolled(alice), enrolled(alice, birth_date="1960-06-06")
    with as_person(alice):
        stolen = Identity.objects.get(pk=other.pk)
        Identity.objects.filter(pk=first.pk).update(key=stolen.key, birth_date=stolen.birth_date)
        with pytest.raises(identity.UnreadableIdentity):
            identity.read(first)
        assert identity.read(other)["birth_date"] == dt.date(1960, 6, 6)


def test_a_form_is_saved_completed_and_corrected_with_a_reason(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        save = lambda **more: patients.save_form(access=access, patient=patient, today=TODAY, **more)  # noqa: E731
        saved = save(form="baseline", raw={"primary_tumour": "lung"})
        assert (saved.baseline_state, saved.primary_tumour, saved.version) == ("draft", "lung", 2)
        saved = save(form="surgery", raw=SURGERY, complete=True)
        assert (saved.surgery_state, saved.age_at_surgery) == ("complete", 70)
        errors = errors_of(save, form="baseline", raw=BASELINE | {"sins_pain": ""}, complete=True)
        assert errors["sins_pain"] == ["needs a value or a reason why there is none"]
        everything = BASELINE | {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
        saved = save(form="baseline", raw=everything, complete=True)
        assert (saved.baseline_state, saved.segment_group, saved.sins_total, saved.tokuhashi_total) == (
            "complete", "cervical", 9, 14
        )  # fmt: skip
        with pytest.raises(ReasonRequired):
            save(form="baseline", raw={"sex": "female"})
        saved = save(form="baseline", raw={"sex": "female"}, reason="entered by mistake")
        assert saved.sex == "female"
        # The surgery form is its own: a change of follow-up needs no reason.
        assert save(form="follow_up", raw={"vital_status": "alive"}).vital_status == "alive"


def test_dates_must_be_in_order(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        errors = errors_of(
            patients.save_form, access=access, patient=patient, form="surgery",
            raw={"surgery_date": "2026-01-09"}, today=TODAY,
        )  # fmt: skip
        assert "must not be before" in errors["surgery_date"][0]
        patients.save_form(access=access, patient=patient, form="surgery", raw=SURGERY, today=TODAY)
        errors = errors_of(
            patients.save_form, access=access, patient=patient, form="follow_up",
            raw={"vital_status": "dead", "death_date": "2026-03-09"}, today=TODAY,
        )  # fmt: skip
        assert set(errors) == {"death_date"}


def test_two_people_do_not_overwrite_each_other(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        first = patients.save_form(
            access=access, patient=patient, form="baseline", raw={"primary_tumour": "lung"}, version=patient.version
        )
        with pytest.raises(Conflict) as conflict:
            patients.save_form(
                access=access, patient=patient, form="baseline", raw={"primary_tumour": "renal"},
                version=patient.version,
            )  # fmt: skip
        assert conflict.value.current.primary_tumour == "lung"
        saved = patients.save_form(
            access=access, patient=patient, form="baseline", raw={"primary_tumour": "renal"}, version=first.version
        )
        assert saved.primary_tumour == "renal"


def test_an_adverse_event_is_recorded_once(enrolled, alice, charlie, as_person):
    patient = enrolled(alice)
    raw = {"kind": "csf_leak", "onset_date": "2026-03-11"}
    with as_person(alice) as access:
        event = patients.save_adverse_event(access=access, patient=patient, raw=raw, today=TODAY)
        errors = errors_of(patients.save_adverse_event, access=access, patient=patient, raw=raw, today=TODAY)
        assert errors == {"kind": ["is already recorded on that day"]}
        corrected = patients.save_adverse_event(
            access=access, patient=patient, event=event, raw=raw | {"kind": "hematoma"}, reason="revised", today=TODAY
        )
        with pytest.raises(Conflict):  # two had it open
            patients.save_adverse_event(access=access, patient=patient, event=event, raw=raw, reason="no", today=TODAY)
        assert corrected.kind == "hematoma"
        with pytest.raises(ReasonRequired):
            patients.save_adverse_event(access=access, patient=patient, event=corrected, raw=raw, today=TODAY)
    with as_person(charlie), pytest.raises(PermissionDenied):
        patients.save_adverse_event(access=access_of(charlie), patient=patient, raw=raw, today=TODAY)
    with as_person(alice):
        assert AdverseEvent.objects.count() == 1
