"""What the tests of signing in share: an address in the network of one's own, mails, and authenticator apps."""

import base64
import hashlib
import hmac
import struct
import time
import uuid

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from registry.celery import app
from sites.models import AuditEvent
from sites.tenancy.scope import Scope, entered
from tests.conftest import PASSWORD


def code_of(secret, at=None):
    """The six digits that an authenticator app shows (RFC 6238: SHA-1, 30 seconds)."""
    key = base64.b32decode(secret, casefold=True)
    digest = hmac.new(key, struct.pack(">Q", int(at or time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def sign_in(client, user, password=PASSWORD, **more):
    return client.post("/login/", {"username": user.email, "password": password} | more)


def is_in(client):
    """Whether somebody is signed in here."""
    return client.get("/account/").status_code == 200


@pytest.fixture
def browser():
    """`browser()` is another browser, from another place in the network each time, because attempts are counted."""
    return lambda **defaults: Client(
        REMOTE_ADDR=f"10.{'.'.join(str(byte) for byte in uuid.uuid4().bytes[:3])}", **defaults
    )


@pytest.fixture
def acts(db):
    """`acts("sign_in")` are the events of that name, oldest first."""

    def read(action):
        with entered(Scope(administers=True)):
            return list(AuditEvent.objects.filter(action=action).order_by("pk"))

    return read


@pytest.fixture
def app_of():
    """`app_of(user)` gives a person an authenticator app and recovery codes, and returns its secret."""

    def add(user):
        secret = generate_totp_secret()
        TOTP.activate(user, secret)
        RecoveryCodes.activate(user)
        return secret

    return add


@pytest.fixture
def with_mail(settings, django_capture_on_commit_callbacks):
    """A mail server is configured, and tasks run at once: `with with_mail(): …` sends what was asked for."""
    settings.MAIL = True
    app.conf.task_always_eager = True
    yield lambda: django_capture_on_commit_callbacks(execute=True)
    app.conf.task_always_eager = False
