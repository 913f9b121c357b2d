"""Forgotten passwords: a link by mail, or from an administrator's hand."""

import re

import pytest
from django.core import mail
from django.urls import reverse

from tests.account.conftest import is_in, sign_in

NEW = {"password1": "quiet river lamp", "password2": "quiet river lamp"}


def ask(client, email):
    return client.post("/password/forgotten/", {"email": email})


def test_a_link_by_mail_sets_a_password_once(browser, alice, with_mail):
    old = browser()
    sign_in(old, alice)
    client = browser()
    with with_mail():
        assert ask(client, "ALICE@example.org").url == "/password/forgotten/sent/"
    (letter,) = mail.outbox
    assert letter.to == ["alice@example.org"]
    path = re.search(r"https?://[^/]+(/password/new/\S+)", letter.body).group(1)
    form = client.get(path).url
    assert client.post(form, NEW | {"password2": "another one of these"}).status_code == 200
    assert client.post(form, NEW).url == "/password/new/done/"
    assert not is_in(client)  # a second factor is still to be asked for
    assert not is_in(old)
    assert sign_in(client, alice, "quiet river lamp").status_code == 302
    assert "not valid any more" in browser().get(path).content.decode()


@pytest.mark.parametrize("who", ["nobody", "inactive", "without a password"])
def test_who_gets_no_link_is_not_told_so(browser, alice, with_mail, who):
    if who == "inactive":
        alice.is_active = False
    elif who == "without a password":
        alice.set_unusable_password()
    alice.save()
    email = "nobody@example.org" if who == "nobody" else alice.email
    with with_mail():
        answer = ask(browser(), email)
    assert (answer.status_code, answer.url) == (302, "/password/forgotten/sent/")
    assert mail.outbox == []


def test_links_for_one_address_are_counted(browser, alice, with_mail):
    alice.email = "counted@example.org"
    alice.save()
    with with_mail():
        answers = [ask(browser(), alice.email).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]
    assert len(mail.outbox) == 5


def test_without_a_mail_server_an_administrator_makes_the_link(client, browser, ada, alice, acts):
    assert "Ask an administrator" in browser().get("/password/forgotten/").content.decode()
    client.force_login(ada)
    url = reverse("person_password", args=[alice.pk])
    shown = client.post(url, follow=True).content.decode()
    path = re.search(r'value="https?://[^/]+(/password/new/[^"]+)"', shown).group(1)
    assert path not in client.get(reverse("person", args=[alice.pk])).content.decode()
    guest = browser()
    assert guest.post(guest.get(path).url, NEW).status_code == 302
    assert sign_in(guest, alice, "quiet river lamp").status_code == 302
    assert acts("password_link_made")[0].user_id == ada.pk


def test_many_failures_from_one_place_lock_it_and_no_other(browser, alice, settings, acts):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed": "4/15m/ip,10/15m/key"}
    here, there = browser(), browser()
    for n in range(4):
        here.post("/login/", {"username": f"somebody{n}@example.org", "password": "wrong"})
    assert "too many attempts" in sign_in(here, alice).content.decode()
    assert sign_in(there, alice).status_code == 302
    assert len(acts("sign_in_locked")) == 1
