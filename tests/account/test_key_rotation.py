"""`manage.py rotate_keys`: afterwards the new key alone opens everything, and the identifiers were not touched."""

import datetime as dt

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.core.management.base import CommandError

from registry.imports.files import uploads
from registry.models import Identity, Import
from registry.services.operations import field_keys
from registry.services.records import identity
from sites.models import AuditEvent

NEW = "ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk="


@pytest.fixture
def rotate(capsys):
    """`rotate("--check")` runs the command and returns what it says, or what it refuses."""

    def run(*arguments):
        try:
            call_command("rotate_keys", *arguments)
        except CommandError as error:
            return capsys.readouterr().out + str(error)
        return capsys.readouterr().out

    return run


def test_keys_rotate_without_touching_the_identifiers(
    enrolled, alice, app_of, as_system, settings, rotate, monkeypatch
):
    monkeypatch.setattr(field_keys, "BATCH", 1)
    first, second = enrolled(alice), enrolled(alice, birth_date="1960-06-06")
    app_of(alice)
    old = settings.FIELD_KEYS
    with as_system(reason="test"):
        upload = uploads.new_import(alice.pk, {"patients.csv": b"sex"})
        before = bytes(Identity.objects.get(pk=first.pk).birth_date)
    assert "Nothing in the database needs" in rotate("--check")

    settings.FIELD_KEYS = [NEW, *old]
    counts = "patients: 2\nimports: 1\nsecond factors: 2\n"  # an app and its recovery codes
    assert rotate("--check") == counts + "Older keys are still needed: run rotate_keys."
    assert rotate().startswith(counts)
    assert rotate().startswith("patients: 0\nimports: 0\nsecond factors: 0\nNothing in the database needs")

    settings.FIELD_KEYS = [NEW]
    with as_system(reason="test"):
        assert identity.read(first)["birth_date"] == dt.date(1955, 4, 3)
        assert identity.read(second)["birth_date"] == dt.date(1960, 6, 6)
        assert bytes(Identity.objects.get(pk=first.pk).birth_date) == before
        assert b"".join(uploads.stored(Import.objects.get(pk=upload.pk), "file:0")) == b"sex"
        for authenticator in Authenticator.objects.all():
            assert authenticator.wrap()
        assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
        done = AuditEvent.objects.get(action="keys_rotated")
        assert done.new == {"patients": 2, "imports": 1, "second_factors": 2}

    settings.FIELD_KEYS = old
    with as_system(reason="test"), pytest.raises(identity.UnreadableIdentity):
        identity.read(first)
    settings.FIELD_KEYS = ["MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="]
    assert "put the key that is missing back" in rotate()
