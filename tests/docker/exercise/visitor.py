"""A browser and a program on the registry through its proxy, over TLS."""

import json
import re
import ssl
from contextlib import closing
from http.client import HTTPSConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.docker.exercise.engine import Failed

DOMAIN = "registry.test"


class _ToThisMachine(HTTPSConnection):
    """Asks for the registry's name at this machine's address: there is no name service."""

    def connect(self):
        self._create_connection = lambda _address, *more: self._plain(("127.0.0.1", 443), *more)
        super().connect()

    @staticmethod
    def _plain(*where):
        import socket

        return socket.create_connection(*where)


class Visitor:
    """One person's session. Every request raises Failed unless its status is the expected one."""

    def __init__(self, email=None, password=None):
        self.cookies = {}
        if email:
            self.get("/login/")
            self.post("/login/", {"username": email, "password": password}, status=302)

    def get(self, path, status=200):
        return self._ask("GET", path, status)

    def post(self, path, fields, status=302):
        """Send a form."""
        return self._ask("POST", path, status, *self.form(fields))

    def send(self, path, body, status):
        """Send JSON; returns the answer's."""
        return json.loads(self._ask("POST", path, status, json.dumps(body), "application/json"))

    def read(self, path):
        return json.loads(self.get(path))

    @property
    def token(self):
        return next((value for name, value in self.cookies.items() if "csrftoken" in name), "")

    def form(self, fields):
        """(body, its type) of a form."""
        return urlencode(fields | {"csrfmiddlewaretoken": self.token}), "application/x-www-form-urlencoded"

    def exchange(self, method, path, body=None, kind=""):
        """The answer, whatever it is: `status`, `headers` and `content`. Raises OSError where there is none."""
        connection = _ToThisMachine(DOMAIN, 443, timeout=300, context=ssl._create_unverified_context())  # noqa: S323
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers["X-Forwarded-For"] = "198.51.100.7"  # as a proxy of the hospital's says
        headers |= {"Referer": f"https://{DOMAIN}{path}", "X-CSRFToken": self.token, "Content-Type": kind}
        with closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.content = answer.read()
        for line in answer.headers.get_all("Set-Cookie", ()):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return answer

    def _ask(self, method, path, status, body=None, kind=""):
        try:
            answer = self.exchange(method, path, body, kind)
        except OSError as error:
            raise Failed(f"{method} {path}: {error}") from error
        if answer.status != status:
            words = re.sub(rb"<[^>]+>|\s+", b" ", answer.content)[:600].decode(errors="replace")
            raise Failed(f"{method} {path}: {answer.status} instead of {status}: {words}")
        return answer.content
