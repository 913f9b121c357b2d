"""The web server of the benchmarks, and people signed in on it."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(workers=2, threads=4, settings="bench.shared.settings"):
    """gunicorn as the demo runs it, on a free port; yields (port, process).

    settings  "registry.settings" for the product alone, whose guards know no bare table
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "registry.wsgi", "--worker-class", "gthread"]
    command += ["--workers", str(workers), "--threads", str(threads), "--bind", f"127.0.0.1:{port}"]
    command += ["--keep-alive", "60", "--log-level", "error"]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": settings,
        "METASPINE_DEBUG": "0",
        "METASPINE_SECOND_FACTOR": "none",
    }
    process = subprocess.Popen(command, cwd=PROJECT, env=environment)
    try:
        _wait(port)
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def _wait(port):
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the web server did not start")


class Visitor:
    """One connection to the server, with or without someone signed in or an API token."""

    def __init__(self, port, user=None, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.token = secrets.token_hex(16)
        self.headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if user is not None:
            self.headers["Cookie"] = f"sessionid={session_of(user)}; csrftoken={self.token}"

        if token is not None:
            self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def close(self):
        self.connection.close()

    def get(self, path):
        return self._request("GET", path, None)

    def post(self, path, fields):
        return self.request("POST", path, fields)

    def request(self, method, path, fields, headers=None):
        """Send a form or, with a token, JSON: (status, body)."""
        if "Authorization" in self.headers:
            return self._request(method, path, json.dumps(fields), headers)
        return self._request(method, path, urlencode(fields | {"csrfmiddlewaretoken": self.token}))

    def _request(self, method, path, body, headers=None):
        self.connection.request(method, path, body, self.headers | (headers or {}))
        response = self.connection.getresponse()
        return response.status, response.read()


def session_of(user):
    """The key of a new session in which somebody is signed in."""
    from importlib import import_module

    from allauth.usersessions.models import UserSession
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["signed_in_at"] = session["seen_at"] = time.time()
    session.create()
    UserSession.objects.create(user=user, session_key=session.session_key, ip="127.0.0.1")  # as signing in does
    return session.session_key


def person(role, site=None):
    """Someone with one role, made for the benchmark."""
    from sites.models import Membership, User

    user = User.objects.create_user(f"{role}-{secrets.token_hex(4)}@bench.example", name=f"Bench {role}")
    Membership.objects.create(user=user, role=role, site=site)
    return user
