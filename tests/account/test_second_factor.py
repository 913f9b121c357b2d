"""The second factor: who needs one, that it is asked for, and what happens when it is lost."""

import time

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from tests.account.conftest import code_of, is_in, sign_in


@pytest.mark.parametrize(
    ("setting", "needed"),
    [("central", {"ada", "bob", "dana"}), ("all", {"ada", "bob", "dana", "alice", "mona"}), ("none", set())],
)
def test_who_must_have_one_gets_nowhere_without(request, browser, settings, app_of, setting, needed):
    settings.SECOND_FACTOR = setting
    for who in ("ada", "bob", "dana", "alice", "mona"):
        user, client = request.getfixturevalue(who), browser()
        client.force_login(user)
        answer = client.get("/")
        assert (answer.status_code == 302 and answer.url == "/account/second-factor/") is (who in needed), who
        assert client.get("/account/second-factor/").status_code == 200
        assert client.post("/language/", {"language": "en"}).status_code == 302
        app_of(user)
        assert client.get("/").status_code == 200


def test_the_screens_that_give_roles_ask_again_too(client, ada, alice, monkeypatch):
    client.force_login(ada)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400)
    for screen in ("study_sites_user_change", "study_sites_membership_add", "auth_user_password_change"):
        url = reverse(f"admin:{screen}", args=[] if screen.endswith("add") else [alice.pk])
        assert client.get(url).status_code == 200
        assert client.post(url, {}).url.startswith("/account/confirm/")


def test_recovery_codes_alone_are_none(client, bob, settings, app_of):
    settings.SECOND_FACTOR = "central"
    app_of(bob)
    client.force_login(bob)
    assert client.get("/").status_code == 200
    Authenticator.objects.filter(type="totp").delete()
    assert client.get("/").status_code == 302


def test_the_password_alone_opens_nothing(browser, alice, app_of, acts):
    secret, client = app_of(alice), browser()
    assert sign_in(client, alice).url.startswith("/login/code/")
    assert not is_in(client)
    assert client.post("/login/code/", {"code": "000000"}).status_code == 200
    assert not is_in(client)
    failed = acts("second_factor_failed")[0]
    assert (failed.row_id, failed.new) == (str(alice.pk), {"factor": "totp"})
    assert acts("sign_in") == []
    code = code_of(secret)
    assert client.post("/login/code/", {"code": code}).status_code == 302
    assert is_in(client)
    assert acts("sign_in")[0].user_id == alice.pk
    second = browser()  # somebody who looked over the shoulder
    sign_in(second, alice)
    assert second.post("/login/code/", {"code": code}).status_code == 200
    assert not is_in(second)


def test_a_sign_in_that_waits_for_its_code_can_be_given_up(browser, alice, app_of):
    app_of(alice)
    client = browser()
    sign_in(client, alice)
    assert client.get("/login/").status_code == 302  # back to the code
    client.post("/logout/")
    assert client.get("/login/").status_code == 200


def test_a_recovery_code_signs_in_once(browser, alice, app_of):
    app_of(alice)
    code = Authenticator.objects.get(user=alice, type="recovery_codes").wrap().get_unused_codes()[0]
    for works in (True, False):
        client = browser()
        sign_in(client, alice)
        client.post("/login/code/", {"code": code})
        assert is_in(client) is works


def test_ten_wrong_codes_and_the_right_one_waits_too(browser, alice, app_of):
    secret = app_of(alice)
    client = browser()
    sign_in(client, alice)
    for _ in range(10):
        client.post("/login/code/", {"code": "000000"})
    answer = client.post("/login/code/", {"code": code_of(secret)})
    assert "too many attempts" in answer.content.decode()
    assert not is_in(client)


def test_secrets_are_encrypted_where_they_are_stored(alice, app_of):
    secret = app_of(alice)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert Authenticator.objects.get(type="totp").wrap().validate_code(code_of(secret, time.time() - 30))


def test_setting_up_and_removing_are_on_record(client, alice, acts):
    client.force_login(alice)
    page = client.get("/account/second-factor/app/")
    secret = page.context["form"].secret
    assert client.post("/account/second-factor/app/", {"code": "000000"}).status_code == 200
    assert client.post("/account/second-factor/app/", {"code": code_of(secret)}).status_code == 302
    client.post("/account/second-factor/app/remove/")
    events = [(act.user_id, act.new["factor"]) for act in acts("second_factor_added")]
    assert events == [(alice.pk, "totp"), (alice.pk, "recovery_codes")]
    assert {act.new["factor"] for act in acts("second_factor_removed")} == {"totp", "recovery_codes"}
    assert not Authenticator.objects.exists()


def test_an_administrator_takes_a_lost_factor_away(client, browser, ada, alice, app_of, acts):
    app_of(alice)
    client.force_login(ada)
    assert "Authenticator app" in client.get(reverse("person", args=[alice.pk])).content.decode()
    client.post(reverse("person_factors", args=[alice.pk]))
    event = acts("second_factor_reset")[0]
    assert (event.user_id, event.row_id) == (ada.pk, str(alice.pk))
    theirs = browser()
    sign_in(theirs, alice)
    assert is_in(theirs)


@pytest.mark.parametrize("act", ["person_factors", "person_active", "person_password", "person_role"])
def test_a_sensitive_act_asks_again_who_one_is(client, ada, alice, north, act, monkeypatch):
    client.force_login(ada)
    url = reverse(act, args=[alice.pk])
    sent = {"role": "monitor", "site": north.pk, "starts_on": "2026-01-01", "active": "0"}
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400)
    asked = client.post(url, sent)
    assert asked.url == f"/account/confirm/?next={url.replace('/', '%2F')}"
    assert client.post(asked.url, {"password": "wrong"}).status_code == 200
    alice.refresh_from_db()
    assert (alice.is_active, alice.memberships.count(), "password_link" in client.session) == (True, 1, False)
    done = client.post(asked.url, {"password": "correct horse battery"})
    assert (done.status_code, done.url) == (302, reverse("person", args=[alice.pk]))
    alice.refresh_from_db()
    happened = {
        "person_factors": alice.sign_in_epoch == 1,
        "person_active": not alice.is_active,
        "person_password": "password_link" in client.session,
        "person_role": alice.memberships.filter(role="monitor").exists(),
    }
    assert happened[act]
