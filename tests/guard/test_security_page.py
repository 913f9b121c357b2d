"""SECURITY.md: each requirement once, tests that exist, and the headers and cookies that it speaks of."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from django.test import Client

from registry.embedded import PROJECT

PAGE = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
# OWASP ASVS 5.0.0: section to its last requirement of level 1 or 2; in each section they are the first ones.
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4,
    "17.3": 2,
}  # fmt: skip
REQUIREMENTS = [f"V{section}.{number}" for section, last in SECTIONS.items() for number in range(1, last + 1)]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if re.match(r"\| V\d", line)
]


def test_every_requirement_stands_here_once():
    counts = Counter(number for row in ROWS for number in row[0].split(", "))
    assert len(REQUIREMENTS) == 253
    assert counts == Counter(REQUIREMENTS)


def test_what_is_met_names_a_test_and_the_rest_a_reason():
    for numbers, state, how, *shown in ROWS:
        assert state in {"met", "part", "not", "–"}, numbers
        assert how, numbers
        if state == "met" and numbers != "V12.3.2":  # by the libraries' defaults
            assert "tests/" in shown[0], numbers
        if state == "–":
            assert shown[0].strip("| ") == "", numbers


def test_every_test_that_is_named_exists():
    named = set(re.findall(r"`(tests/[\w/]+(?:\.py)?/?(?:::\w+)?)`", PAGE))
    assert len(named) > 80
    for match in named:
        path, _, function = match.partition("::")
        assert (PROJECT / path).exists(), match
        assert not function or f"\ndef {function}(" in (PROJECT / path).read_text(encoding="utf-8"), match


def test_every_answer_has_its_headers(db, alice):
    client = Client()
    client.force_login(alice)
    for address in ("/login/", "/", "/patients/", "/api/v1/me", "/api/fhir/R4/metadata", "/nothing/", "/export/"):
        headers = client.get(address).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["object-src"] == policy["base-uri"] == "'none'", address
        assert policy["frame-ancestors"] == "'none'" and "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "same-origin")
        assert "Access-Control-Allow-Origin" not in headers
    assert client.trace("/patients/").status_code == 405


def test_scripts_write_no_markup_and_keep_drafts_alone():
    texts = {path.name: path.read_text() for path in (PROJECT / "static").glob("*.js")}
    assert len(texts) > 3
    markup = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "__proto__")
    for word in (*markup, "sessionStorage", "indexedDB", "postMessage"):
        assert not [name for name, text in texts.items() if word in text], word
    # Typed where the server was out of reach: encrypted, and gone at sign-out (tests/browser/test_drafts.py).
    assert {name for name, text in texts.items() if "localStorage" in text} == {"drafts.js", "session.js"}


SETTINGS = """
import django; django.setup()
from django.conf import settings as s
print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,
      s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SAMESITE, s.SECURE_HSTS_SECONDS,
      s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_SSL_REDIRECT)
"""


@pytest.mark.parametrize("tls", ["0", "1"])
def test_cookies_under_tls_are_of_this_host_alone(tls):
    environment = os.environ | {"METASPINE_TLS": tls, "DJANGO_SETTINGS_MODULE": "registry.settings"}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], env=environment, cwd=PROJECT, capture_output=True, text=True, check=True
    )
    *names, secure, csrf, hidden, same, same_csrf, hsts, below, redirects = done.stdout.split()
    assert (hidden, same, same_csrf) == ("True", "Lax", "Lax")
    assert all(name.startswith("__Host-") == (tls == "1") for name in names)
    assert {secure, csrf, below, redirects} == {str(tls == "1")}
    assert hsts == ("31536000" if tls == "1" else "0")
