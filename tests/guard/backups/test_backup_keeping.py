"""Backups by the schedule: when, which are kept, what a drill proves, and what is said where one is lacking."""

import datetime as dt
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from registry.models import BackupRecord, Patient
from registry.services.operations import backup_keeping, backups
from registry.services.records import identity
from sites.audit import sealing
from sites.models import AuditEvent, Site
from sites.tenancy.scope import everything
from tests.conftest import swept_afterwards
from tests.releases import restored

OTHER_KEY = "ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="
Kind = BackupRecord.Kind


@pytest.fixture
def backup_folder(django_db_setup, django_db_blocker, settings, tmp_path):
    """A registry of one patient with a birth date, and an empty folder of backups."""
    settings.BACKUP_FOLDER = str(tmp_path / "backups")
    with django_db_blocker.unblock(), swept_afterwards():
        site = Site.objects.create(code="N01", name="North")
        with everything(reason="test"), transaction.atomic():
            patient = Patient.objects.create(pk="N01-0001", site=site)
            identity.write(patient, birth_date=dt.date(1960, 1, 2))
        with everything(reason="test"):
            sealing.seal()
        yield tmp_path / "backups"


def databases():
    """All but those of other workers, which make and drop their own meanwhile."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT current_database(), array_agg(datname::text) FROM pg_database")
        own, names = cursor.fetchone()
        return {name for name in names if name.startswith(own) or not re.search(r"_gw\d+(_|$)", name)}


def test_a_due_backup_is_made_and_restored_as_a_drill_and_no_other_until_the_next_day(backup_folder, capsys):
    before = databases()
    call_command("keep_backups", "--once")
    backup, drill = (BackupRecord.objects.get(kind=kind) for kind in (Kind.BACKUP, Kind.DRILL))
    assert (backup.error, drill.error, drill.file) == ("", "", backup.file)
    assert (drill.rows, drill.seals, drill.identities) == (backup.rows, 1, 1)
    assert [path.name for path in backup_folder.iterdir()] == [backup.file] and backup.size > 10_000
    assert databases() == before
    call_command("keep_backups", "--once")
    assert BackupRecord.objects.count() == 2
    call_command("drill_backup", str(backup_folder / backup.file))
    assert f"{backup.rows} rows came back, 1 seals hold, the keys of 1 patients open" in capsys.readouterr().out


def test_a_drill_with_another_key_names_the_key_and_leaves_no_database(backup_folder, settings):
    before, own = databases(), settings.FIELD_KEYS
    backup_keeping.make(timezone.now())
    settings.FIELD_KEYS = [OTHER_KEY]
    with pytest.raises(CommandError, match="made with a key that is not in METASPINE_FIELD_KEYS"):
        call_command("drill_backup")
    # A key that opens the file and not every patient's: rotated halfway, and the older one was dropped.
    settings.FIELD_KEYS = [OTHER_KEY, *own]
    backup_keeping.make(timezone.now() + dt.timedelta(seconds=1))
    settings.FIELD_KEYS = [OTHER_KEY]
    record = backup_keeping.drill(timezone.now())
    assert record.error.startswith("Restored, but ") and databases() == before


def test_what_failed_is_on_record_and_tried_again_after_a_quarter_of_an_hour(backup_folder, settings):
    settings.BACKUP_FOLDER = "/dev/null/nowhere"
    now = timezone.now()
    record = backup_keeping.make(now)
    assert "Not a directory" in record.error and record.rows == 0
    assert not backup_keeping.backup_is_due(now + dt.timedelta(minutes=14))
    assert backup_keeping.backup_is_due(now + dt.timedelta(minutes=16))
    settings.BACKUP_FOLDER = str(backup_folder)
    assert backup_keeping.make(now).error == ""


@pytest.mark.parametrize(("hour", "due"), [(0, False), (1, True), (23, True)])
def test_one_is_due_from_the_hour_of_the_studys_time_zone_on(db, settings, hour, due):
    settings.BACKUP_HOUR = 1
    at = dt.datetime(2026, 6, 2, hour, 30, tzinfo=timezone.get_default_timezone())
    BackupRecord.objects.create(kind=Kind.BACKUP, began_at=at.replace(day=1, hour=1))
    assert backup_keeping.backup_is_due(at) is due


def test_all_of_some_weeks_and_the_first_of_each_month_of_a_year_are_kept(settings):
    settings.BACKUP_DAYS, settings.BACKUP_MONTHS = 35, 12
    now = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)
    paths = [Path(f"metaspine-{now - dt.timedelta(days=days):%Y-%m-%d}T010000Z.backup") for days in range(500, -1, -1)]
    over = backup_keeping.over(paths, now)
    names = [path.name[10:20] for path in paths if path not in over]
    assert names[:3] == ["2025-07-01", "2025-08-01", "2025-09-01"]
    assert names[names.index("2026-05-01") :][1] == "2026-05-11" and names[-1] == "2026-06-15"
    assert len(names) == 11 + 36
    assert backup_keeping.over([Path("metaspine-2020-01-02T010000Z.backup")], now) == []  # the only one stays


def test_an_alarm_says_which_backup_is_lacking_and_why(db, settings):
    now = timezone.now()
    assert backup_keeping.overdue(now) == ""  # nobody asked
    settings.BACKUP_MAX_AGE_HOURS = 30
    assert backup_keeping.overdue(now) == ""  # a registry of today lacks no backup yet
    assert "there is none" in backup_keeping.overdue(now + dt.timedelta(hours=31))
    BackupRecord.objects.create(kind=Kind.BACKUP, began_at=now - dt.timedelta(hours=29))
    assert backup_keeping.overdue(now) == ""
    assert "for more than 30 hours" in backup_keeping.overdue(now + dt.timedelta(hours=2))
    BackupRecord.objects.create(kind=Kind.BACKUP, began_at=now, error="No space left on device")
    assert backup_keeping.overdue(now + dt.timedelta(hours=2)).endswith("failed: No space left on device")
    BackupRecord.objects.create(kind=Kind.DRILL, began_at=now, error="truncated")
    assert backup_keeping.overdue(now) == "the newest backup could not be restored: truncated"


def test_the_alarm_is_in_the_trail_once(db, settings, north):
    from registry import tasks

    settings.BACKUP_MAX_AGE_HOURS = 30
    BackupRecord.objects.create(kind=Kind.BACKUP, began_at=timezone.now() - dt.timedelta(hours=31))
    tasks.cache.delete("alarm-backup_overdue")
    tasks.watch_backups()
    tasks.watch_backups()
    with everything():
        assert AuditEvent.objects.filter(action="backup_overdue").count() == 1


@pytest.mark.parametrize("release", restored.RELEASES)
def test_a_backup_of_an_older_schema_is_restored_and_brought_to_this_version(
    django_db_setup, django_db_blocker, tmp_path, release
):
    path = tmp_path / "old.backup"
    with django_db_blocker.unblock(), restored.with_keys(release):
        with restored.database(restored.database_name("old")):
            restored.psql(restored.dump(release))
            manifest = backups.write(path)
        assert len(manifest["migrations"]) < len(backups.known_migrations())
        with restored.database(restored.database_name("new")):
            _manifest, report = backups.restore(path)
            assert report.findings == [] and report.seals > 0
            with everything(using="owner"), transaction.atomic("owner"):
                assert Patient.objects.using("owner").count() == manifest["rows"]["registry_patient"] > 0
