"""A backup holds every row, comes back verified, and is refused where it was tampered with or does not fit."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from registry.models import Patient
from registry.services.operations import backups
from sites.audit import sealing
from sites.models import Site
from sites.tenancy.scope import everything
from tests.conftest import swept_afterwards

OTHER_KEY = "ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="


@pytest.fixture
def saved(django_db_setup, django_db_blocker, tmp_path):
    with django_db_blocker.unblock(), swept_afterwards():
        Site.objects.create(code="N01", name="North")
        with everything(reason="test"):
            sealing.seal()
        path = tmp_path / "all.backup"
        yield path, backups.write(path)


@pytest.fixture
def second_database(saved):
    owner = connections["owner"]
    first = owner.settings_dict["NAME"]
    second = f"{first}_restored"
    with owner.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{second}"')
        cursor.execute(f'CREATE DATABASE "{second}" TEMPLATE template0')
    owner.close()
    owner.settings_dict["NAME"] = second
    yield owner
    owner.close()
    owner.settings_dict["NAME"] = first
    with owner.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{second}"')


def test_a_backup_comes_back_whole_into_an_empty_database(saved, second_database):
    path, manifest = saved
    assert manifest["rows"]["study_sites_site"] == 1 and manifest["seal"]
    restored, report = backups.restore(path)
    assert restored["rows"] == manifest["rows"] and report.last_hash == manifest["seal"]
    with second_database.cursor() as cursor:
        cursor.execute("SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname LIKE 'registry_patient'")
        assert cursor.fetchone()[0]


def test_a_full_disk_is_named_and_leaves_nothing(saved, tmp_path):
    (tmp_path / "more.backup.part").symlink_to("/dev/full")
    with pytest.raises(CommandError, match=r"more\.backup: No space left"):
        call_command("backup", str(tmp_path / "more.backup"))
    assert [path.name for path in tmp_path.iterdir()] == [saved[0].name]


def tables(owner):
    with owner.cursor() as cursor:
        return owner.introspection.table_names(cursor)


def rewritten(path, tmp_path, change):
    """A copy of a backup, sound in every byte, whose manifest `change` has altered."""
    copy = tmp_path / "rewritten.backup"
    chunks = list(backups._chunks(path))
    manifest = json.loads(chunks[-1][1])
    change(manifest)
    cipher = backups.AESGCM(backups._derived(backups.settings.FIELD_KEYS[0], b"s" * 16))
    with copy.open("wb") as file:
        file.write(backups.MAGIC + b"s" * 16)
        for number, (_last, content) in enumerate(chunks[:-1]):
            backups._write_chunk(file, cipher, number, 0, content)
        backups._write_chunk(file, cipher, len(chunks) - 1, 1, json.dumps(manifest).encode())
    return copy


DAMAGE = {
    "without its end": lambda whole: whole[:-9],
    "cut between two chunks": lambda whole: whole[: len(backups.MAGIC) + 16],
    "half of it": lambda whole: whole[: len(whole) // 2],
    "a bit changed": lambda whole: (
        whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
    ),
    "something after its end": lambda whole: whole + b"x",
    "another kind of file": lambda whole: b"no",
    "nothing": lambda whole: b"",
}


def test_a_damaged_backup_is_refused_before_anything_is_touched(saved, second_database):
    path, manifest = saved
    whole = path.read_bytes()
    for name, damage in DAMAGE.items():
        path.write_bytes(damage(whole))
        with pytest.raises(backups.BackupError):
            backups.restore(path)
        assert tables(second_database) == [], name
    path.write_bytes(whole)
    assert backups.restore(path)[0]["sha256"] == manifest["sha256"]


def test_without_its_key_a_backup_is_refused_and_with_a_newer_one_in_front_it_is_read(saved, second_database, settings):
    path, manifest = saved
    own = settings.FIELD_KEYS
    settings.FIELD_KEYS = [OTHER_KEY]
    with pytest.raises(backups.BackupError, match="key"):
        backups.restore(path)
    assert tables(second_database) == []
    settings.FIELD_KEYS = [OTHER_KEY, *own]
    assert backups.read(path)["sha256"] == manifest["sha256"]


def test_a_backup_of_a_newer_version_is_refused_and_its_own_is_not(saved, second_database, tmp_path):
    path, _manifest = saved
    newer = rewritten(path, tmp_path, lambda export: export["migrations"].append(["registry", "9999_tomorrow"]))
    with pytest.raises(backups.BackupError, match="newer version"):
        backups.restore(newer)
    assert tables(second_database) == []
    same = rewritten(path, tmp_path, lambda export: None)
    assert backups.restore(same)[1].findings == []


def test_a_manifest_that_is_not_of_its_dump_is_found(saved, second_database, tmp_path):
    path, _manifest = saved
    for change, says in (
        (lambda manifest: manifest.update(sha256="0" * 64), "checksum"),
        (lambda manifest: manifest["rows"].update(study_sites_site=2), "row counts differ"),
        (lambda manifest: manifest.update(seal="0" * 64), "audit trail"),
    ):
        with pytest.raises(backups.BackupError, match=says):
            backups.restore(rewritten(path, tmp_path, change))
    assert backups.restore(rewritten(path, tmp_path, lambda export: None))[1].findings == []


def test_a_database_with_patients_is_left_as_it_is(saved, second_database):
    path, _manifest = saved
    with everything(reason="test"), transaction.atomic():
        Patient.objects.create(pk="N01-0001", site=Site.objects.get())
    owner = second_database
    second = owner.settings_dict["NAME"]
    owner.close()
    owner.settings_dict["NAME"] = connection.settings_dict["NAME"]
    with pytest.raises(backups.BackupError, match="has 1 patients"):
        backups.restore(path)
    with everything(), transaction.atomic():
        assert Patient.objects.count() == 1
    owner.close()
    owner.settings_dict["NAME"] = second
    assert backups.restore(path)[1].findings == []


def test_a_file_that_exists_is_not_overwritten_and_a_failed_backup_leaves_none(saved, tmp_path, settings):
    path, _manifest = saved
    with pytest.raises(backups.BackupError, match="exists already"):
        backups.write(path)
    settings.FIELD_KEYS = []
    with pytest.raises(IndexError):
        backups.write(tmp_path / "second.backup")
    assert list(tmp_path.iterdir()) == [path]
