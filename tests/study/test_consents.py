"""Consents: versions that ask again, parts that are withdrawn, and the files beside them."""

import datetime as dt
import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts
from registry.exports.data import tables
from registry.models import Attachment, Consent, ConsentWithdrawal, Patient, PatientLink
from registry.services.attachments import files
from registry.services.entry import entered_in_error, patient_links
from registry.services.files import snapshots
from registry.services.files.data_use import of_use_to
from registry.services.files.file_formats import PATIENTS
from registry.services.follow_up import ends
from registry.services.operations import erasure, record_replay
from registry.services.protocol import setup
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.records import identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.services.study import consents
from registry.web.study import documents
from sites.models import AuditEvent
from tests.conftest import TODAY
from tests.privacy.conftest import END
from tests.web.patients.test_patients import ENROLMENT

VERSIONS = """1.0 | Of 2025 | 2025年版
1.1 | Of May 2026 | 2026年5月版 | 2026-05-01 | again | en, ja
1.2 | A misprint mended | 誤記修正 | 2026-05-20"""
SIGNED = {"agreed_version": "1.0", "agreed_on": "2026-01-10", "agreed_language": "ja", "agreed_taken_by": "Dr Abe"}
PDF = b"%PDF-1.7 signed by Hanako"


@pytest.fixture
def versions(ada, as_person):
    with as_person(ada) as access:
        setup.save_about(access=access, about={"consent": documents.consents_in(VERSIONS)}, note="three versions")


@pytest.fixture
def patient(versions, enrolled, alice):
    return enrolled(alice)  # consented on 10 January 2026


@pytest.fixture
def standing(patient, alice, as_person):
    """`standing()` is how the patient's consent stands today."""

    def read(today=TODAY):
        with as_person(alice):
            return consents.standing(Patient.objects.get(pk=patient.pk), today, ended=False)

    return read


@pytest.fixture
def withdrawn(patient, alice, as_person):
    def withdraw(part):
        with as_person(alice) as access:
            raw = {"withdrawn_part": part, "withdrawn_on": "2026-05-01"}
            return consents.withdraw(access=access, patient=patient, raw=raw, today=TODAY)

    return withdraw


def test_versions_are_lines_and_back():
    read = documents.consents_in(VERSIONS)
    assert read[1] == {
        "code": "1.1", "label": {"en": "Of May 2026", "ja": "2026年5月版"}, "since": "2026-05-01", "again": True,
        "languages": ["en", "ja"],
    }  # fmt: skip
    assert documents.consents_text(read) == VERSIONS


@pytest.mark.parametrize("line", ["1 | A | あ | May", "1 | A | あ | 2026-05-01 | perhaps", "1 | A | あ | | | klingon"])
def test_a_version_that_makes_no_sense_is_named(line, ada, as_person):
    with as_person(ada) as access, pytest.raises(InvalidDefinition) as refused:
        setup.save_about(access=access, about={"consent": documents.consents_in(line)}, note="x")
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [(1, "consent")]


def test_a_version_that_asks_again_is_due_until_it_or_a_newer_one_is_signed(standing, patient, alice, as_person):
    assert standing(dt.date(2026, 4, 30)).due is None
    assert standing().due.code == "1.1"
    with as_person(alice) as access:
        assert consents.due([patient.site_id], TODAY, 5)[1] == [patient.pk]
        consents.record(access=access, patient=patient, raw=SIGNED, today=TODAY)
    assert standing().due.code == "1.1"
    with as_person(alice) as access:
        newest = SIGNED | {"agreed_version": "1.2", "agreed_on": "2026-05-25"}
        consents.record(access=access, patient=patient, raw=newest, today=TODAY)
        assert consents.due([patient.site_id], TODAY, 5)[1] == []
    assert standing().due is None


def test_nobody_is_asked_who_left_or_first_consented_since(patient, enrolled, alice, as_person):
    late = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-05-02"}
    with as_person(alice) as access:
        ends.end_follow_up(access=access, patient=patient, raw=END, today=TODAY)
        since = Patient.objects.create(
            patient_id="N01-0777", site_id=patient.site_id, sex=late["sex"], consent_date=late["consent_date"]
        )
        since.refresh_from_db()
        assert consents.due([patient.site_id], TODAY, 5)[1] == []
        assert consents.standing(since, TODAY, ended=False).due is None


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({"agreed_version": "9"}, "agreed_version"),
        ({"agreed_version": ""}, "agreed_version"),
        ({"agreed_version": "1.1", "agreed_on": "2026-04-30"}, "agreed_on"),
        ({"agreed_on": "2025-12-31"}, "agreed_on"),
        ({"agreed_on": "2026-06-02"}, "agreed_on"),
        ({"agreed_taken_by": " "}, "agreed_taken_by"),
        ({"agreed_language": "fr"}, "agreed_language"),
    ],
)
def test_a_consent_that_cannot_be_is_refused_by_name(raw, fault, patient, alice, as_person):
    with as_person(alice) as access, pytest.raises(InvalidAnswers) as refused:
        consents.record(access=access, patient=patient, raw=SIGNED | raw, today=TODAY)
    assert list(refused.value.errors) == [fault]


def test_a_consent_is_corrected_with_a_reason_and_is_recorded_once(patient, alice, charlie, as_person):
    with as_person(alice) as access:
        row = consents.record(access=access, patient=patient, raw=SIGNED, today=TODAY)
        with pytest.raises(InvalidAnswers):
            consents.record(access=access, patient=patient, raw=SIGNED, today=TODAY)
        asked = {"access": access, "patient": patient, "row": row, "raw": SIGNED | {"agreed_language": "en"}}
        with pytest.raises(ReasonRequired):
            consents.correct(version=1, reason="", today=TODAY, **asked)
        with pytest.raises(Conflict):
            consents.correct(version=2, reason="misread", today=TODAY, **asked)
        consents.correct(version=1, reason="misread", today=TODAY, **asked)
        event = AuditEvent.objects.filter(table_name="registry_consent").latest("pk")
        assert (event.reason, event.new["agreed_language"]) == ("misread", "en")
        with pytest.raises(DatabaseError), transaction.atomic():
            row.delete()
    with as_person(charlie):
        assert not Consent.objects.exists()


def test_without_further_contact_there_is_no_link(patient, withdrawn, alice, as_person):
    asked = {"patient": patient, "timepoint": "1m", "language": "en", "respondent": "self", "valid": "1d"}
    with as_person(alice) as access:
        link, _token = patient_links.create(access=access, **asked)
    row = withdrawn("contact")
    with as_person(alice) as access:
        link.refresh_from_db()
        assert link.revoked_at is not None
        with pytest.raises(patient_links.ContactWithdrawn):
            patient_links.create(access=access, **asked)
        with pytest.raises(DatabaseError, match="no further contact"), transaction.atomic():
            PatientLink.objects.create(
                patient=patient, site_id=patient.site_id, timepoint="3m", token_hash="0" * 64, language="en",
                respondent="self", created_by_id=access.user_id, expires_at=link.expires_at,
            )  # fmt: skip
        consents.correct_withdrawal(access=access, row=row, reason="it was another patient")
        assert patient_links.create(access=access, **asked)


def counted(as_system):
    with as_system():
        flow = cohorts.select(cohorts.ALL, frames.read(())).flow
        selection = tables.Selection(tuple(Patient.objects.values_list("site_id", flat=True)))
        return flow[-1]["n"], [step["step"] for step in flow[1:]], tables.count(PATIENTS, selection)


def test_without_use_of_the_data_the_patient_is_in_nothing_made_later(
    patient, withdrawn, bob, alice, as_person, as_system
):
    assert counted(as_system) == (1, [], 1)
    row = withdrawn("data_use")
    n, steps, exported = counted(as_system)
    assert (n, exported) == (0, 0) and len(steps) == 1
    with as_person(bob) as access:
        assert not of_use_to(access, Patient.objects.all(), patient="").exists()
    with as_person(alice) as access:
        assert of_use_to(access, Patient.objects.all(), patient="").exists()  # the own site keeps the record
        with pytest.raises(InvalidAnswers):
            again = {"withdrawn_part": "data_use", "withdrawn_on": "2026-05-01"}
            consents.withdraw(access=access, patient=patient, raw=again, today=TODAY)
        with pytest.raises(ReasonRequired):
            consents.correct_withdrawal(access=access, row=row, reason=" ")
        consents.correct_withdrawal(access=access, row=row, reason="misheard")
        with pytest.raises(Conflict):
            consents.correct_withdrawal(access=access, row=row, reason="twice")
    assert counted(as_system) == (1, [], 1)


@pytest.mark.parametrize("change", ["withdrawn_on = '2026-01-11'", "correction = 'x'", "withdrawn_part = 'contact'"])
def test_a_withdrawal_stays_as_it_was_recorded(change, withdrawn, alice, as_person):
    row = withdrawn("data_use")
    with as_person(alice), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE registry_consentwithdrawal SET {change} WHERE id = %s", [row.pk])
    with as_person(alice):
        assert ConsentWithdrawal.objects.get().withdrawn_part == "data_use"


def test_consent_goes_with_a_patient_who_was_entered_in_error(patient, withdrawn, alice, as_person, as_system):
    withdrawn("contact")
    with as_person(alice) as access:
        consents.record(access=access, patient=patient, raw=SIGNED, today=TODAY)
        files.attach(access=access, patient=patient, name="a.pdf", content=PDF, kind="consent", form="consent")
        row = Patient.objects.get(pk=patient.pk)
        entry = entered_in_error.mark(access=access, row=row, version=row.version, reason="wrong person")
        assert not any(model.objects.exists() for model in (Consent, ConsentWithdrawal, Attachment))
        entered_in_error.take_back(access=access, entry=entry, reason="right person")
        assert all(model.objects.exists() for model in (Consent, ConsentWithdrawal, Attachment))
    with as_system():
        assert [cell for _table, _rows, cells in record_replay.verify() for cell in cells] == []


def test_the_consent_is_asked_at_enrolment(versions, browse, alice, as_person, text):
    client = browse(alice)
    assert "Version of the form" in text(client.get(reverse("enrol")))
    taken = {"agreed_version": "1.0", "agreed_language": "ja", "agreed_taken_by": "Dr Abe"}
    refused = client.post(reverse("enrol"), ENROLMENT | taken | {"agreed_version": "1.1"})
    assert refused.status_code == 422 and "before this version was in force" in text(refused)
    lacking = client.post(reverse("enrol"), ENROLMENT | taken | {"agreed_taken_by": ""})
    assert lacking.status_code == 422
    assert client.post(reverse("enrol"), ENROLMENT | taken).status_code == 302
    with as_person(alice):
        assert Consent.objects.get().agreed_taken_by == "Dr Abe" and Patient.objects.count() == 1


def test_exports_and_the_api_have_consents_without_who_took_them(
    patient, withdrawn, alice, charlie, client, as_person, tmp_path
):
    with as_person(alice) as access:
        consents.record(access=access, patient=patient, raw=SIGNED, today=TODAY)
    withdrawn("contact")
    for who, signed, left in ((alice, [("1.0", "2026-01-10")], ["contact"]), (charlie, [], [])):
        client.force_login(who)
        items = client.get("/api/v1/consents?agreed_language=ja").json()["items"]
        assert [(item["agreed_version"], item["agreed_on"]) for item in items] == signed and "Dr Abe" not in str(items)
        parts = client.get("/api/v1/consent-withdrawals").json()["items"]
        assert [part["withdrawn_part"] for part in parts] == left
    snapshot = snapshots.freeze(access=None, label="Consents")
    assert "agreed_taken_by" not in str(snapshot.columns) and "recorded_by_id" not in str(snapshot.columns)
    call_command("export_data", tmp_path / "x.zip", snapshot="Consents", stdout=io.StringIO())
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        rows = archive.read("data/consents.csv").decode().splitlines()
        assert rows == ["patient_id,agreed_version,agreed_on,agreed_language", f"{patient.pk},1.0,2026-01-10,ja"]
        assert archive.read("data/consent_withdrawals.csv").decode().splitlines()[1:] == [
            f"{patient.pk},contact,2026-05-01"
        ]
        assert "Version of the form" in archive.read("codebook.csv").decode()


def test_pages_of_a_consent(patient, browse, alice, mona, text):
    client, page = browse(alice), reverse("consent", args=[patient.pk])
    assert "Version 1.1 of the consent form asks for consent again." in text(client.get(page))
    assert "asks for consent again" in text(client.get(reverse("patient", args=[patient.pk])))
    assert "Consent to be asked again" in text(client.get(reverse("home")))
    new = reverse("consent_new", args=[patient.pk])
    assert client.get(new).context["version_chosen"] == "1.1"
    assert client.post(new, SIGNED | {"agreed_version": "7"}).status_code == 422
    assert client.post(new, SIGNED | {"agreed_version": "1.1", "agreed_on": "2026-05-02"}).url == page
    assert "Dr Abe" in text(client.get(page)) and "asks for consent again" not in text(client.get(page))
    withdraw = {"withdrawn_part": "data_use", "withdrawn_on": "2026-05-03"}
    assert client.post(reverse("consent_withdraw", args=[patient.pk]), withdraw).url == page
    assert "Use of the data withdrawn" in text(client.get(reverse("patient", args=[patient.pk])))
    monitor = browse(mona)
    assert "Dr Abe" in text(monitor.get(page)) and monitor.get(new).status_code == 404
    history = text(client.get(reverse("history", args=[patient.pk])))
    assert "Taken by" in history and "What is withdrawn" in history


# Files


def test_a_file_is_kept_encrypted_and_comes_back_whole(patient, alice, as_person):
    with as_person(alice) as access:
        row = files.attach(access=access, patient=patient, name="C:\\scan of Hanako.PDF", content=PDF, kind="consent")
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, content FROM registry_attachment")
            stored = b"".join(map(bytes, cursor.fetchone()))
            cursor.execute(
                "SELECT coalesce(old::text, '') || coalesce(new::text, '') FROM study_sites_auditevent "
                "WHERE table_name = 'registry_attachment'"
            )
            trail = "".join(text for (text,) in cursor.fetchall())
        assert b"Hanako" not in stored and "Hanako" not in trail and "content" not in trail
        opened = files.opened(patient, Attachment.objects.get(pk=row.pk))
        assert (opened.name, opened.media_type, opened.content) == ("scan of Hanako.PDF", "application/pdf", PDF)
        cipher = identity.cipher_of(patient)
        with pytest.raises(identity.UnreadableIdentity):  # bound to its patient
            identity.unseal(cipher, row.content, "N01-9999.attachment.content")


@pytest.mark.parametrize(
    ("content", "kind", "form", "fault"),
    [
        (b"", "consent", "consent", "file"),
        (b"MZ\x90 not a PDF", "consent", "consent", "file"),
        (b"%PDF-" + b"0" * files.LARGEST, "consent", "consent", "file"),
        (PDF, "novel", "consent", "kind"),
        (PDF, "consent", "wall", "form"),
    ],
)
def test_what_is_not_taken_is_named(content, kind, form, fault, patient, alice, as_person):
    with as_person(alice) as access, pytest.raises(InvalidAnswers) as refused:
        files.attach(access=access, patient=patient, name="x.pdf", content=content, kind=kind, form=form)
    assert list(refused.value.errors) == [fault]


def test_all_files_of_a_patient_are_bounded(patient, alice, as_person, monkeypatch):
    monkeypatch.setattr(files, "MOST", 2 * len(PDF))
    with as_person(alice) as access:
        asked = {"access": access, "patient": patient, "name": "x.pdf", "content": PDF, "kind": "report"}
        files.attach(**asked)
        files.attach(**asked)
        with pytest.raises(InvalidAnswers, match="100 MB"):
            files.attach(**asked)


def test_a_file_is_removed_and_never_changed(patient, alice, as_person):
    with as_person(alice) as access:
        row = files.attach(access=access, patient=patient, name="x.pdf", content=PDF, kind="report")
        with pytest.raises(DatabaseError), transaction.atomic():
            Attachment.objects.filter(pk=row.pk).update(content=b"other")
        files.remove(access=access, row=row, reason="another patient's")
        stored = Attachment.objects.get(pk=row.pk)
        assert stored.content is None and stored.removed_reason == "another patient's"
        with pytest.raises(DatabaseError), transaction.atomic():
            Attachment.objects.filter(pk=row.pk).update(removed_reason="none")
        assert not Attachment.objects.filter(pk=row.pk).delete()[0] and Attachment.objects.exists()


def test_files_are_for_the_sites_own_people_and_go_with_the_identifiers(
    patient, alice, charlie, dana, mona, as_person, as_system
):
    with as_person(alice) as access:
        files.attach(access=access, patient=patient, name="x.pdf", content=PDF, kind="report")
        ends.end_follow_up(access=access, patient=patient, raw=END, today=TODAY)
    for outsider in (charlie, dana, mona):
        with as_person(outsider):
            assert not Attachment.objects.exists()
    with as_person(dana) as access:
        row = erasure.erase(
            access=access, patient=patient, extent="identifiers", typed=patient.pk, reason="letter of 3 May"
        )
        assert row.rows["registry_attachment"] == 1
    with as_system():
        assert not Attachment.objects.exists()
    with as_person(alice) as access, pytest.raises((InvalidAnswers, DatabaseError)):
        files.attach(access=access, patient=patient, name="x.pdf", content=PDF, kind="report")


def test_pages_of_files(patient, browse, alice, mona, text, as_person):
    client, page = browse(alice), reverse("attachments", args=[patient.pk])
    sent = {"kind": "consent", "place": "consent", "file": SimpleUploadedFile("signed.pdf", PDF)}
    assert client.post(page, sent).url == page
    assert "signed.pdf" in text(client.get(page))
    wrong = client.post(page, sent | {"file": SimpleUploadedFile("signed.pdf", b"MZ")})
    assert wrong.status_code == 422 and "no PDF, PNG or JPEG" in text(wrong)
    with as_person(alice):
        number = Attachment.objects.get().pk
    address = reverse("attachment", args=[patient.pk, number])
    answer = client.get(address)
    assert answer.content == PDF and answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    with as_person(alice):
        assert AuditEvent.objects.filter(action="attachment_opened", row_id=str(number)).exists()
    assert browse(mona).get(page).status_code == browse(mona).get(address).status_code == 404
    remove = reverse("attachment_remove", args=[patient.pk, number])
    assert client.post(remove, {"reason": ""}).status_code == 422
    assert client.post(remove, {"reason": "twice"}).url == page
    assert client.get(address).status_code == 404 and "removed" in text(client.get(page))
