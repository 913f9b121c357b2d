"""Erasing a patient who withdrew consent: who may, what goes, what stays, and that nothing of it comes back."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from registry.exports import jobs
from registry.exports.choices import Choices
from registry.models import (
    AdverseEvent,
    Assessment,
    Change,
    Erasure,
    Export,
    FollowUpEnd,
    Identity,
    Patient,
    PatientLink,
    Query,
    QueryMessage,
    Signature,
    Utility,
)
from registry.services import outcomes
from registry.services.entry import patient_links
from registry.services.operations import erasure
from registry.services.records import drafts, identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import ReasonRequired
from registry.services.review import queries, signing
from registry.services.review.soft_checks import Form
from sites.audit import sealing
from sites.models import AuditEvent
from sites.tenancy.scope import because, everything
from tests.working import export_path

CLINICAL = (AdverseEvent, Assessment, Change, FollowUpEnd, Identity, Patient, Query, QueryMessage, Signature, Utility)


@pytest.fixture
def withdrawn(followed, withdraw, alice):
    patient = followed(alice)
    withdraw(alice, patient)
    return patient


@pytest.fixture
def erase(dana, as_person):
    """`erase(patient)` erases as Dana does; everything, unless told otherwise."""

    def act(patient, extent="everything", user=dana, **changes):
        asked = {"typed": patient.pk, "reason": "letter of 3 May"} | changes
        with as_person(user) as access, transaction.atomic():
            return erasure.erase(access=access, patient=patient, extent=extent, **asked)

    return act


def ciphertexts(patient):
    """What the trail has of a patient's date of birth, as bytes."""
    with everything():
        events = AuditEvent.objects.filter(table_name="registry_identity", row_id=patient.pk)
        cells = [(event.new or event.old)["birth_date"] for event in events if event.action in ("insert", "delete")]
    return [bytes.fromhex(cell.removeprefix("\\x")) for cell in cells]


def test_erasing_identifiers_leaves_the_record_and_makes_the_trail_unreadable(withdrawn, erase, stored):
    (row,) = stored(Identity)
    (before,) = ciphertexts(withdrawn)
    assert str(identity.opened(withdrawn.pk, row.key, {"birth_date": before})["birth_date"]) == "1955-04-03"
    done = erase(withdrawn, "identifiers")
    assert (done.rows, stored(Identity)) == ({"registry_identity": 1}, [])
    # The trail keeps ciphertext alone, and no key: neither in the clear nor encrypted.
    assert ciphertexts(withdrawn) == [before, before]
    assert all((row.new or row.old)["key"] == "***" for row in stored(AuditEvent, table_name="registry_identity"))
    assert len(stored(Assessment)) == len(stored(Patient)) == 1


def test_erasing_everything_removes_every_row_signed_ones_too(
    followed, withdraw, erase, stored, alice, ivo, mona, as_person
):
    withdrawn = followed(alice)
    with as_person(alice) as access:
        patient_links.create(
            access=access, patient=withdrawn, timepoint="1m", language="ja", respondent="self", valid="1d"
        )
    withdraw(alice, withdrawn)
    with as_person(alice) as access:
        drafts.keep(access=access, patient=withdrawn, form="1m", typed={"frankel": ["D"]}, version=None)
    with as_person(mona) as access:
        form = Form("assessment", "preop")
        asked = queries.raise_query(access=access, patient=withdrawn, form=form, text="Is it so?")
    with as_person(ivo) as access:
        signing.sign(access=access, patient=Patient.objects.get(pk=withdrawn.pk), acknowledged=[asked.pk])
    with everything(), transaction.atomic():
        outcomes.compute_utilities("JP", [withdrawn.pk])
        outcomes.compute_changes("JP", [withdrawn.pk])
    assert all(stored(model) for model in CLINICAL if model is not Change)  # one assessment changes from nothing
    done = erase(withdrawn)
    assert {model.__name__: stored(model) for model in CLINICAL} == {model.__name__: [] for model in CLINICAL}
    with everything(user_id=alice.pk), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid "
            "WHERE attname = 'patient_id' AND relkind = 'r' AND NOT attisdropped ORDER BY 1"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert {"registry_patient", "registry_draft", "registry_signature"} < set(tables)
        left = {}
        for table in tables:  # those too that nobody has thought of here
            cursor.execute(f"SELECT count(*) FROM {table} WHERE patient_id = %s", [withdrawn.pk])
            left[table] = cursor.fetchone()[0]
    assert {table for table, count in left.items() if count} == {"registry_erasure"}
    assert (done.rows["registry_patientlink"], stored(PatientLink)) == (1, [])
    assert done.rows["registry_assessment"] == done.rows["registry_patient"] == done.rows["registry_signature"] == 1


def test_the_trail_says_who_erased_when_and_why_and_still_verifies(withdrawn, erase, dana, stored):
    sealing.seal()
    erase(withdrawn)
    sealing.seal()
    (event,) = stored(AuditEvent, table_name="registry_erasure")
    assert (event.action, event.user_id, event.reason) == ("insert", dana.pk, "letter of 3 May")
    assert (event.site_id, event.new["patient_id"]) == (withdrawn.site_id, withdrawn.pk)
    assert sealing.verify().findings == []
    # Declared policy: what was recorded stays in the trail for the legal retention period.
    assert stored(AuditEvent, table_name="registry_assessment", action="delete")[0].old["frankel"] == "D"


def test_only_data_managers_erase(withdrawn, erase, alice, ivo, mona, bob, ada, dana, stored):
    for user in (alice, ivo, mona, bob, ada):
        with pytest.raises(PermissionDenied):
            erase(withdrawn, user=user)
    assert stored(Patient) == [withdrawn]
    assert erase(withdrawn, user=dana).erased_by_id == dana.pk


def test_nothing_is_erased_without_withdrawal_number_and_reason(followed, withdraw, alice, erase, stored):
    patient = followed(alice)
    for extent in Erasure.Extent.values:
        with pytest.raises(InvalidAnswers, match="not recorded"):
            erase(patient, extent)
    withdraw(alice, patient, end_data_use="keep")
    with pytest.raises(InvalidAnswers, match="may be kept"):
        erase(patient)
    for changes in ({"typed": "N01-0002"}, {"typed": ""}, {"extent": "nothing"}):
        with pytest.raises(InvalidAnswers):
            erase(patient, **({"extent": "identifiers"} | changes))
    with pytest.raises(ReasonRequired):
        erase(patient, "identifiers", reason=" ")
    assert stored(Erasure) == [] and len(stored(Identity)) == 1
    erase(patient, "identifiers")
    with pytest.raises(InvalidAnswers, match="before"):
        erase(patient, "identifiers")


def test_what_was_erased_does_not_come_back(withdrawn, erase, stored, enrolled, followed, withdraw, alice, as_system):
    erase(withdrawn)
    with as_system(reason="again"), pytest.raises(IntegrityError), transaction.atomic():
        Patient.objects.create(pk=withdrawn.pk, site_id=withdrawn.site_id)
    other = enrolled(alice)
    assert other.pk == "N01-0002"  # the number is not given again
    withdraw(alice, other)
    erase(other, "identifiers")
    with as_system(reason="again"):
        with pytest.raises(InvalidAnswers):
            identity.write(other, initials="AB")
        with pytest.raises(IntegrityError), transaction.atomic():
            Identity.objects.create(patient=other, site_id=other.site_id, **identity.sealed(other.pk, {}))
    assert stored(Identity) == []


def test_nobody_writes_or_changes_the_register_past_the_service(withdrawn, erase, alice, as_person, stored):
    row = {"patient_id": "N01-0009", "site_id": withdrawn.site_id, "extent": "everything", "reason": "none"}
    with as_person(alice), pytest.raises(ProgrammingError), transaction.atomic():
        Erasure.objects.create(**row)
    erase(withdrawn)
    with everything(), because("tidying"), transaction.atomic():
        assert Erasure.objects.update(reason="other") == 0
        assert Erasure.objects.all()._raw_delete("default") == 0
    assert [row.reason for row in stored(Erasure)] == ["letter of 3 May"]


def test_exports_that_may_hold_the_patient_are_taken_away(
    withdrawn, erase, dana, as_person, north, south, settings, tmp_path
):
    settings.EXPORT_FOLDER = tmp_path
    now = timezone.now()
    made = {"choices": {}, "requested_by": dana, "started_at": now, "expires_at": now + timedelta(days=7)}
    of_north, of_south = (
        Export.objects.create(site_ids=[site.pk], status=Export.Status.DONE, **made) for site in (north, south)
    )
    for export in (of_north, of_south):
        export_path(export).write_bytes(b"rows")
    assert jobs.expire() == 0
    erase(withdrawn)
    assert jobs.expire() == 1
    assert [export_path(export).exists() for export in (of_north, of_south)] == [False, True]
    of_north.refresh_from_db()
    assert of_north.status == Export.Status.EXPIRED
    with as_person(dana) as access:
        again = jobs.request(access=access, choices=Choices())
    assert jobs.perform(again.pk, reporting=False)
    again.refresh_from_db()
    assert (again.status, again.manifest["patients"]["erased"]) == ("done", 1)
    assert jobs.expire() == 0  # it was made without the patient
    assert export_path(again).exists()


def test_the_page_asks_twice_and_then_shows_the_register(withdrawn, browse, dana, alice, bob, stored, text):
    address = reverse("erase_patient", args=[withdrawn.pk])
    assert [browse(user).get(address).status_code for user in (alice, bob)] == [404, 404]
    client = browse(dana)
    assert address in text(client.get(reverse("patient", args=[withdrawn.pk])))
    assert "Type the patient's number" in text(client.get(address))
    sent = {"extent": "everything", "typed": withdrawn.pk, "reason": "letter of 3 May"}
    for wrong in ({"typed": "N01-0009"}, {"reason": ""}, {"extent": ""}):
        assert client.post(address, sent | wrong).status_code == 422
    assert stored(Patient) == [withdrawn]
    response = client.post(address, sent, follow=True)
    assert response.redirect_chain == [(reverse("erasures"), 302)]
    assert "letter of 3 May" in text(response) and stored(Patient) == []
    assert browse(alice).get(reverse("patient", args=[withdrawn.pk])).status_code == 404


def test_identifiers_that_are_gone_are_not_asked_for(withdrawn, browse, alice, erase, text):
    address = reverse("patient_identifiers", args=[withdrawn.pk])
    assert "1955-04-03" in text(browse(alice).get(address))
    erase(withdrawn, "identifiers")
    page = text(browse(alice).get(address))
    assert "1955-04-03" not in page and "were destroyed" in page
    assert browse(alice).post(address, {"birth_date": "1955-04-03", "reason": "again"}).status_code == 422


def test_the_command_erases_and_lists(withdrawn, stored, capsys):
    for wrong in ({"extent": "everything"}, {"confirm": withdrawn.pk}, {"extent": "everything", "reason": "x"}):
        with pytest.raises(CommandError):
            call_command("erase_patient", withdrawn.pk, **wrong)
    with pytest.raises(CommandError, match="no patient"):
        call_command("erase_patient", "N01-0009")
    call_command("erase_patient", withdrawn.pk, extent="everything", confirm=withdrawn.pk, reason="court order")
    assert stored(Patient) == []
    capsys.readouterr()
    call_command("erase_patient", register=True)
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{withdrawn.pk},everything,")
