"""One spelling of an e-mail address: nobody takes an account by one that looks or folds alike."""

import io
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from sites.email_addresses import canonical
from sites.models import Invitation, User
from tests.account.conftest import is_in, sign_in
from tests.conftest import PASSWORD, person

LIKE_ALICE = [
    "ALICE@EXAMPLE.ORG",
    "ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｏｒｇ",
    "alice@example。org",
    " alice@example.org\u3000",
]
REFUSED = {
    "al\u0131ce@example.org": "LATIN SMALL LETTER DOTLESS I",
    "\u0430lice@example.org": "CYRILLIC SMALL LETTER A",
    "al\u200bice@example.org": "ZERO WIDTH SPACE",
    "alice@exam\u200dple.org": "ZERO WIDTH JOINER",
    "ali\u00adce@example.org": "SOFT HYPHEN",
    "alice\u0301@example.org": "LATIN SMALL LETTER E WITH ACUTE",
    "\u0130ce@example.org": "LATIN CAPITAL LETTER I WITH DOT ABOVE",
    "alice@example.org\u202e": "RIGHT-TO-LEFT OVERRIDE",
}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Alice@Example.org", "alice@example.org"),
        ("ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｏｒｇ", "alice@example.org"),
        ("info@病院.example", "info@xn--0rys90e.example"),
        ("victim@hosp\u0131tal.example", "victim@xn--hosptal-ufb.example"),
        ("\u212aana@example.org", "kana@example.org"),  # the Kelvin sign is a k
    ],
)
def test_an_address_has_one_spelling(typed, stored):
    assert canonical(typed) == stored == canonical(stored)


@pytest.mark.parametrize(("typed", "name"), REFUSED.items())
def test_what_only_looks_like_a_character_is_refused_by_name(typed, name):
    with pytest.raises(ValidationError, match=name):
        canonical(typed)


@pytest.mark.parametrize(
    "typed", ["", "alice", "@example.org", "alice@", "a b@example.org", "a@b@example.org", "a@-.org"]
)
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(ValidationError):
        canonical(typed)


@pytest.mark.parametrize("typed", LIKE_ALICE)
def test_every_spelling_signs_the_same_person_in(browser, alice, typed):
    client = browser()
    assert client.post("/login/", {"username": typed, "password": PASSWORD}).status_code == 302
    assert is_in(client)


@pytest.mark.parametrize(("typed", "name"), REFUSED.items())
def test_an_address_that_looks_alike_signs_nobody_in(browser, alice, typed, name):
    client = browser()
    page = client.post("/login/", {"username": typed, "password": PASSWORD})
    assert name in page.content.decode() and not is_in(client)
    assert authenticate(username=typed, password=PASSWORD) is None
    assert authenticate(username=alice.email, password=PASSWORD) == alice


def test_a_forgotten_password_is_mailed_to_the_stored_address_alone(browser, north, with_mail):
    victim = person("Victim", "coordinator", north)
    User.objects.filter(pk=victim.pk).update(email="victim@hospital.example")
    with with_mail():
        for typed in ("victim@hosp\u0131tal.example", "v\u0131ctim@hospital.example", "victim@hosp\u0456tal.example"):
            browser().post("/password/forgotten/", {"email": typed})
    assert mail.outbox == []
    with with_mail():
        browser().post("/password/forgotten/", {"email": "ＶＩＣＴＩＭ@Hospital.example"})
    assert [letter.to for letter in mail.outbox] == [["victim@hospital.example"]]


def test_nobody_is_invited_twice_in_two_spellings(client, ada, alice, north, as_system):
    client.force_login(ada)
    sent = {"language": "en", "role": "coordinator", "site": north.pk, "starts_on": "2026-01-01"}
    new = reverse("invitation_new")
    for typed in ("ａｌｉｃｅ＠example.org", "al\u0131ce@example.org"):
        assert client.post(new, sent | {"email": typed}).status_code == 422
    assert client.post(new, sent | {"email": "Ｋａｎａ@Example.org"}).status_code == 302
    assert client.post(new, sent | {"email": "\u212aana@example.org"}).status_code == 422
    with as_system():
        assert [invitation.email for invitation in Invitation.objects.all()] == ["kana@example.org"]


def test_create_person_knows_every_spelling(alice, monkeypatch):
    for typed, says in (("ＡＬＩＣＥ@example.org", "exists already"), ("al\u0131ce@example.org", "DOTLESS I")):
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        with pytest.raises(CommandError, match=says):
            call_command("create_person", typed, "--name", "New", "--role", "admin", "--password-stdin")
    assert User.objects.count() == 1


def test_the_screens_of_administration_know_every_spelling(client, ada, alice):
    client.force_login(ada)
    new = reverse("admin:study_sites_user_add")
    sent = {"name": "Second", "language": "en", "usable_password": "false"}
    for typed in ("ａｌｉｃｅ＠example.org", "al\u0131ce@example.org", "al\u200bice@example.org"):
        assert client.post(new, sent | {"email": typed}).status_code == 200
    assert client.post(new, sent | {"email": "Ｓecond@example.org"}).status_code == 302
    assert User.objects.get(name="Second").email == "second@example.org"


@pytest.mark.parametrize(
    "raw", ["Alice@example.org", "ａlice@example.org", "al\u0131ce@example.org", "alice@hosp\u0131tal.org"]
)
def test_the_database_takes_no_second_spelling_by_any_path(alice, raw):
    columns = "(email, name, password, language, is_superuser, is_staff, is_active, date_joined, digest, sign_in_epoch)"
    insert = f"INSERT INTO study_sites_user {columns} VALUES (%s, 'x', '', 'en', false, false, true, now(), true, 0)"
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(insert, [raw])
        cursor.execute(insert, ["another@example.org"])
    assert User.objects.count() == 2


def test_a_registry_with_two_spellings_of_one_address_is_told_who(alice, charlie, north, as_system):
    migration = import_module("sites.migrations.0002_email_spelling")
    with connection.schema_editor() as editor, as_system():
        migration.one_spelling(apps, editor)  # nothing to do

        class Rows:
            """The people of a registry before the database held addresses to one spelling."""

            @staticmethod
            def using(_alias):
                return Rows

            @staticmethod
            def order_by(_name):
                return rows

        before = SimpleNamespace(get_model=lambda _app, name: SimpleNamespace(objects=Rows))
        rows = [
            User(pk=1, name="Alice", email="alice@example.org"),
            User(pk=2, name="Impostor", email="ＡLICE@example.org"),
            User(pk=3, name="Dotless", email="d\u0131@example.org"),
        ]
        with pytest.raises(CommandError) as refused:
            migration.one_spelling(before, editor)
    message = str(refused.value)
    assert "Alice <alice@example.org> (person 1), Impostor <ＡLICE@example.org> (person 2)" in message
    assert "Dotless" in message and "DOTLESS I" in message and "Nothing was migrated" in message


def test_the_right_spelling_still_signs_in(browser, alice):
    assert sign_in(browser(), alice).status_code == 302
