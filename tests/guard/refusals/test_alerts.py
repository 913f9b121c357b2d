"""Refusals alert: each is in the trail with the person, and administrators are told once for each kind and hour."""

import io
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from registry import tasks
from registry.celery import app
from sites.audit import alerts, sealing
from sites.models import Alert, AuditEvent, User
from sites.tenancy.scope import Scope, entered, everything
from tests.api.conftest import Program, issued


@pytest.fixture
def mailed(settings, monkeypatch, django_capture_on_commit_callbacks):
    """`mailed()` is what the task mails now: (addresses, bodies)."""
    settings.MAIL = True
    monkeypatch.setattr(alerts.due, "__defaults__", (timedelta(0),))
    app.conf.task_always_eager = True

    def now():
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            tasks.alert_administrators()
        return [(letter.to, letter.body) for letter in mail.outbox]

    yield now
    app.conf.task_always_eager = False


def lock_out(user):
    for _ in range(11):
        Client().post("/login/", {"username": user.email, "password": "wrong"})


def test_a_lockout_is_told_once_an_hour_with_the_person(mailed, ada, alice, charlie, bob):
    assert mailed() == []
    lock_out(alice)
    ((to, body),) = mailed()
    assert to == [ada.email]
    assert "Lockouts" in body and "Alice: 1" in body and "?action=sign_in_locked" in body
    lock_out(charlie)
    assert mailed() == []  # within the hour
    Alert.objects.filter(kind="sign_in_locked").update(told_at=timezone.now() - timedelta(hours=2))
    ((_to, body),) = mailed()
    assert "Charlie: 1" in body and "Alice" not in body
    assert mailed() == []


def test_each_kind_has_its_mail_and_each_administrator_their_language(mailed, ada, alice, ivo, enrolled, client):
    User.objects.filter(pk=ada.pk).update(language="ja")
    mailed()
    patient = enrolled(alice)
    client.force_login(ivo)
    Program("msp_invented").get("me")
    text = issued(alice)
    alice.set_password("quiet river lamp")
    alice.save()
    for _ in range(3):
        Program(text).get("me")
    sent = {"form": "baseline", "reason": "why", "password": "wrong"}
    client.post(f"/patients/{patient.pk}/unlock/", sent)
    letters = {body.partition("\n")[0]: body for _to, body in mailed()}
    assert set(letters) == {"拒否されたAPIトークン: 2", "拒否されたロック解除: 1"}
    assert "Alice: 1" in letters["拒否されたAPIトークン: 2"]
    assert "Ivo, N01: 1" in letters["拒否されたロック解除: 1"]
    assert patient.pk not in str(letters)


def test_a_stopped_sealer_is_on_record_and_on_the_administrators_page(mailed, ada, alice, client, monkeypatch):
    mailed()
    client.force_login(ada)
    assert "has not been sealed" not in client.get("/").content.decode()
    monkeypatch.setattr(sealing, "seal", lambda: (_ for _ in ()).throw(RuntimeError("history lost")))
    with pytest.raises(RuntimeError):
        tasks.seal_audit()
    with pytest.raises(RuntimeError):
        tasks.seal_audit()
    ((_to, body),) = mailed()
    assert "sealing of the audit trail stopped: 1" in body
    monkeypatch.setattr(alerts, "UNSEALED", timedelta(seconds=-1))
    assert "has not been sealed" in client.get("/").content.decode()


def test_a_verification_that_finds_something_is_on_record(mailed, ada, monkeypatch):
    mailed()
    report = sealing.Report([sealing.Finding("removed", 1, "{[1,2)}", timezone.now(), timezone.now())], 1, 1, 0, "")
    monkeypatch.setattr(sealing, "verify", lambda **_: report)
    with pytest.raises(SystemExit):
        call_command("verify_audit", stdout=io.StringIO(), stderr=io.StringIO())
    ((_to, body),) = mailed()
    assert "Verifications that failed: 1" in body


def test_refusals_stand_on_the_administrators_page(client, ada, alice):
    lock_out(alice)
    client.force_login(ada)
    page = client.get("/").content.decode()
    assert "Refused in the last 24 hours" in page and "?action=sign_in_locked" in page
    assert client.get("/audit/?action=sign_in_locked").status_code == 200
    with entered(Scope(administers=True)):
        (event,) = AuditEvent.objects.filter(action="sign_in_locked")
        assert event.row_id == str(alice.pk)


def test_nobody_but_administrators_is_told(ada, alice, dana, north):
    inactive = User.objects.create_user("gone@example.org", name="Gone", is_active=False)
    inactive.memberships.create(role="admin", starts_on="2020-01-01")
    with everything():
        assert list(alerts.administrators()) == [ada]


def test_downloads_that_are_stopped_alert(mailed, ada, alice, client, settings):
    mailed()
    settings.DOWNLOADS_PER_HOUR = 1
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"download": "1/h/user"}
    client.force_login(alice)
    assert [client.post("/queries/csv/").status_code for _ in range(3)] == [200, 429, 429]
    ((_to, body),) = mailed()
    assert "Downloads that were stopped: too many in an hour: 1" in body and "Alice: 1" in body
