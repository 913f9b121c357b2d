"""A token is no stronger than its owner: what ends it, what it never gains, who is asked before it is issued."""

import datetime as dt
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone

from registry.celery import app
from sites.models import ApiToken, AuditEvent, Membership
from sites.people import sign_ins, tokens
from sites.tenancy.access import Role
from sites.tenancy.scope import Scope, entered
from tests.api.conftest import Program, issued
from tests.conftest import PASSWORD, person


def with_factor(user):
    TOTP.activate(user, generate_totp_secret())
    return user


def acts(action):
    with entered(Scope(administers=True)):
        return list(AuditEvent.objects.filter(action=action).order_by("pk"))


@pytest.mark.parametrize(
    "act", ["password", "reset link", "everywhere", "administrator", "factor", "inactive for a while"]
)
def test_a_token_ends_with_what_ends_its_owners_sessions(alice, ada, client, act):
    text = issued(with_factor(alice))
    assert Program(text).get("me").status_code == 200
    client.force_login(ada if act in ("administrator", "factor", "inactive for a while") else alice)
    if act == "password":
        new = {"oldpassword": PASSWORD, "password1": "quiet river lamp", "password2": "quiet river lamp"}
        assert client.post("/account/password/", new).status_code == 302
    elif act == "reset link":
        alice.set_password("quiet river lamp")
        alice.save()
    elif act == "everywhere":
        client.post("/account/sessions/end/")
    elif act == "administrator":
        client.post(f"/people/{alice.pk}/sessions/end/")
    elif act == "factor":
        client.post(f"/people/{alice.pk}/second-factor/reset/")
    else:
        for active in "01":
            client.post(f"/people/{alice.pk}/active/", {"active": active})
    assert Program(text).get("me").status_code == 401
    again = Client()
    again.force_login(type(alice).objects.get(pk=alice.pk))
    assert "Revoked" in again.get("/tokens/").content.decode() or "Ended" in again.get("/tokens/").content.decode()


def test_a_token_never_gains_what_was_granted_later(north, south, enrolled, alice, charlie):
    mine, other = enrolled(alice).pk, enrolled(charlie).pk
    asking = Program(issued(alice))
    Membership.objects.create(user=alice, role=Role.DATA_MANAGER, site=None)
    Membership.objects.create(user=alice, role=Role.INVESTIGATOR, site=south)
    assert [asking.get(f"patients/{patient_id}").status_code for patient_id in (mine, other)] == [200, 404]
    assert set(asking.get("me").json()["may"]) == {"read", "enter", "identify", "export", "import"}
    assert [Program(issued(alice)).get(f"patients/{patient_id}").status_code for patient_id in (mine, other)] == [
        200,
        200,
    ]
    # The same role given anew is another grant.
    Membership.objects.filter(user=alice, role=Role.COORDINATOR).update(
        ends_on=timezone.localdate() - dt.timedelta(days=1)
    )
    Membership.objects.create(user=alice, role=Role.COORDINATOR, site=north)
    assert asking.get("me").json()["may"] == []


def test_identifiers_by_token_need_a_second_factor(browse, alice, enrolled, settings):
    settings.SECOND_FACTOR = "central"
    patient, client = enrolled(alice).pk, browse(alice)
    refused = client.post("/tokens/", {"name": "Ward", "days": "30", "scopes": ["identify"]})
    assert refused.status_code == 422 and "second factor" in refused.content.decode()
    with pytest.raises(tokens.SecondFactorNeeded):
        issued(alice, ["identify"])
    asking = Program(issued(with_factor(alice), ["identify"]))
    assert asking.get(f"patients/{patient}/identifiers").status_code == 200
    Authenticator.objects.all().delete()
    assert asking.get(f"patients/{patient}/identifiers").status_code == 401


def test_a_token_of_many_sites_falls_with_the_factor_that_its_owner_must_have(dana, settings):
    settings.SECOND_FACTOR = "identifiers"
    asking = Program(issued(with_factor(dana), ["read"]))
    assert asking.get("patients").status_code == 200
    Authenticator.objects.all().delete()
    assert asking.get("patients").status_code == 401


def test_issuing_asks_who_one_is_and_is_told_by_mail(
    browse, alice, settings, monkeypatch, mailoutbox, django_capture_on_commit_callbacks
):
    settings.MAIL = True
    client, sent = browse(alice), {"name": "Ward", "days": "30"}
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400)
    asked = client.post("/tokens/", sent)
    assert asked.url.startswith("/account/confirm/") and not ApiToken.objects.exists()
    app.conf.task_always_eager = True
    try:
        with django_capture_on_commit_callbacks(execute=True):
            done = client.post(asked.url, {"password": PASSWORD})
    finally:
        app.conf.task_always_eager = False
    assert done.status_code == 201 and ApiToken.objects.count() == 1
    (letter,) = mailoutbox
    assert letter.to == [alice.email] and "API token was issued" in letter.body and "msp_" not in letter.body


@pytest.mark.parametrize("state", ["revoked", "expired", "owner ended", "invented"])
def test_every_token_that_does_not_hold_is_answered_alike_and_on_record_once(alice, state):
    text = issued(alice)
    if state == "revoked":
        ApiToken.objects.update(revoked_at=timezone.now())
    elif state == "expired":
        ApiToken.objects.update(expires_at=timezone.now())
    elif state == "owner ended":
        sign_ins.end_sessions(alice)
    else:
        text = tokens.PREFIX + "x" * 43
    answers = [Program(text).get("me") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["detail"] for answer in answers} == {
        "The token is not accepted. Its owner sees on the page “API tokens” what became of it."
    }
    (event,) = acts("token_refused")
    assert event.row_id == ("" if state == "invented" else str(alice.pk))
    assert text not in str(event.new)


def test_guessing_tokens_is_slowed_and_an_old_one_is_no_guess(alice, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"api_token": "3/15m/ip"}
    right = issued(alice)
    assert {Program("msp_old").get("me").status_code for _ in range(9)} == {401}
    assert [Program(f"msp_{n}").get("me").status_code for n in range(3)] == [401, 401, 429]
    assert Program(right).get("me").status_code == 200


def test_an_answer_is_told_again_to_the_same_token_and_its_same_rights_alone(alice, north, south, enrolled):
    Membership.objects.create(user=alice, role=Role.COORDINATOR, site=south)
    first, second = Program(issued(alice)), Program(issued(alice))
    body = {
        "sex": "male",
        "birth_date": "1955-04-03",
        "consent_date": "2026-01-10",
        "consented": True,
        "site_code": "S01",
    }
    key = {"idempotency_key": "one-and-only"}
    made = first.post("patients", body, **key)
    assert made.status_code == 201
    again = first.post("patients", body, **key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert second.post("patients", body, **key).status_code == 409
    yesterday = timezone.localdate() - dt.timedelta(days=1)
    Membership.objects.filter(user=alice, site=south).update(starts_on="2020-01-01", ends_on=yesterday)
    assert first.post("patients", body, **key).status_code == 409


def test_an_owner_without_a_role_any_more_gets_nothing(north):
    former = person("Nina", Role.COORDINATOR, north)
    asking = Program(issued(former))
    Membership.objects.filter(user=former).update(ends_on=timezone.localdate() - dt.timedelta(days=1))
    assert asking.get("patients").status_code == 403


def test_a_token_holds_where_a_proxy_mounts_the_registry_below_a_prefix(enrolled, alice):
    asking, mounted = Program(issued(alice)), {"SCRIPT_NAME": "/registry"}
    sent = mounted | {"headers": asking.headers}
    assert asking.client.get("/api/v1/me", **sent).status_code == 200
    address = f"/api/v1/assessments/{enrolled(alice).pk}/preop"
    refused = asking.client.patch(address, b"{}", content_type="application/json", **sent)
    assert refused.status_code == 404  # there is none yet: the method itself is the API's
