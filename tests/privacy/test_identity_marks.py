"""The blind index of identifiers: equal where they are, silent otherwise, and right whatever changed them."""

import base64
import datetime as dt

import pytest
from django.db import connection

from registry.models import Identity
from registry.services.entry import known_patients
from registry.services.operations import field_keys
from registry.services.records import identity
from registry.services.records.identity_marks import mark
from sites.models import AuditEvent

BORN = dt.date(1955, 4, 3)


@pytest.fixture
def patient(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice):
        identity.write(patient, hospital_number="H-4711", initials="Q.N.")
    return patient


def row_of(patient):
    return Identity.objects.get(pk=patient.pk)


def known(as_person, user, site, born=BORN, number=""):
    with as_person(user) as access:
        candidates = known_patients.alike(access=access, site=site, born=born, sex="male", hospital_number=number)
        return [(candidate.patient_id, candidate.by) for candidate in candidates]


def test_marks_are_keyed_by_field_and_fold_what_spelling_differs_by(settings):
    assert mark("initials", "Q. N.") == mark("initials", "qn") != mark("initials", "qm")
    assert mark("initials", "4711") != mark("hospital_number", "4711")
    assert mark("initials", "") is None
    before = mark("birth_date", BORN)
    settings.FIELD_KEYS = [base64.urlsafe_b64encode(bytes(32)).decode(), *settings.FIELD_KEYS]
    assert mark("birth_date", BORN) != before


def test_the_trail_and_no_other_site_have_a_mark(patient, as_person, alice, charlie):
    with as_person(alice):
        assert bytes(row_of(patient).birth_mark) == mark("birth_date", BORN)
        events = AuditEvent.objects.filter(table_name="registry_identity")
        assert events.exists()
        assert not [name for event in events for name in {**(event.old or {}), **(event.new or {})} if "mark" in name]
    with as_person(charlie):
        assert not Identity.objects.filter(birth_mark=mark("birth_date", BORN)).exists()


def test_an_identifier_that_changed_without_its_mark_is_found_all_the_same(patient, as_person, as_system, alice, north):
    with as_system(reason="restored"):
        values = identity.sealed(patient.pk, {"birth_date": dt.date(1960, 1, 2)})
        with connection.cursor() as cursor:  # as an import that is taken back does
            cursor.execute(
                "UPDATE registry_identity SET key = %s, birth_date = %s, hospital_number = NULL, initials = NULL",
                [values["key"], values["birth_date"]],
            )
        assert (row_of(patient).birth_mark, row_of(patient).marked_with) == (None, None)
    assert known(as_person, alice, north) == []
    assert known(as_person, alice, north, born=dt.date(1960, 1, 2)) == [(patient.pk, "birth_date")]
    with as_system():
        assert (identity.fill_marks(), identity.fill_marks()) == (1, 0)
    assert known(as_person, alice, north, born=dt.date(1960, 1, 2)) == [(patient.pk, "birth_date")]


def test_a_new_key_finds_everybody_before_and_after_rotation(patient, settings, as_person, as_system, alice, north):
    settings.FIELD_KEYS = [base64.urlsafe_b64encode(b"k" * 32).decode(), *settings.FIELD_KEYS]
    assert known(as_person, alice, north, number="h-4711") == [(patient.pk, "hospital_number")]
    with as_system(reason="rotation"):
        field_keys.rotate()
        assert bytes(row_of(patient).number_mark) == mark("hospital_number", "H-4711")
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]
    assert known(as_person, alice, north, number="h-4711") == [(patient.pk, "hospital_number")]
