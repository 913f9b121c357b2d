"""A backup holds every row, comes back verified, and is refused where it was tampered with."""

import pytest
from django.db import connection, connections

from registry.services import backups
from sites import sealing
from sites.models import Site
from sites.scope import everything
from tests.conftest import swept_afterwards


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


def test_an_altered_or_foreign_backup_is_refused(saved, settings):
    path, manifest = saved
    assert backups.read(path)["sha256"] == manifest["sha256"]
    whole = path.read_bytes()
    middle = len(whole) // 2
    for bad in (whole[:-9], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], whole + b"x", b"no"):
        path.write_bytes(bad)
        with pytest.raises(backups.BackupError):
            backups.restore(path)
    path.write_bytes(whole)
    settings.FIELD_KEYS = ["ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="]
    with pytest.raises(backups.BackupError, match="key"):
        backups.restore(path)
    assert connection.introspection.table_names()
