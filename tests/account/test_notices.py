"""Whose password or second factor changed is told by mail: what and when, in their language, and nothing else."""

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.urls import reverse

from registry.web.account.adapters import NOTICES, notify
from tests.account.conftest import code_of, sign_in
from tests.conftest import PASSWORD

NEW = {"oldpassword": PASSWORD, "password1": "quiet river lamp", "password2": "quiet river lamp"}


@pytest.fixture
def signed_in(browser, alice):
    client = browser()
    sign_in(client, alice)
    return client


def test_a_changed_password_is_told_and_a_refused_one_is_not(signed_in, alice, with_mail):
    with with_mail():
        assert signed_in.post("/account/password/", NEW | {"oldpassword": "no"}).status_code == 200
    assert mail.outbox == []
    with with_mail():
        assert signed_in.post("/account/password/", NEW).status_code == 302
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == ([alice.email], "Metaspine: your sign-in was changed")
    assert "The password of your Metaspine account was changed." in letter.body
    assert "127.0.0.1" not in letter.body and alice.name not in letter.body and "10." not in letter.body.split("20")[0]


def test_an_authenticator_app_set_up_and_removed_is_told_in_japanese(signed_in, alice, with_mail):
    alice.language = "ja"
    alice.save()
    form = signed_in.get("/account/second-factor/app/").context["form"]
    with with_mail():
        signed_in.post("/account/second-factor/app/", {"code": code_of(form.secret)})
    assert Authenticator.objects.filter(user=alice, type="totp").exists()
    assert any("認証アプリ" in letter.body for letter in mail.outbox)
    assert all(letter.subject.startswith("Metaspine: ") for letter in mail.outbox)


def test_a_factor_taken_away_by_an_administrator_is_told(browser, ada, alice, app_of, with_mail):
    app_of(alice)
    client = browser()
    sign_in(client, ada)
    with with_mail():
        assert client.post(reverse("person_factors", args=[alice.pk])).status_code == 302
    assert not Authenticator.objects.filter(user=alice).exists()
    (letter,) = mail.outbox
    assert letter.to == [alice.email] and "An administrator removed" in letter.body


def test_every_notice_is_written_in_both_languages_and_none_without_a_mail_server(alice, with_mail, settings):
    for language in ("en", "ja"):
        alice.language = language
        for notice in NOTICES:
            mail.outbox.clear()
            with with_mail():
                notify(notice, alice)
            (letter,) = mail.outbox
            assert letter.body.isascii() == (language == "en")
    mail.outbox.clear()
    settings.MAIL = False
    with with_mail():
        notify("account/email/password_changed", alice)
    assert mail.outbox == []
