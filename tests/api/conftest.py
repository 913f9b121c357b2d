"""Programs that ask for the cast, each with a token."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from sites.models import Site
from sites.people import tokens
from sites.people.tokens import TokenScope
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.conftest import TODAY, person
from tests.transfer.conftest import folder  # noqa: F401 - a fixture
from tests.web.conftest import ASSESSMENT, browse, text  # noqa: F401 - fixtures
from tests.working import serving

BASE = "/api/v1/"


class Program:
    """Asks with a token: `program.get("patients")`, `program.post("patients", {...})`, `program.patch(...)`."""

    def __init__(self, token):
        self.client = Client(raise_request_exception=False)
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

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
def served(committed):
    """(address, token) of a running registry with two patients at North and one, of no concern, at South."""
    north, south = (Site.objects.create(code=code, name=code) for code in ("N01", "S01"))
    alice, charlie = person("Alice", Role.COORDINATOR, north), person("Charlie", Role.COORDINATOR, south)
    for user, site, values in ((alice, north, ("60", "70")), (charlie, south, ("5",))):
        access = access_of(user)
        with entered(access.scope()), transaction.atomic():
            for eq_vas in values:
                raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
                patient = patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY)
                answers = ASSESSMENT | {"eq_vas": eq_vas}
                save_assessment(access=access, patient=patient, timepoint="preop", raw=answers, complete=True)
    token = issued(alice)
    with serving() as port:
        yield f"http://127.0.0.1:{port}", token
