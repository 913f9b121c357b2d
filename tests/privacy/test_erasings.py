"""Erasures as jobs: at once, by a worker after whoever holds the record, again, given up; all is committed."""

import time
from datetime import timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from registry import tasks
from registry.models import Erasing, Erasure, Patient
from registry.services import jobs
from registry.services.entry import patients
from registry.services.follow_up import ends
from registry.services.operations import erasings, erasure
from registry.services.records.cleaning import InvalidAnswers
from sites.models import AuditEvent, Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import TODAY, person
from tests.privacy.conftest import END


@pytest.fixture
def alice(committed):
    return person("Alice", Role.COORDINATOR, Site.objects.create(code="N01", name="North Hospital"))


@pytest.fixture
def dana(committed):
    return person("Dana", Role.DATA_MANAGER)


@pytest.fixture
def stored():
    """`stored(Model)` is every row there is."""

    def read(model):
        with everything(), transaction.atomic():
            return list(model.objects.order_by("pk"))

    return read


@pytest.fixture
def withdrawn(alice):
    access = access_of(alice)
    raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
    with entered(access.scope()), transaction.atomic():
        site = Site.objects.get(code="N01")
        patient = patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY)
        ends.end_follow_up(access=access, patient=patient, raw=END, today=TODAY)
    return patient


@pytest.fixture
def asked(dana):
    """`asked(patient)` asks for an erasure as Dana does; everything."""

    def act(patient):
        access = access_of(dana)
        with entered(access.scope()), transaction.atomic():
            about = {"extent": "everything", "typed": patient.pk, "reason": "letter of 3 May"}
            return tasks.erase_patient(access=access, patient=patient, **about)

    return act


def test_a_record_that_somebody_holds_is_erased_by_a_worker_afterwards(
    withdrawn, asked, dana, browse, stored, text, monkeypatch
):
    sent = []
    monkeypatch.setattr(tasks.run_erasing, "delay", sent.append)
    monkeypatch.setattr(erasings, "PATIENCE", "50ms")
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE registry_assessment IN SHARE MODE")  # as whoever freezes the registry does
        row = asked(withdrawn)
        assert (sent, stored(Patient), stored(Erasure)) == ([str(row.pk)], [withdrawn], [])
        with pytest.raises(InvalidAnswers) as again:
            asked(withdrawn)
        assert again.value.errors == {"extent": [erasings.BEING_ERASED]}
        page = text(browse(dana).get(reverse("erasures")))
        assert withdrawn.pk in page and "It is erased as soon as that has ended" in page
    for _twice in range(2):  # Celery may deliver it so
        tasks.run_erasing(sent[0])
        assert (stored(Patient), stored(Erasing), len(stored(Erasure))) == ([], [], 1)


def test_a_worker_that_meets_somebody_who_holds_the_record_leaves_the_erasure_to_be_found_or_given_up(
    withdrawn, asked, dana, browse, stored, text, monkeypatch
):
    monkeypatch.setattr(tasks.run_erasing, "delay", lambda _pk: None)
    monkeypatch.setattr(erasings, "PATIENCE", "50ms")
    monkeypatch.setattr(erasings, "WORKERS_PATIENCE", "50ms")
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE registry_assessment IN SHARE MODE")
        row = asked(withdrawn)
        tasks.run_erasing(str(row.pk))
        (left,) = stored(Erasing)
        assert (left.status, left.error, stored(Patient)) == ("queued", None, [withdrawn])
        with everything(), transaction.atomic():
            Erasing.objects.update(heartbeat_at=timezone.now() - jobs.UNSENT)
        assert erasings.recover() == [row.pk]
        page = browse(dana).post(reverse("erasing_cancel", args=[row.pk]), follow=True)
        assert f"Not erased: {withdrawn.pk}" in text(page)
    assert (stored(Erasing), stored(Patient)) == ([], [withdrawn])


def test_who_gives_an_erasure_up_too_late_is_not_told_that_nothing_was_erased(withdrawn, dana, stored):
    access = access_of(dana)
    with entered(access.scope()), transaction.atomic():
        about = {"extent": "everything", "typed": withdrawn.pk, "reason": "letter of 3 May"}
        row = erasings.request(access=access, patient=withdrawn, **about)
    assert erasings.perform(row.pk)
    assert erasings.cancel(access=access, asked=row) is False
    assert (stored(Erasing), stored(Patient), len(stored(Erasure))) == ([], [], 1)


@pytest.fixture
def gone_away(monkeypatch):
    """No worker is asked, and an erasure finds no database."""
    monkeypatch.setattr(tasks.run_erasing, "delay", lambda _pk: None)

    def broken(**_about):
        raise DatabaseError("gone away")

    monkeypatch.setattr(erasure, "erase", broken)


def test_the_trail_names_who_had_an_erasure_tried_again(withdrawn, asked, browse, stored, gone_away):
    row, other = asked(withdrawn), person("Emil", Role.DATA_MANAGER)
    browse(other).post(reverse("erasing_again", args=[row.pk]))
    (requeued,) = (
        event
        for event in stored(AuditEvent)
        if event.row_id == str(row.pk) and event.action == "update" and event.new.get("status") == "queued"
    )
    assert requeued.user_id == other.pk


def test_an_erasure_that_failed_says_why_and_is_tried_again_or_given_up(
    withdrawn, asked, dana, alice, browse, stored, text, monkeypatch
):
    sent = []
    monkeypatch.setattr(tasks.run_erasing, "delay", sent.append)
    whole = erasure.erase

    def broken(**about):
        whole(**about)
        raise DatabaseError("gone away")

    monkeypatch.setattr(erasure, "erase", broken)
    asked(withdrawn)
    (row,) = stored(Erasing)
    assert (row.status, row.error, stored(Erasure)) == ("failed", jobs.in_words(jobs.NO_ANSWER), [])
    assert stored(Patient) == [withdrawn]  # what it had erased came back whole
    client = browse(dana)
    assert "The database did not answer" in text(client.get(reverse("erasures")))
    assert browse(alice).post(reverse("erasing_again", args=[row.pk])).status_code == 404
    client.post(reverse("erasing_again", args=[row.pk]))
    assert sent == [str(row.pk)] and stored(Erasing)[0].status == "queued"
    monkeypatch.setattr(erasure, "erase", whole)
    with everything(), transaction.atomic():
        Erasing.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))  # the message was lost
    assert erasings.recover() == [row.pk]
    assert stored(Patient) == [withdrawn]
    client.post(reverse("erasing_cancel", args=[row.pk]))
    assert (stored(Erasing), stored(Patient)) == ([], [withdrawn])
    tasks.run_erasing(str(row.pk))  # on its way still
    assert stored(Patient) == [withdrawn]


def test_to_have_an_erasure_tried_again_asks_who_one_is_as_erasing_does(
    withdrawn, asked, dana, browse, monkeypatch, gone_away
):
    row, client, now = asked(withdrawn), browse(dana), time.time
    monkeypatch.setattr(time, "time", lambda: now() + 900)
    for address in (reverse("erasing_again", args=[row.pk]), reverse("erase_patient", args=[withdrawn.pk])):
        assert client.post(address, {"anything": "1"}).url.startswith("/account/confirm/")


def test_who_asks_anew_for_an_erasure_that_failed_has_it_carried_out(withdrawn, asked, stored, monkeypatch):
    whole = erasure.erase

    def broken(**_about):
        raise DatabaseError("gone away")

    monkeypatch.setattr(erasure, "erase", broken)
    asked(withdrawn)
    assert [row.status for row in stored(Erasing)] == ["failed"]
    monkeypatch.setattr(erasure, "erase", whole)
    asked(withdrawn)
    assert (stored(Erasing), stored(Patient), len(stored(Erasure))) == ([], [], 1)


def test_whoever_may_no_longer_erase_has_nothing_erased(withdrawn, dana, stored):
    access = access_of(dana)
    with entered(access.scope()), transaction.atomic():
        about = {"extent": "everything", "typed": withdrawn.pk, "reason": "letter of 3 May"}
        row = erasings.request(access=access, patient=withdrawn, **about)
    with everything():
        dana.memberships.update(ends_on=timezone.localdate() - timedelta(days=1))
    assert erasings.perform(row.pk)
    assert stored(Erasing)[0].error == jobs.in_words(erasings.NOT_ALLOWED)
    assert stored(Patient) == [withdrawn]


def test_what_the_command_could_not_erase_stays_on_record(withdrawn, stored, monkeypatch):
    def broken(**_about):
        raise DatabaseError("gone away")

    monkeypatch.setattr(erasure, "erase", broken)
    asked = {"extent": "everything", "confirm": withdrawn.pk, "reason": "court order"}
    with pytest.raises(CommandError, match="The database did not answer"):
        call_command("erase_patient", withdrawn.pk, **asked)
    (row,) = stored(Erasing)
    assert (row.status, row.reason, row.error) == ("failed", "court order", jobs.in_words(jobs.NO_ANSWER))
    assert stored(Patient) == [withdrawn]
