"""`manage.py create_person`: the first administrator of an empty registry, and clear refusals."""

import io
import re

import pytest
from django.core.management import CommandError, call_command

from sites.models import User
from sites.tenancy.access import Can, access_of
from tests.conftest import PASSWORD


def create(monkeypatch, *arguments, password=PASSWORD):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    out = io.StringIO()
    call_command("create_person", *arguments, "--password-stdin", stdout=out)
    return out.getvalue()


def test_the_first_administrator(db, monkeypatch, client):
    assert create(monkeypatch, "First@Example.org", "--name", "First", "--role", "admin") == (
        "Created first@example.org: admin\n"
    )
    user = User.objects.get()
    assert (user.email, user.name, user.is_superuser) == ("first@example.org", "First", False)
    assert access_of(user).may(Can.ADMINISTER)
    assert client.login(username="first@example.org", password=PASSWORD)


def test_a_coordinator_of_one_site(north, south, monkeypatch):
    create(monkeypatch, "new@example.org", "--name", "New", "--role", "coordinator", "--site", "N01")
    assert access_of(User.objects.get()).sites_for(Can.ENTER) == (north.pk,)


@pytest.mark.parametrize(
    ("arguments", "password", "says"),
    [
        (["new", "--role", "admin"], PASSWORD, "“new” is not an e-mail address."),
        (["ALICE@example.org", "--role", "admin"], PASSWORD, "alice@example.org exists already"),
        (["new@example.org", "--role", "coordinator"], PASSWORD, "name it with --site CODE. Sites: N01."),
        (["new@example.org", "--role", "coordinator", "--site", "N09"], PASSWORD, "There is no site N09. Sites: N01."),
        (["new@example.org", "--role", "admin", "--site", "N01"], PASSWORD, "leave --site out"),
        (["new@example.org", "--role", "admin"], "short", "at least 12 characters"),
        (["new@example.org", "--role", "admin"], "", "Password refused."),
    ],
)
def test_refusals_say_why_and_create_nobody(alice, monkeypatch, arguments, password, says):
    with pytest.raises(CommandError, match=re.escape(says)) as refusal:
        create(monkeypatch, *arguments, "--name", "New", password=password)
    assert refusal.value.returncode == 2
    assert User.objects.get() == alice


def test_without_terminal_and_password_it_does_not_hang(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="--password-stdin"):
        call_command("create_person", "new@example.org", "--name", "New", "--role", "admin")
