"""Signing in: wrong passwords are counted and on record, and tell nothing of who has an account."""

import uuid

import pytest

from sites.models import AuditEvent
from sites.tenancy.scope import Scope, entered
from tests.conftest import PASSWORD

ATTEMPTS = 10  # of ACCOUNT_RATE_LIMITS, for one account


@pytest.fixture
def address(alice):
    """An address of this test's own, because attempts are counted outside the database."""
    alice.email = f"{uuid.uuid4().hex}@example.org"
    alice.save(update_fields=["email"])
    return alice.email


def sign_in(client, address, password):
    return client.post("/login/", {"username": address, "password": password})


def test_after_ten_wrong_passwords_the_right_one_waits_too(client, address):
    for _ in range(ATTEMPTS - 1):
        assert sign_in(client, address, "wrong").status_code == 200
    assert sign_in(client, address, PASSWORD).status_code == 302
    client.logout()
    for _ in range(ATTEMPTS):
        sign_in(client, address, "wrong")
    refused = sign_in(client, address.upper(), PASSWORD)
    assert refused.status_code == 200
    assert "too many attempts" in refused.content.decode()


def test_an_unknown_address_is_answered_like_a_known_one(client, address):
    unknown = f"{uuid.uuid4().hex}@example.org"
    for attempt in range(ATTEMPTS + 1):
        known, other = (sign_in(client, email, "wrong").context["form"] for email in (address, unknown))
        assert known.non_field_errors() == other.non_field_errors(), attempt


def test_each_attempt_is_on_record_without_what_was_typed(client, address, alice):
    sign_in(client, address, "a secret of mine")
    sign_in(client, address, PASSWORD)
    with entered(Scope(administers=True)):
        failed = AuditEvent.objects.get(action="sign_in_failed")
        assert (failed.new, failed.row_id, failed.user_id) == ({}, "", None)
        assert AuditEvent.objects.get(action="sign_in").user_id == alice.pk


def test_the_session_is_new_after_signing_in_and_gone_after_signing_out(client, address):
    client.get("/login/")
    sign_in(client, address, PASSWORD)
    first = client.session.session_key
    client.post("/logout/")
    client.cookies["sessionid"] = first
    assert client.get("/").status_code == 302
    assert sign_in(client, address, PASSWORD).status_code == 302
    assert client.session.session_key != first
