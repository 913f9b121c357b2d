"""Recording and correcting assessments."""

import pytest
from django.core.exceptions import PermissionDenied

from registry.models import Assessment, Patient
from registry.services.entry.assessments import ITEMS, save_assessment
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from sites.models import AuditEvent
from sites.tenancy.access import access_of
from tests.conftest import TODAY

DATED = {"assessment_date": "2026-02-01"}


@pytest.fixture
def save(enrolled, alice, as_person):
    """Save alice's patient's preoperative assessment."""
    patient = enrolled(alice)

    def save_one(raw, **more):
        with as_person(alice) as access:
            return save_assessment(
                access=access, patient=patient, timepoint="preop", raw=raw, today=TODAY, **more
            )  # fmt: skip

    save_one.patient = patient
    return save_one


def reasons(*without):
    return {item.name: "too_ill" for item in ITEMS if item.name not in without}


def test_a_draft_grows_into_a_complete_form(save):
    draft = save(DATED | {"frankel": "C", "eq_vas": "55"})
    assert (draft.state, draft.frankel, draft.eq_vas, draft.barthel_total) == ("draft", "C", 55, None)
    done = save(DATED | {"frankel": "C"}, missing=reasons("frankel"), complete=True, version=draft.version)
    assert (done.state, done.eq_vas, done.missing["eq_vas"]) == ("complete", None, "too_ill")


def test_a_correction_needs_a_reason_and_stays_complete(save):
    done = save(DATED | {"frankel": "C"}, missing=reasons("frankel"), complete=True)
    with pytest.raises(ReasonRequired):
        save(DATED | {"frankel": "D"}, missing=reasons("frankel"), version=done.version)
    corrected = save(DATED | {"frankel": "D"}, missing=reasons("frankel"), version=done.version, reason="misread")
    assert (corrected.frankel, corrected.state) == ("D", "complete")
    with pytest.raises(InvalidAnswers, match="frankel: needs a value"):
        save(DATED, missing=reasons("frankel"), version=corrected.version, reason="emptied")


def test_every_fault_is_named_at_once_and_nothing_is_stored(save):
    with pytest.raises(InvalidAnswers) as caught:
        save(DATED | {"frankel": "F", "pain_vas_mm": "101", "barthel_feeding": "7", "eq_vas": "5.5", "ecog_ps": "1"})
    assert set(caught.value.errors) == {"frankel", "pain_vas_mm", "barthel_feeding", "eq_vas"}
    with pytest.raises(InvalidAnswers, match="needs the day"):
        save({"frankel": "A"})
    with pytest.raises(InvalidAnswers, match="has a value and a reason"):
        save(DATED | {"frankel": "A"}, missing={"frankel": "unknown"})
    with pytest.raises(InvalidAnswers, match="not a reason"):
        save(DATED, missing={"frankel": "lost"})
    save(DATED | {"frankel": "A"})


def test_two_people_do_not_overwrite_each_other(save):
    first = save(DATED | {"frankel": "A"})
    with pytest.raises(Conflict):  # a second person who began with an empty form
        save(DATED | {"frankel": "B"})
    second = save(DATED | {"frankel": "B"}, version=first.version)
    with pytest.raises(Conflict) as conflict:
        save(DATED | {"frankel": "C"}, version=first.version)
    assert conflict.value.current.frankel == second.frankel == "B"


def test_a_saved_record_has_what_the_database_stored(save, as_system, alice):
    """New and corrected: statements tell only the columns that they do not write themselves."""
    answered = {item.name: item.maximum if item.codes == () else item.form_choices[-1].code for item in ITEMS}
    row = save(DATED | answered, complete=True)
    assert (row.barthel_total, row.version, row.eq5d_state) == (100, 1, 55555)
    assert row.updated_at is not None
    assert row.updated_by_id == alice.pk
    assert _columns(row) == _columns(_stored(as_system))
    answered |= {"eq5d_mobility": "1", "assessment_date": "2026-02-03"}
    del answered["eq_vas"]
    more = {"missing": {"eq_vas": "too_ill"}, "version": row.version, "reason": "misread"}
    corrected = save(DATED | answered, **more)
    assert (corrected.eq_vas, corrected.version, corrected.eq5d_state) == (None, 2, 15555)
    assert _columns(corrected) == _columns(_stored(as_system))


def _stored(as_system):
    with as_system():
        return Assessment.objects.get()


def _columns(row):
    """{column: (type, value)}; a choice of Django's is a text."""
    values = {field.attname: getattr(row, field.attname) for field in Assessment._meta.concrete_fields}
    return {name: (str if isinstance(value, str) else type(value), value) for name, value in values.items()}


def test_a_signed_form_is_closed(save, as_system):
    done = save(DATED, missing=reasons(), complete=True)
    with as_system(reason="signed"):
        Assessment.objects.update(state="locked")
    with pytest.raises(Locked):
        save(DATED | {"frankel": "D"}, missing=reasons("frankel"), version=done.version + 1, reason="late")


@pytest.mark.parametrize("who", ["charlie", "bob", "mona", "ada"])
def test_only_the_sites_own_people_enter(save, request, who):
    with pytest.raises(PermissionDenied):
        save_assessment(
            access=access_of(request.getfixturevalue(who)), patient=save.patient, timepoint="preop", raw=DATED
        )  # fmt: skip


def test_a_reason_is_of_its_correction_alone(save, as_person, alice):
    """It is taken back before the transaction's next statement, or goes with the transaction."""
    done = save(DATED | {"frankel": "C"}, missing=reasons("frankel"), complete=True)
    with as_person(alice) as access:
        correction = {"version": done.version, "reason": "misread", "missing": reasons("frankel"), "today": TODAY}
        save_assessment(
            access=access, patient=save.patient, timepoint="preop", raw=DATED | {"frankel": "D"}, **correction
        )
        Patient.objects.update(sex="female")
    with as_person(alice):
        events = AuditEvent.objects.filter(action="update").order_by("pk")
        assert [(event.table_name, event.reason) for event in events][-2:] == [
            ("registry_assessment", "misread"),
            ("registry_patient", ""),
        ]
