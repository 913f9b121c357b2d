"""The check-up: each part is found well where it is, and the fault is named where it is not; command and page alike."""

import json
import smtplib
import threading
import uuid
from contextlib import suppress
from datetime import timedelta
from socketserver import StreamRequestHandler, TCPServer
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import Error, connection
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override

from registry.health import heartbeats, shared_folder
from registry.health.checkup import database, deployment, findings, work
from registry.health.checkup.declared import CHECKS
from registry.health.checkup.findings import Check, Finding, Looking, examine, worst
from registry.imports.jobs import CHANGED_SINCE
from registry.models import BackupRecord, ComparisonRun, Export, Freezing, Import, Postponed
from registry.services.jobs import WORKER_LOST, in_words
from sites.models import AuditEvent
from sites.tenancy.scope import everything

SILENT = "Silent for two minutes or more: the clock of recurring tasks (beat);"
SWEEP = "Do what lost tasks left undone (sweep)"


@pytest.fixture
def look(db, settings, tmp_path):
    """`look(check)` is (state, all its words) as the check finds it now."""
    settings.EXPORT_FOLDER = tmp_path / "exports"

    def see(check, request=None, beats=None):
        looking = Looking(request)
        looking.beats = heartbeats.all_of_them()[0] if beats is None else beats
        with everything():
            finding = check(looking)
        return finding.state, " ".join((finding.text, *finding.more))

    return see


def test_every_part_is_looked_at_and_a_new_registry_has_nothing_wrong_but_what_does_not_run(
    db, settings, tmp_path, capsys
):
    settings.EXPORT_FOLDER = tmp_path
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json")
    checks = {check["check"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert set(checks) == {check.name for check in CHECKS}
    assert {name for name, check in checks.items() if check["state"] == "failed"} == {"workers"}  # none is there
    assert ended.value.code == 1
    with pytest.raises(SystemExit):
        call_command("doctor")
    said = capsys.readouterr().out
    assert f"FAILED   Workers and beat: {SILENT} worker: " in said
    assert "ok       Guards of the database: " in said


def test_what_a_check_raises_is_a_finding_without_its_secrets(db):
    def broken(looking):
        raise OSError("cannot reach redis://:hunter2secret@broker:6379/0")

    def refused(looking):
        looking.ask("SELECT 1/0")

    def silent(looking):
        with suppress(Error):
            refused(looking)
        return Finding("note", "")

    checks = [broken, refused, silent, database.roles]
    examined = examine([Check(str(place), "", check) for place, check in enumerate(checks)])
    states = [finding.state for _check, finding, _seconds in examined]
    assert states == ["failed", "failed", "note", "ok"] and worst(examined) == "failed"
    assert "hunter2secret" not in examined[0][1].text and "OSError" in examined[0][1].text


def test_nobody_waits_for_a_server_that_does_not_answer(db, monkeypatch):
    def elsewhere():
        return True

    def hangs(looking):
        hung.wait()

    hung = threading.Event()
    monkeypatch.setattr(findings, "PATIENCE", 0.01)
    with override("ja"):
        late, well = examine(
            [
                Check("a", "A", hangs, elsewhere=elsewhere),
                Check("b", "B", deployment.mail, database=False, elsewhere=elsewhere),
            ]
        )
    hung.set()
    assert (late[1].state, late[1].text) == ("warning", "0.01秒以内に応答がありません。")
    assert well[1].state in ("off", "warning")


def test_a_database_that_is_away_is_told_once_and_the_rest_is_looked_at(db, monkeypatch, settings, tmp_path):
    def away(looking):
        looking.away = "OperationalError: connection refused"

    settings.EXPORT_FOLDER, settings.MAIL = tmp_path, False
    monkeypatch.setattr(findings, "PATIENCE", 60)
    monkeypatch.setattr(findings, "_ask_the_database", away)
    report = {check.name: finding for check, finding, _seconds in examine(CHECKS)}
    assert (report["database"].state, report["database"].text) == ("failed", "OperationalError: connection refused")
    looked_at = {name for name, finding in report.items() if not finding.text.startswith("Not looked at: ")}
    assert looked_at == {"database", "settings", "proxies", "mail", "disk"}
    assert {finding.state for name, finding in report.items() if name not in looked_at} == {"note"}


def test_after_a_clock_was_set_back_another_beat_takes_over(look):
    assert heartbeats.leased(heartbeats.BEAT, "first") and not heartbeats.leased(heartbeats.BEAT, "second")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_heartbeat SET at = now() + interval '26 hours'")
    assert look(work.workers)[1].startswith(SILENT)
    assert heartbeats.leased(heartbeats.BEAT, "second") and not heartbeats.leased(heartbeats.BEAT, "first")


def test_versions_that_are_not_tested_are_told(look, monkeypatch):
    assert look(database.versions)[0] == "ok"
    monkeypatch.setattr(database, "SUPPORTED", range(19, 21))
    state, said = look(database.versions)
    assert state == "failed" and "not one of 19 to 20" in said
    monkeypatch.setattr(database, "SUPPORTED", range(15, 17))
    assert look(database.versions)[0] == "warning"


def test_a_migration_that_is_lacking_and_a_guard_that_was_dropped_are_named(look, monkeypatch):
    assert look(database.migrations)[0] == look(database.guards)[0] == "ok"
    real = database.known()
    monkeypatch.setattr(database, "known", lambda: real | {("registry", "9999_tomorrow")})
    assert look(database.migrations) == ("failed", "1 migrations are not applied: run migrate. registry.9999_tomorrow")
    monkeypatch.setattr(database.checking, "differences", lambda: ["policy p of t is not there"])
    state, said = look(database.guards)
    assert state == "failed" and "policy p of t is not there" in said


def test_connections_and_time_limits(look, monkeypatch):
    monkeypatch.setattr(database, "CROWDED", 1)  # others use the server too, and as many as they like
    assert look(database.connections)[0] == "ok"
    monkeypatch.setattr(database, "CROWDED", 0)
    assert look(database.connections)[0] == "warning"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    state, said = look(database.time_limits)
    assert state == "note" and "statement_timeout" in said.partition(".")[0]


def test_a_pooler_that_nobody_set_is_wrong(look, settings, monkeypatch):
    assert look(database.pooler) == ("off", "None.")
    settings.DATABASE_POOLER = True
    assert look(database.pooler)[0] == "note"
    # The server's process has another number than the client is told.
    monkeypatch.setattr(Looking, "server", SimpleNamespace(pid=-1))
    assert look(database.pooler)[0] == "ok"
    settings.DATABASE_POOLER = False
    assert look(database.pooler)[0] == "failed"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "state"),
    [(0, "", "ok"), (1, "192.0.2.1", "ok"), (2, "192.0.2.1", "failed"), (1, "192.0.2.1, 198.51.100.7", "warning")],
)
def test_proxies_are_compared_with_the_request_of_the_page(look, settings, proxies, forwarded, state):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert look(deployment.proxies, RequestFactory().get("/", **headers))[0] == state


def test_settings_that_are_not_safe_are_named(look, settings):
    settings.TLS, settings.SECRET_KEY, settings.SECOND_FACTOR, settings.SYNTHETIC = (
        True,
        "ab" * 20 + "x1y2z3w4v5u6",
        "all",
        False,
    )
    assert look(deployment.safe_settings)[0] == "ok"
    settings.DEBUG = True
    state, said = look(deployment.safe_settings)
    assert state == "warning" and "METASPINE_DEBUG" in said


def test_identifiers_that_the_keys_do_not_open_are_found(look, settings, alice, enrolled):
    enrolled(alice)
    assert look(deployment.keys)[0] == "ok"
    settings.FIELD_KEYS = ["ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="]
    ((_check, finding, _seconds),) = examine([Check("keys", "Keys", deployment.keys)])
    assert finding.state == "failed" and "no longer configured" in finding.text


def test_a_clock_that_is_wrong_is_found(look, monkeypatch):
    assert look(deployment.clock)[0] == "ok"

    def clock_at(there):
        """Of the database's clock, asked at 1000 and answered at 1005 of this machine's."""
        ours = iter([1000.0, 1005.0])
        monkeypatch.setattr(deployment, "time", SimpleNamespace(time=lambda: next(ours)))
        monkeypatch.setattr(Looking, "ask", lambda *_: (there,))
        return deployment.clock(Looking())

    assert {clock_at(there).state for there in (1000.0, 1003.0, 1005.0)} == {"ok"}  # slow is not wrong
    for there in (940.0, 1065.0):
        assert clock_at(there) == Finding("failed", "This machine and the database differ by 60.0 s.")


class Mails(StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 well\r\n")


def test_a_mail_server_is_asked_and_none_is_no_fault(look, settings):
    settings.MAIL = False
    assert look(deployment.mail)[0] == "off"
    with TCPServer(("127.0.0.1", 0), Mails) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        settings.MAIL, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", server.server_address[1]
        settings.EMAIL_USE_SSL = False
        assert look(deployment.mail)[0] == "ok"
    state, said = look(deployment.mail)
    assert state == "failed" and "does not answer" in said
    assert smtplib.SMTP  # the library that sends is the one that asks


def test_a_folder_that_is_not_the_workers_is_found(look, settings, tmp_path):
    assert look(deployment.shared_files)[0] == "note"
    shared_folder.mark()
    assert look(deployment.shared_files)[0] == "ok"
    settings.EXPORT_FOLDER = tmp_path / "another"
    assert look(deployment.shared_files)[0] == "failed"


def test_a_full_disk_is_found(look, monkeypatch):
    roomy = SimpleNamespace(total=10 << 40, free=9 << 40)  # whatever the disk of this machine
    monkeypatch.setattr(deployment.shutil, "disk_usage", lambda _path: roomy)
    assert look(deployment.disk)[0] == "ok"
    monkeypatch.setattr(deployment, "LITTLE", 1.1)
    assert look(deployment.disk)[0] == "warning"
    monkeypatch.setattr(deployment, "TOO_LITTLE", 1.1)
    assert look(deployment.disk)[0] == "failed"


def test_workers_queues_and_messages_that_are_kept(look, settings, broker, monkeypatch):
    names = (heartbeats.BEAT, *(heartbeats.QUEUE + queue for queue in settings.QUEUES))
    for name in names:
        heartbeats.alive(name)
    assert look(work.workers)[0] == "ok"
    assert look(work.workers, beats=dict.fromkeys(names, (121, None, "")))[0] == "failed"
    names = "What follows from saves, and mail (urgent): 0; Comparisons, exports, imports, snapshots (jobs): 0; "
    assert look(work.queues) == ("ok", names + "Figures drawn ahead (figures): 0")
    Postponed.objects.create(task="x", arguments=b"")
    assert look(work.queues)[0] == "warning"
    monkeypatch.setattr(findings.cache, "lengths", lambda names: None)
    assert look(work.queues) == ("failed", "Redis does not answer; 1 messages wait in the database.")


def test_a_recurring_task_that_failed_or_is_late_is_named(look):
    known = {heartbeats.TASK + name: (1.0, 0.1, "") for name in work.recurring()}
    assert look(work.tasks, beats=known)[0] == "ok"
    state, said = look(work.tasks, beats=known | {"task:sweep": (1.0, 0.1, "OSError: full")})
    assert state == "failed" and said.startswith(f"Failed at their last run: {SWEEP}.") and "OSError: full" in said
    state, said = look(work.tasks, beats=known | {"task:sweep": (700.0, 0.1, "")})
    assert state == "warning" and said.startswith(f"Late: {SWEEP}.")
    without = {name: beat for name, beat in known.items() if name != "task:sweep"} | {"beat": (1e6, None, "")}
    assert look(work.tasks, beats=without)[1].startswith(f"Late: {SWEEP}.")  # never ran, in an old enough registry


def test_backups_that_are_lacking_are_wrong_only_where_they_are_watched(look, settings):
    assert look(work.backups)[0] == "note"
    settings.BACKUP_MAX_AGE_HOURS = 30
    assert look(work.backups)[0] == "note"
    BackupRecord.objects.create(kind="backup", began_at=timezone.now() - timedelta(hours=31))
    assert look(work.backups)[0] == "failed"
    BackupRecord.objects.create(kind="backup", began_at=timezone.now(), rows=7, size=2_000_000)
    state, said = look(work.backups)
    assert state == "ok" and "0 hours old: 7 rows, 2.0 MB" in said and "None was restored" in said


# The page


def failed_run(person, **more):
    values = {"status": "failed", "finished_at": timezone.now(), "error": "worker lost\n処理", "attempts": 3}
    return ComparisonRun.objects.create(plan={}, cohort={}, requested_by=person, **values | more)


def test_the_page_is_for_administrators_and_says_what_the_command_says(client, ada, alice, bob):
    run = failed_run(bob)
    ComparisonRun.objects.create(plan={}, cohort={}, requested_by=bob)
    client.force_login(ada)
    page = client.get(reverse("system")).content.decode()
    assert all(f'id="check-{check.name}"' in page for check in CHECKS)
    assert str(run.pk)[:8] in page and "worker lost" in page and "処理" not in page
    assert page.count("Bob") == 2
    client.force_login(alice)
    assert client.get(reverse("system")).status_code == 403


def test_the_page_says_in_its_language_why_a_job_failed(client, ada, bob):
    failed_run(bob)
    values = {"requested_by": bob, "status": "failed", "finished_at": timezone.now()}
    Freezing.objects.create(label="Board", error=in_words(WORKER_LOST), **values)
    Import.objects.create(error=CHANGED_SINCE, key=b"", **values)
    client.force_login(ada)
    client.cookies["django_language"] = "ja"
    page = client.get(reverse("system")).content.decode()
    with override("ja"):
        reasons = ("処理", WORKER_LOST.ja, gettext(CHANGED_SINCE))
    assert all(f"<td>{reason}</td>" in page for reason in reasons)
    assert not any(reason in page for reason in ("worker lost", WORKER_LOST.en, CHANGED_SINCE))


def test_a_failed_job_is_sent_once_more_in_the_name_of_who_asked(client, ada, bob, alice, broker):
    run = failed_run(bob)
    export = Export.objects.create(
        choices={}, site_ids=[], requested_by=bob, status="failed", finished_at=timezone.now(), error={"en": "full"}
    )
    asked = Freezing.objects.create(
        label="Board", requested_by=bob, status="failed", finished_at=timezone.now(), error={"en": "full"}
    )
    client.force_login(ada)
    for kind, job in (("comparison", run), ("export", export), ("snapshot", asked)):
        assert client.post(reverse("system_retry"), {"kind": kind, "key": str(job.pk)}).status_code == 302
        job.refresh_from_db()
        assert (job.status, job.attempts, bool(job.error)) == ("queued", 0, False)
    with everything():
        assert AuditEvent.objects.filter(action="job_retried", user_id=ada.pk).count() == 3
    # What is under way, what there is not, and what the person may do no more.
    for kind, key in (("comparison", run.pk), ("comparison", uuid.uuid4()), ("comparison", "x"), ("nothing", "1")):
        assert client.post(reverse("system_retry"), {"kind": kind, "key": str(key)}).status_code == 404
    late = failed_run(alice)
    assert (
        b"may no longer do it"
        in client.post(reverse("system_retry"), {"kind": "comparison", "key": str(late.pk)}, follow=True).content
    )
    late.refresh_from_db()
    assert late.status == "failed"


def test_a_recurring_task_is_started_by_hand_and_no_other_function_is(client, ada, broker):
    client.force_login(ada)
    assert client.post(reverse("system_retry"), {"kind": "task", "key": "keep_counts"}).status_code == 302
    with everything():
        assert AuditEvent.objects.get(action="task_started").new == {"task": "keep_counts"}
    for name in ("send_mail", "logger", "erase_patient", ""):
        assert client.post(reverse("system_retry"), {"kind": "task", "key": name}).status_code == 404
