"""Guesses are counted by person and by address apart, whatever the spelling, in the database."""

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.cache import cache
from django.test import Client

from sites import attempts
from sites.models import Attempt
from tests.account.conftest import code_of, is_in, sign_in
from tests.conftest import PASSWORD

SPELLINGS = (
    "alice@example.org",
    "ALICE@example.org",
    "ａlice@example.org",
    "alice@ＥＸＡＭＰＬＥ.org",
    "alice@example。org",
)


def guess(client, typed):
    return client.post("/login/", {"username": typed, "password": "wrong"})


def test_a_lockout_is_of_the_person_in_every_spelling_and_from_everywhere(browser, alice, acts):
    for n in range(10):
        guess(browser(), SPELLINGS[n % len(SPELLINGS)])
    for typed in SPELLINGS:
        page = browser().post("/login/", {"username": typed, "password": PASSWORD})
        assert "too many attempts" in page.content.decode()
    events = [(act.row_id, act.new) for act in acts("sign_in_locked")]
    assert events == [(str(alice.pk), {"kind": "login_failed", "by": "person"})]


def test_the_right_password_takes_back_its_own_attempt_alone(browser, alice, charlie):
    client = browser()
    for _ in range(9):
        guess(client, alice.email)
    assert sign_in(client, alice).status_code == 302
    assert sign_in(browser(), charlie).status_code == 302
    guess(browser(), alice.email)
    assert "too many attempts" in sign_in(browser(), alice).content.decode()


def test_ones_own_code_clears_nothing_of_the_address(alice, charlie, app_of, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"code_failed": "6/15m/ip,10/15m/key"}
    secret, _theirs = app_of(alice), app_of(charlie)
    attacker, victim = (Client(REMOTE_ADDR="10.9.8.7") for _ in range(2))
    sign_in(attacker, alice)
    sign_in(victim, charlie)
    for _ in range(5):
        victim.post("/login/code/", {"code": "000000"})
    attacker.post("/login/code/", {"code": code_of(secret)})
    assert is_in(attacker)
    victim.post("/login/code/", {"code": "000000"})
    assert "too many attempts" in victim.post("/login/code/", {"code": "000000"}).content.decode()


def test_codes_of_the_app_and_recovery_codes_share_a_counter(browser, alice, app_of, acts):
    app_of(alice)
    right = RecoveryCodes(alice.authenticator_set.get(type="recovery_codes")).get_unused_codes()[0]
    for n in range(10):
        client = browser()
        sign_in(client, alice)
        client.post("/login/code/", {"code": "000000" if n % 2 else "0123456789"})
    client = browser()
    sign_in(client, alice)
    assert "too many attempts" in client.post("/login/code/", {"code": right}).content.decode()
    assert acts("sign_in_locked")[0].row_id == str(alice.pk)


def test_confirming_changing_and_signing_in_share_a_counter(browser, alice):
    inside = browser()
    inside.force_login(alice)
    for _ in range(5):
        inside.post("/account/confirm/", {"password": "wrong"})
        inside.post("/account/password/", {"oldpassword": "wrong", "password1": "x", "password2": "x"})
    assert "too many attempts" in sign_in(browser(), alice).content.decode()


def test_from_one_address_guesses_at_many_people_end(alice, settings, acts):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed": "4/15m/ip,10/15m/key"}
    here = Client(REMOTE_ADDR="2001:db8::1")
    for n in range(4):
        guess(Client(REMOTE_ADDR=f"2001:db8::{n + 2}"), f"somebody{n}@example.org")  # one customer's network
    assert "too many attempts" in sign_in(here, alice).content.decode()
    assert acts("sign_in_locked")[0].new["by"] == "address"


def test_counters_live_without_the_cache(browser, alice, monkeypatch):
    for _ in range(10):
        guess(browser(), alice.email)
    cache.clear()
    assert "too many attempts" in sign_in(browser(), alice).content.decode()


def test_of_what_was_typed_nothing_is_kept_and_what_counts_no_more_goes(browser, alice):
    guess(browser(), alice.email)
    stored = str(list(Attempt.objects.values_list("kind", "subject", "guess")))
    assert Attempt.objects.count() == 2 and alice.email not in stored and "wrong" not in stored
    Attempt.objects.update(at="2026-01-01T00:00Z")
    attempts.forget()
    assert not Attempt.objects.exists()
