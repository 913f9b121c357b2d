"""Backup schedule: when one is due, which files are kept, and the drill that proves that the newest can be restored.

A drill restores into an empty database beside the registry's own, which is dropped afterwards: the owner's role needs
CREATEDB for it (docker/roles.sql). What came of each is a `BackupRecord`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from registry.models import BackupRecord, Identity
from registry.services.operations import backups
from registry.services.records import identity
from sites.audit import journal
from sites.database.fast_rows import rows_of
from sites.moments import minute_of
from sites.tenancy.scope import everything

ENDING = ".backup"
PAUSE = timedelta(minutes=15)  # after one that failed
TRIED = 10_000  # patients' keys that a drill opens, the newest

Kind = BackupRecord.Kind


def folder() -> Path:
    """Where backups lie. BackupError where the installation has none."""
    if not settings.BACKUP_FOLDER:
        raise backups.BackupError("Set METASPINE_BACKUPS to the folder of backups.")
    return Path(settings.BACKUP_FOLDER)


def last(kind: Any) -> BackupRecord | None:
    """The newest BackupRecord of a kind that went well, or None."""
    return BackupRecord.objects.filter(kind=kind, error="").order_by("-began_at").first()


def latest(kind: Any) -> BackupRecord | None:
    """The newest BackupRecord of a kind, well or not, or None."""
    return BackupRecord.objects.filter(kind=kind).order_by("-began_at").first()


def newest() -> tuple[BackupRecord | None, BackupRecord | None]:
    """(the newest backup that went well, the newest drill, well or not), each None where there is none."""
    by_kind = {record.kind: record for record in rows_of(BackupRecord).where(_NEWEST, [Kind.BACKUP, Kind.DRILL])}
    return by_kind.get(Kind.BACKUP), by_kind.get(Kind.DRILL)


_TABLE = BackupRecord._meta.db_table
_NEWEST = f"""
    id IN ((SELECT id FROM {_TABLE} WHERE kind = %s AND error = '' ORDER BY began_at DESC LIMIT 1),
           (SELECT id FROM {_TABLE} WHERE kind = %s ORDER BY began_at DESC LIMIT 1))
"""


# When


def backup_is_due(now: datetime) -> Any:
    """Whether none was made since the last time that the schedule names."""
    local = timezone.localtime(now)
    moment = local.replace(hour=settings.BACKUP_HOUR, minute=0, second=0, microsecond=0)
    moment -= timedelta(days=moment > local)
    return _is_due(Kind.BACKUP, moment, now)


def drill_is_due(now: datetime) -> Any:
    """Whether no backup was restored for as many days as the setting names, and there is one."""
    if not settings.BACKUP_DRILL_DAYS or not last(Kind.BACKUP):
        return False
    return _is_due(Kind.DRILL, now - timedelta(days=settings.BACKUP_DRILL_DAYS), now)


def _is_due(kind: Any, since: Any, now: datetime) -> Any:
    good, newest = last(kind), latest(kind)
    tried = newest is not None and newest.error and newest.began_at >= now - PAUSE
    return not tried and (good is None or good.began_at < since)


def overdue(now: datetime) -> str:
    """What an alarm says of backups that are too old, or of a drill that failed; empty where all is well."""
    if not settings.BACKUP_MAX_AGE_HOURS:
        return ""
    good, newest, drill = last(Kind.BACKUP), latest(Kind.BACKUP), latest(Kind.DRILL)
    if (good.began_at if good else _set_up_at()) < now - timedelta(hours=settings.BACKUP_MAX_AGE_HOURS):
        since = f"the last is of {minute_of(good.began_at)}" if good else "there is none"
        return f"no backup for more than {settings.BACKUP_MAX_AGE_HOURS} hours: {since}{_why(newest)}"
    if drill and drill.error:
        return f"the newest backup could not be restored: {drill.error}"
    return ""


def _set_up_at() -> datetime:
    """When the database got its tables: a registry of this morning lacks no backup of yesterday."""
    return MigrationRecorder.Migration.objects.order_by("applied").values_list("applied", flat=True)[0]


def _why(newest: Any) -> str:
    return f"; the newest attempt failed: {newest.error}" if newest and newest.error else ""


# Making and keeping


def make(now: datetime) -> BackupRecord:
    """Write one more backup into the folder and forget what is over; returns its BackupRecord."""
    name = f"metaspine-{now:%Y-%m-%dT%H%M%SZ}{ENDING}"
    with _recorded(Kind.BACKUP, now, name) as record:
        where = folder()
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        record.rows = sum(backups.write(where / name)["rows"].values())
        record.size = (where / name).stat().st_size
    if not record.error:
        for path in over(files(), now):
            path.unlink(missing_ok=True)
    return record


@contextmanager
def _recorded(kind: Any, now: datetime, name: str) -> Iterator[BackupRecord]:
    """A BackupRecord, stored when the block ends; what it could not do is in its `error`."""
    record, began = BackupRecord(kind=kind, began_at=now, file=name), time.monotonic()
    try:
        yield record
    except (backups.BackupError, DatabaseError, OSError) as error:
        record.error = (str(error).strip() or type(error).__name__)[:300]
    record.seconds = time.monotonic() - began
    record.save(force_insert=True)


def files() -> list[Path]:
    """Backups in the folder, oldest first: their names begin with the moment they were made."""
    return sorted(folder().glob(f"metaspine-*{ENDING}"))


def over(paths: Any, now: datetime) -> list:
    """Which of the files are kept no longer: older than all are kept, and not the first of a month.

    The newest stays, however old.
    """
    every = f"metaspine-{now - timedelta(days=settings.BACKUP_DAYS):%Y-%m-%d}"
    month = f"metaspine-{now - timedelta(days=31 * settings.BACKUP_MONTHS):%Y-%m-%d}"
    firsts = {next(of_month) for _, of_month in groupby(paths, key=lambda path: path.name[: len("metaspine-2026-01")])}
    staying = {path for path in firsts if path.name >= month} | set(paths[-1:])
    return [path for path in paths if path.name < every and path not in staying]


# The drill


def drill(now: datetime, path: Any = None) -> BackupRecord:
    """Restore a backup (the newest) into an empty database and verify it there; returns the BackupRecord.

    Rows and seals are compared with what the backup says, and patients' keys are opened with the keys of this process:
    started with the copy of the keys that lies in a safe, it proves that copy too.
    """
    with _recorded(Kind.DRILL, now, "") as record:
        path = path or next(reversed(files()), None)
        if path is None:
            raise backups.BackupError(f"There is no backup in {folder()}.")
        record.file, record.size = path.name, path.stat().st_size
        with _empty_database():
            manifest, report = backups.restore(path)
            record.rows, record.seals = sum(manifest["rows"].values()), report.seals
            record.identities = _opened()
    return record


@contextmanager
def _empty_database() -> Iterator[None]:
    """An empty database behind the connection `owner`, dropped afterwards."""
    owner = connections["owner"]
    own = owner.settings_dict["NAME"]
    name = f"{own}_drill"
    _execute(owner, f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" TEMPLATE template0')
    owner.settings_dict["NAME"] = name
    try:
        yield
    finally:
        journal.path("owner").unlink(missing_ok=True)  # of this passing database alone
        owner.close()
        owner.settings_dict["NAME"] = own
        _execute(owner, f'DROP DATABASE IF EXISTS "{name}"')


def _execute(owner: Any, *statements: Any) -> None:
    with owner.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    owner.close()


def _opened() -> int:
    """How many patients' keys this process can open, of the newest; BackupError where one cannot be."""
    with everything(using="owner", reason="drill"), transaction.atomic("owner"):
        rows = list(Identity.objects.using("owner").order_by("-pk").values_list("pk", "key")[:TRIED])
    try:
        for pk, key in rows:
            identity.unwrapped_key(key, str(pk))
    except identity.UnreadableIdentity as error:
        raise backups.BackupError(f"Restored, but {error}: a key is lacking in METASPINE_FIELD_KEYS.") from error
    return len(rows)
