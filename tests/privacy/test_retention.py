"""What is kept for how long, what goes then, and what never does."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from registry import tasks
from registry.exports import jobs
from registry.exports.choices import Choices
from registry.models import Export, Import
from registry.settings import CELERY_BEAT_SCHEDULE
from sites.models import ApiToken, AuditEvent, Invitation
from sites.people import invitations
from sites.tenancy.access import Role
from tests.working import export_path


def at(days):
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def export(dana, north, south, settings, tmp_path):
    """`export(site, …, expires=-1)` is a finished export with its file."""
    settings.EXPORT_FOLDER = tmp_path

    def make(*sites, expires, **fields):
        about = {"status": Export.Status.DONE, "finished_at": at(-expires + 7), "started_at": at(-expires + 7)} | fields
        row = Export.objects.create(
            choices={},
            site_ids=[site.pk for site in sites],
            requested_by=dana,
            expires_at=timezone.now() + timedelta(days=expires),
            **about,
        )
        export_path(row).write_bytes(b"rows")
        return row

    return make


def test_files_of_exports_go_first_and_their_records_later(export, north, stored):
    running, over = export(north, expires=1), export(north, expires=-1)
    ancient = export(north, expires=-400)
    counts = tasks.purge()
    assert counts["files of exports"] == 2
    assert [export_path(item).exists() for item in (running, over, ancient)] == [True, False, False]
    assert {row.pk for row in stored(Export)} == {running.pk, over.pk}
    (event,) = stored(AuditEvent, action="purged", table_name="registry_export")
    assert (event.new["rows"], event.reason) == (1, "purge_expired")


def test_sessions_invitations_and_tokens_go_once_they_have_ended_long_ago(db, ada, dana, north, as_person, stored):
    Client().force_login(dana)
    Session.objects.create(session_key="old", session_data="", expire_date=at(1))
    for key, days in (("seen-lately", 1), ("seen-long-ago", 91)):
        UserSession.objects.create(user=dana, session_key=key, ip="127.0.0.1", user_agent="x", data={})
        UserSession.objects.filter(session_key=key).update(last_seen_at=at(days))
    with as_person(ada) as access:
        for name in ("new", "old"):
            invitation = Invitation(email=f"{name}@example.org", role=Role.COORDINATOR, site=north)
            invitations.invite(invitation, access=access)
        Invitation.objects.filter(email="old@example.org").update(expires_at=at(91))
    fields = {"user": dana, "start": "msp_x", "scopes": ["read"]}
    ApiToken.objects.create(name="ended", digest="a", expires_at=at(91), **fields)
    ApiToken.objects.create(name="ended lately", digest="b", expires_at=at(1), **fields)
    tasks.purge()
    assert Session.objects.count() == 1 and not Session.objects.filter(session_key="old").exists()
    assert [row.session_key for row in stored(UserSession) if row.session_key.startswith("seen")] == ["seen-lately"]
    assert [row.email for row in stored(Invitation)] == ["new@example.org"]
    assert [row.name for row in stored(ApiToken)] == ["ended lately"]


def test_files_of_undecided_imports_go_by_the_setting(dana, settings):
    row = Import.objects.create(requested_by=dana, key=b"", heartbeat_at=at(2))
    settings.IMPORT_FILES_KEPT = timedelta(days=3)
    assert tasks.purge()["files of imports"] == 0
    settings.IMPORT_FILES_KEPT = timedelta(days=1)
    assert tasks.purge()["files of imports"] == 1
    row.refresh_from_db()
    assert row.status == Import.Status.DISCARDED


def test_a_dry_run_counts_and_removes_nothing(export, north, stored, capsys):
    row = export(north, expires=-400, status=Export.Status.EXPIRED)
    call_command("purge_expired", dry_run=True)
    assert "registry_export: 1" in capsys.readouterr().out
    assert stored(Export) == [row] and stored(AuditEvent, action="purged") == []
    call_command("purge_expired")
    assert stored(Export) == []


def test_the_trail_and_patients_stay_and_the_clock_knows_the_task(export, north, alice, followed, stored):
    patient = followed(alice)
    before = len(stored(AuditEvent))
    tasks.purge_expired()
    assert len(stored(AuditEvent)) >= before and stored(type(patient)) == [patient]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('study_sites_auditevent', 'DELETE')")
        assert cursor.fetchone() == (False,)
    assert {timepoint["task"] for timepoint in CELERY_BEAT_SCHEDULE.values()} >= {"registry.tasks.purge_expired"}


def test_each_site_sees_that_its_data_left_in_an_export_of_several(
    followed, alice, charlie, mona, ada, bob, as_person, browse, text
):
    followed(alice), followed(charlie)
    with as_person(bob) as access:
        jobs.request(access=access, choices=Choices())
    for user in (alice, charlie, mona, ada):
        assert "Data exported" in text(browse(user).get("/audit/?action=acts")), user
    # One event for each site, and one of the whole for the administrators: nobody sees another site's.
    assert text(browse(mona).get("/audit/?action=acts")).count(">Data exported</td>") == 1
