"""Programs that ask for the cast, each with a token."""

import json
from datetime import timedelta
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
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
from tests.web.conftest import ASSESSMENT

application = get_wsgi_application()

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


# A running registry


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


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
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", token
        server.shutdown()
        thread.join()
        with connection.cursor() as cursor:
            # The thread's own session would keep the tables from being emptied.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
