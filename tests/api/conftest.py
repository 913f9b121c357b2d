"""Programs that ask for the cast, each with a token."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from sites.people import tokens
from sites.people.tokens import TokenScope
from sites.tenancy.access import access_of

BASE = "/api/v1/"


class Program:
    """Asks with a token: `program.get("patients")`, `program.post("patients", {...})`, `program.patch(...)`."""

    def __init__(self, text):
        self.client = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {text}"} if text else {}

    def ask(self, method, path, body=None, **headers):
        url = path if path.startswith(("/", "http")) else BASE + path
        sent = {"headers": self.headers | {name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent |= {"data": raw, "content_type": "application/json"}
        return getattr(self.client, method)(url, **sent)

    def get(self, path, **headers):
        return self.ask("get", path, **headers)

    def post(self, path, body, **headers):
        return self.ask("post", path, body, **headers)

    def patch(self, path, body, **headers):
        return self.ask("patch", path, body, **headers)

    def change(self, path, body, read=None, **headers):
        """A PATCH of the version that is stored now."""
        return self.patch(path, body, if_match=self.get(read or path)["ETag"], **headers)


def issued(user, scopes=tuple(TokenScope), **more):
    """The text of a new token of `user`."""
    more = {"expires_at": timezone.now() + timedelta(days=1), "name": "test"} | more
    return tokens.issue(access=access_of(user), user=user, scopes=scopes, **more).text


@pytest.fixture
def program():
    """`program(alice)` may do what Alice may; `program(alice, "read")` only read."""

    def start(user, *scopes, **more):
        return Program(issued(user, scopes or tuple(TokenScope), **more))

    return start


@pytest.fixture
def browse():
    """`browse(alice)` is a browser in which that person is signed in."""

    def sign_in(user):
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def text():
    """`text(response)` is the page as one line of HTML."""
    return lambda response: " ".join(response.content.decode().split())
