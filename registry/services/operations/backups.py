"""Encrypted backups: a dump by pg_dump at one snapshot, with the row counts of that snapshot, sealed by AES-256-GCM.

A file is MAGIC, a salt, then chunks: one byte that tells whether it is the last, its length, its ciphertext. A chunk's
nonce is its number and that byte, so chunks cannot be cut off, moved or repeated. The last chunk is the manifest.
"""

import hashlib
import json
import logging
import os
import re
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from psycopg import sql

from registry.guards import checking
from sites.audit import sealing
from sites.database import replica
from sites.tenancy.scope import SITES, everything

log = logging.getLogger(__name__)

MAGIC = b"METASPINE BACKUP 1\n"
CHUNK = 1 << 20
PASSING = "study_sites_apianswer"  # answers kept a day for repeated requests: whether a row shows depends on the time
_HEAD = struct.Struct(">BI")


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text says why."""


def write(path: Any) -> dict[str, Any]:
    """Write an encrypted backup of the owner's database to `path`; returns its manifest. Raises BackupError."""
    path = Path(path)
    if path.exists():
        raise BackupError(f"{path} exists already.")
    unfinished = path.with_name(path.name + ".part")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            manifest = _dump(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def read(path: Any) -> Any:
    """The manifest of a backup of which every byte was checked. Raises BackupError."""
    digest = hashlib.sha256()
    manifest = None
    for last, content in _chunks(path):
        if last:
            manifest = json.loads(content)
        else:
            digest.update(content)
    if manifest is None or manifest["sha256"] != digest.hexdigest():
        raise BackupError("The checksum of the dump is not the one in its manifest.")
    return manifest


def restore(path: Any) -> Any:
    """Restore `path` into the owner's database, which has no patients; returns (manifest, report of the audit trail).

    A backup of an older version is migrated to this one once its rows are counted. Raises BackupError: before anything
    is touched where the file is unsound, newer than this version or the database has patients; afterwards where rows or
    the audit trail are not what was saved.
    """
    manifest = read(path)
    unknown = {tuple(migration) for migration in manifest["migrations"]} - known_migrations()
    if unknown:
        raise BackupError(f"The backup was made by a newer version: {min(unknown)} is not known here.")
    connection = connections["owner"]
    _refuse_patients(connection)
    connection.close()
    with tempfile.TemporaryFile() as output:
        options = ["--clean", "--if-exists", "--no-owner", "--no-comments", "--single-transaction", "--exit-on-error"]
        command = [_program("pg_restore", connection), *options, "-d", connection.settings_dict["NAME"]]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=output, env=environment_of(parameters(connection))
        )
        try:
            with cast("IO[bytes]", process.stdin) as program:
                for last, content in _chunks(path):
                    if not last:
                        program.write(content)
        except BrokenPipeError:
            pass  # its own words say more
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        _refuse_failure("pg_restore", process, output)
    return manifest, _verified(connection, manifest)


def known_migrations() -> set[tuple[str, str]]:
    """(app, name) of every migration of this version, and of those that its baselines stand for."""
    loader = MigrationLoader(None)
    return set(loader.disk_migrations) | {
        migration for base in loader.replacements.values() for migration in base.replaces
    }


def _refuse_patients(connection: Any) -> None:
    if "registry_patient" not in connection.introspection.table_names():
        return
    with (
        everything(using="owner", reason="restore", in_error=True),
        transaction.atomic("owner"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM registry_patient")
        if count := cursor.fetchone()[0]:
            raise BackupError(f"The database has {count} patients: restore only into one without.")


def _verified(connection: Any, manifest: Any) -> Any:
    with psycopg.connect(**parameters(connection)) as reader:
        _open_everything(reader)
        rows = _row_counts(reader)
    differing = [table for table in manifest["rows"] | rows if manifest["rows"].get(table) != rows.get(table)]
    if differing:
        raise BackupError(f"Restored, but row counts differ from the manifest: {', '.join(sorted(differing))}.")
    _bring_up_to_date(connection)
    report = sealing.verify(using="owner", expect=manifest["seal"])
    # Seals made after the backup are kept outside: that they are lacking is no fault of the backup.
    if unsound := [finding for finding in report.findings if finding.kind not in sealing.OF_LATER]:
        raise BackupError("Restored, but the audit trail is not what was sealed: " + str(unsound[0]))
    return report


def _bring_up_to_date(connection: Any) -> None:
    """Migrate what an older version saved: its tables and guards, with which the trail is then verified."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()) or checking.differences(connection.alias):
        try:
            call_command("migrate", database=connection.alias, verbosity=0, interactive=False)
        except CommandError as error:
            raise BackupError(f"Restored, but not brought to this version: {error}") from error


def _dump(file: Any) -> dict[str, Any]:
    """Dump from the replica where there is one that has caught up and does not break off, else from the primary."""
    own = parameters(connections["owner"])
    if replica.caught_up():
        there = parameters(connections[replica.REPLICA])
        try:
            return _dumped(file, own | {name: there.get(name) for name in ("host", "port")})
        except (BackupError, psycopg.Error) as error:
            log.warning("the replica broke off, the backup is made from the primary: %s", str(error).strip())
            file.seek(0)
            file.truncate()
    return _dumped(file, own)


def _dumped(file: Any, server: dict[str, Any]) -> dict[str, Any]:
    with psycopg.connect(**server) as reader:
        scope = _open_everything(reader)
        (snapshot,) = reader.execute("SELECT pg_export_snapshot()").fetchall()[0]
        newest = reader.execute(f"SELECT encode(hash, 'hex') FROM {sealing.SEALS} ORDER BY number DESC LIMIT 1")
        manifest = {
            "made_at": timezone.now().isoformat(timespec="seconds"),
            "rows": _row_counts(reader),
            "seal": (newest.fetchone() or [""])[0],
            "migrations": reader.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall(),
        }
        environment = environment_of(server) | {
            "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in scope.items())
        }
        command = [_program("pg_dump", connections["owner"]), "-Fc", "--enable-row-security", f"--snapshot={snapshot}"]
        command += [f"--exclude-table-data={PASSING}"]
        with tempfile.TemporaryFile() as output:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, env=environment) as process:
                _encrypt(file, process.stdout, manifest)
            _refuse_failure("pg_dump", process, output)
    return manifest


def _open_everything(reader: Any) -> dict[str, Any | str]:
    """Open one snapshot in which policies, forced on the owner too, show every row; returns the settings that do it.

    The sites are read in the same snapshot: a site made meanwhile has no rows in it.
    """
    reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    ids = reader.execute("SELECT coalesce(array_agg(id), '{}')::text FROM study_sites_site").fetchone()[0]
    scope = {f"app.{site}_sites": ids for site in SITES} | {"app.administers": "on", "app.in_error": "on"}
    for name, value in scope.items():
        reader.execute("SELECT set_config(%s, %s, true)", [name, value])
    return scope


def _row_counts(reader: Any) -> dict:
    tables = reader.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    count = sql.SQL("SELECT count(*) FROM {}")
    return {
        table: reader.execute(count.format(sql.Identifier(table))).fetchone()[0]
        for (table,) in tables
        if table != PASSING
    }


def _encrypt(file: Any, dump: Any, manifest: Any) -> None:
    salt = os.urandom(16)
    cipher = AESGCM(_derived(settings.FIELD_KEYS[0], salt))
    file.write(MAGIC + salt)
    digest, number = hashlib.sha256(), 0
    while content := dump.read(CHUNK):
        digest.update(content)
        _write_chunk(file, cipher, number, 0, content)
        number += 1
    manifest["sha256"] = digest.hexdigest()
    _write_chunk(file, cipher, number, 1, json.dumps(manifest).encode())


def _write_chunk(file: Any, cipher: Any, number: Any, last: Any, content: Any) -> None:
    sealed = cipher.encrypt(struct.pack(">IQ", last, number), content, MAGIC)
    file.write(_HEAD.pack(last, len(sealed)) + sealed)


def _chunks(path: Any) -> Iterator[tuple[Any | int, bytes]]:
    """Yield (last, content) of each chunk; raises BackupError where the file is not whole or not ours."""
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupError(f"{path} is not a backup that this version reads.")
        salt = file.read(16)
        ciphers = [AESGCM(_derived(key, salt)) for key in settings.FIELD_KEYS]
        last, number = 0, 0
        while not last:
            head = file.read(_HEAD.size)
            last, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
            sealed = file.read(min(length, 1 << 28))
            if not length or len(sealed) != length:
                raise BackupError(f"{path} is truncated or altered.")
            ciphers, content = _opened(ciphers, struct.pack(">IQ", last, number), sealed, number)
            yield last, content
            number += 1
        if file.read(1):
            raise BackupError(f"{path} is altered: something follows its end.")


def _opened(ciphers: Any, nonce: Any, sealed: Any, number: Any) -> tuple[list, Any]:
    for cipher in ciphers:
        try:
            return [cipher], cipher.decrypt(nonce, sealed, MAGIC)
        except InvalidTag:
            continue
    if number:
        raise BackupError("The backup is truncated or altered.")
    raise BackupError("The backup was made with a key that is not in METASPINE_FIELD_KEYS, or its start is altered.")


def _derived(key: Any, salt: Any) -> bytes:
    return HKDF(SHA256(), 32, salt, b"metaspine backup").derive(urlsafe_b64decode(key))


def parameters(connection: Any) -> dict[str, Any]:
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: connection.settings_dict[key] for name, key in names.items()}
    return {name: value for name, value in given.items() if value} | {
        name: value for name, value in connection.settings_dict["OPTIONS"].items() if name == "host"
    }


def environment_of(server: dict[str, Any]) -> dict[str, str]:
    """The connection for PostgreSQL's programs: a password in their arguments would be in every list of processes."""
    names = {"dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD", "host": "PGHOST", "port": "PGPORT"}
    return os.environ | {names[name]: str(value) for name, value in server.items() if value}


def _program(name: str, connection: Any) -> str:
    """The first of PostgreSQL's programs of that name that is not older than the server: on the path, or Debian's.

    A machine may have several; pg_dump refuses a newer server.
    """
    connection.ensure_connection()
    wanted = connection.pg_version // 10000
    folders = [Path(folder) for folder in os.get_exec_path()] + sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for path in (folder / name for folder in folders):
        if os.access(path, os.X_OK) and _major(path) >= wanted:
            return str(path)
    raise BackupError(f"No {name} of PostgreSQL {wanted} or newer is on the path.")


def _major(program: Any) -> int:
    """The major version that one of PostgreSQL's programs says it has; 0 where it says none."""
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", output)
    return int(number[0]) if number else 0


def _refuse_failure(name: str, process: Any, output: Any) -> None:
    if process.returncode:
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines()
        raise BackupError(f"{name} failed: {' '.join(lines[:3])}")
