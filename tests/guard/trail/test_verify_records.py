"""Whoever changes a record past the triggers is found out: the trail explains each cell, and a key binds signatures."""

import hashlib

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from registry.models import AdverseEvent, Assessment, Patient, Signature
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.operations import record_replay
from registry.services.review import signing
from registry.services.review.forms import forms_of
from sites import audit
from sites.models import Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import because, entered, everything
from tests.conftest import TODAY, person
from tests.guard.conftest import as_owner, enrol
from tests.review.conftest import FINE, TUMOUR_AGREES
from tests.web.conftest import BASELINE, SURGERY

MANY = 1000  # from here on the trail keeps the rows of one statement as text


@pytest.fixture
def north(committed):
    return Site.objects.create(code="N01", name="North")


@pytest.fixture
def signed(north):
    """A patient with signed, corrected, deleted and restored rows, among many that came at once."""
    coordinator, investigator = (person(role.value, role, north) for role in (Role.COORDINATOR, Role.INVESTIGATOR))
    patient = enrol(coordinator, north, TODAY)
    with entered(access_of(coordinator).scope()), transaction.atomic():
        asked = {"access": access_of(coordinator), "patient": patient, "today": TODAY, "complete": True}
        born = {"birth_date": "1955-04-03"}
        patients.save_form(form="baseline", raw=BASELINE | TUMOUR_AGREES | born, **asked)
        patients.save_form(form="surgery", raw=SURGERY, **asked)
        row = save_assessment(timepoint="preop", raw=FINE, **asked)
        save_assessment(
            timepoint="preop", raw=FINE | {"eq_vas": "61"}, version=row.version, reason="corrected", **asked
        )
        patients.save_adverse_event(
            access=asked["access"], patient=patient, raw={"kind": "pneumonia", "onset_date": "2026-02-01"}, today=TODAY
        )
        Patient.objects.bulk_create(Patient(patient_id=f"B{n}", site=north, sex="male") for n in range(MANY))
        Patient.objects.filter(patient_id__in=["B1", "B2"]).update(sex="female", missing={"procedure": "unknown"})
    with everything(reason="undone"), transaction.atomic():
        AdverseEvent.objects.all().delete()
        Patient.objects.filter(patient_id__in=["B2", "B3"]).delete()
        Patient.objects.create(patient_id="B3", site=north, sex="female")
    with entered(access_of(investigator).scope()), transaction.atomic():
        signing.sign(access=access_of(investigator), patient=Patient.objects.get(pk=patient.pk))
    return patient


def unexplained():
    return [(cell.table, cell.row, cell.what, cell.column) for _, _, cells in record_replay.verify() for cell in cells]


def past_the_triggers(table, statement):
    as_owner(f"ALTER TABLE {table} DISABLE TRIGGER USER", f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    try:
        as_owner(statement)
    finally:
        as_owner(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {table} ENABLE TRIGGER USER")


def only_assessment():
    with everything(), transaction.atomic():
        return Assessment.objects.get()


def test_what_people_and_bulk_loads_stored_is_explained(signed, capsys):
    assert unexplained() == []
    call_command("verify_records")
    output = capsys.readouterr().out
    assert "registry_patient: 1000 rows compared" in output and "Every record is what the audit trail says" in output


def test_each_cell_that_no_event_explains_is_named(signed, capsys):
    key = str(only_assessment().pk)
    past_the_triggers("registry_assessment", "UPDATE registry_assessment SET eq_vas = 12, frankel = 'A'")
    past_the_triggers(
        "registry_patient", "UPDATE registry_patient SET missing = '{\"procedure\": \"dead\"}' WHERE patient_id = 'B1'"
    )
    past_the_triggers("registry_patient", "DELETE FROM registry_patient WHERE patient_id = 'B7'")
    past_the_triggers(
        "registry_patient",
        "INSERT INTO registry_patient (patient_id, site_id) SELECT 'B2', id FROM study_sites_site",
    )
    past_the_triggers("registry_identity", "UPDATE registry_identity SET birth_date = '\\x00'")
    assert unexplained() == [
        ("registry_assessment", key, "cell", "eq_vas"),
        ("registry_assessment", key, "cell", "frankel"),
        ("registry_identity", signed.pk, "cell", "birth_date"),
        ("registry_patient", "B2", "row", ""),
        ("registry_patient", "B7", "gone", ""),
        ("registry_patient", "B1", "cell", "missing"),
    ]
    with pytest.raises(SystemExit):
        call_command("verify_records")
    output = capsys.readouterr().err
    assert f"registry_assessment {key}, eq_vas: is not what the trail says since" in output
    assert "6 rows or cells are not what the audit trail says" in output
    assert "12" not in output.replace(key, "").split("eq_vas:")[1].split(" since")[0]  # no values


def looked_at():
    with everything(), transaction.atomic():
        (signature,) = signing.checked(Patient.objects.get(pk=Signature.objects.get().patient_id))
        return signature.status, signature.fault


def recomputed_hash():
    """The plain SHA-256 of what is stored now, as anybody may compute it."""
    with everything(), transaction.atomic():
        signature = Signature.objects.get()
        forms = {form.form.code: form for form in forms_of(Patient.objects.get(pk=signature.patient_id))}
        return hashlib.sha256(signing.canonical(signature, [forms[form["form"]] for form in signature.forms]).encode())


def test_a_signature_does_not_follow_data_changed_by_the_owner(signed, capsys):
    assert looked_at() == ("valid", "")
    past_the_triggers("registry_assessment", "UPDATE registry_assessment SET eq_vas = 12")
    assert looked_at() == ("broken", "data")
    past_the_triggers("registry_signature", f"UPDATE registry_signature SET sha256 = '{recomputed_hash().hexdigest()}'")
    assert looked_at() == ("broken", "trail")
    # And the event that tells of its making: what is left is the key (and the seal of that event).
    as_owner(
        "ALTER TABLE study_sites_auditevent DISABLE ROW LEVEL SECURITY",
        f"UPDATE study_sites_auditevent SET new = jsonb_set(new, '{{sha256}}', '\"{recomputed_hash().hexdigest()}\"') "
        "WHERE table_name = 'registry_signature'",
        "ALTER TABLE study_sites_auditevent ENABLE ROW LEVEL SECURITY",
    )
    assert looked_at() == ("broken", "key")
    with pytest.raises(SystemExit):
        call_command("verify_signatures")
    assert "NOT MADE WITH THIS DEPLOYMENT'S KEY" in capsys.readouterr().err


def test_a_signature_stripped_of_its_key_does_not_pass_for_an_old_one(signed):
    past_the_triggers("registry_signature", "UPDATE registry_signature SET mac = ''")
    assert looked_at() == ("broken", "trail")
    past_the_triggers("registry_signature", "UPDATE registry_signature SET acknowledged = '[1]'")
    assert looked_at() == ("broken", "trail")


def test_a_rotated_key_still_holds(signed, settings):
    settings.FIELD_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=", *settings.FIELD_KEYS]
    assert looked_at() == ("valid", "")
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]
    assert looked_at() == ("broken", "key")


def test_who_can_run_sql_signs_nothing(signed, north):
    """As the application's role, with a scope of one's choosing, and without the key."""
    insert = (
        "INSERT INTO registry_signature (site_id, patient_id, signed_by_id, signed_at, name, meaning, forms, "
        "acknowledged, sha256, mac) SELECT site_id, patient_id, signed_by_id, now(), name, meaning, forms, '[]', "
        "sha256, {} FROM registry_signature"
    )
    with everything(user_id=who_signed()), transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(DatabaseError, match="bound to the deployment's key"), transaction.atomic():
            cursor.execute(insert.format("''"))
        cursor.execute(insert.format("repeat('0', 64)"))
        statuses = [
            (signature.status, signature.fault) for signature in signing.checked(Patient.objects.get(pk=signed.pk))
        ]
        transaction.set_rollback(True)
    assert statuses[0][0] == "broken"


def who_signed():
    with everything(), transaction.atomic():
        return Signature.objects.get().signed_by_id


@pytest.mark.parametrize("act", ["signed", "unlocked"])
def test_nobody_says_that_something_was_signed_or_unlocked(signed, act):
    with (
        everything(),
        pytest.raises(DatabaseError, match="by triggers only|no form was unlocked"),
        transaction.atomic(),
    ):
        audit.record(act, site_id=signed.site_id, table="registry_patient", row_id=signed.pk)
    with everything(), because("a typing error"), transaction.atomic():
        Assessment.objects.update(state="complete")
        audit.record("unlocked", site_id=signed.site_id, table="registry_patient", row_id=signed.pk)
