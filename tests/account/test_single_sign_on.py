"""Single sign-on against a provider of our own: it says who somebody is, an account comes from an invitation."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.account.conftest import is_in


def _key(kid):
    """(private key, its public half as the provider's keys have it)"""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return key, public | {"kid": kid, "alg": "RS256", "use": "sig"}


KEYS = [_key("current"), _key("current")]  # the provider's own, and one that somebody made up


class Provider(BaseHTTPRequestHandler):
    """The four addresses of an OpenID Connect provider; `server.person` is who is signed in there."""

    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        self.answer(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "userinfo_endpoint": f"{base}/person",
                "jwks_uri": f"{base}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
            if "well-known" in self.path
            else {"keys": [KEYS[0][1]]}
            if self.path == "/keys"
            else self.server.person
        )

    def do_POST(self):
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.tokens.append(sent)
        self.answer({"access_token": "token", "token_type": "Bearer"} | self.server.signed(sent))

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def provider(settings):
    server = HTTPServer(("127.0.0.1", 0), Provider)
    server.tokens, server.claims, server.key, server.nonce = [], {}, KEYS[0][0], ""

    def signed(sent):
        """The ID token of an answer: claims that a test sets to None are left out, `server.key` None signs nothing."""
        now = int(time.time())
        claims = {
            "iss": f"http://127.0.0.1:{server.server_port}",
            "aud": "metaspine",
            "sub": server.person.get("sub"),
            "iat": now,
            "exp": now + 300,
            "nonce": server.nonce,
        } | server.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if server.key is None:
            return {"id_token": jwt.encode(claims, None, algorithm="none", headers={"kid": "current"})}
        return {"id_token": jwt.encode(claims, server.key, algorithm="RS256", headers={"kid": "current"})}

    server.signed = signed
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app = {
        "provider_id": "sso",
        "name": "Hospital sign-on",
        "client_id": "metaspine",
        "secret": "of the client",
        "settings": {"server_url": f"http://127.0.0.1:{server.server_port}"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    yield server
    server.shutdown()
    server.server_close()


def come_back(client, provider=None, **changes):
    """Start at the button, come back from the provider as `server.person`; the callback's answer."""
    away = client.post("/sso/login/")
    assert away.status_code == 302
    asked = parse_qs(urlsplit(away.url).query)
    assert asked["redirect_uri"] == ["http://testserver/sso/callback/"]
    assert asked["code_challenge_method"] == ["S256"]
    if provider is not None:
        provider.nonce = asked["nonce"][0]
    return client.get("/sso/callback/", {"code": "code", "state": asked["state"][0]} | changes)


def test_a_person_of_a_verified_address_signs_in(browser, provider, alice, acts):
    assert "Hospital sign-on" in browser().get("/login/").content.decode()
    provider.person = {"sub": "7", "email": "Alice@Example.org", "email_verified": True}
    client = browser()
    assert come_back(client, provider).url == "/"
    assert is_in(client)
    assert "code_verifier" in provider.tokens[0]
    assert SocialAccount.objects.get().user == alice
    assert acts("single_sign_on_connected")[0].user_id == alice.pk
    assert acts("sign_in")[0].user_id == alice.pk

    provider.person = {"sub": "7", "email": "married@example.org", "email_verified": True}  # the same person still
    again = browser()
    come_back(again, provider)
    assert again.get("/account/").context["user"] == alice


@pytest.mark.parametrize(
    "person",
    [
        {"sub": "8", "email": "stranger@example.org", "email_verified": True},
        {"sub": "8", "email": "alice@example.org", "email_verified": False},
        {"sub": "8", "email": "alice@example.org"},
        {"sub": "8"},
    ],
)
def test_nobody_else_does(browser, provider, alice, acts, person):
    provider.person = person
    client = browser()
    answer = come_back(client, provider)
    assert answer.status_code == 403
    assert "no active account" in answer.content.decode()
    assert not is_in(client)
    assert not SocialAccount.objects.exists()
    assert len(acts("sign_in_failed")) == 1


def test_somebody_made_inactive_does_not(browser, provider, alice):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    come_back(browser())
    alice.is_active = False
    alice.save()
    client = browser()
    come_back(client, provider)
    assert not is_in(client)


def test_an_answer_that_nobody_asked_for_is_refused(browser, provider, alice):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    client = browser()
    come_back(client, provider, state="made up")
    assert not is_in(client)


def test_the_second_factor_is_asked_for_all_the_same(browser, provider, alice, app_of):
    app_of(alice)
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    client = browser()
    assert come_back(client, provider).url.startswith("/login/code/")
    assert not is_in(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "of another browser"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"exp": 1},
        {"sub": "8"},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_for_this_start_is_refused(browser, provider, alice, wrong):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    provider.claims = wrong
    client = browser()
    come_back(client, provider)
    assert not is_in(client) and not SocialAccount.objects.exists()
    provider.claims = {}
    come_back(client, provider)
    assert is_in(client)


@pytest.mark.parametrize("key", [KEYS[1][0], None])
def test_an_id_token_that_the_provider_did_not_sign_is_refused(browser, provider, alice, key):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    provider.key = key
    client = browser()
    come_back(client, provider)
    assert not is_in(client)


def test_without_an_id_token_nobody_signs_in(browser, provider, alice):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    provider.signed = lambda sent: {}
    client = browser()
    come_back(client, provider)
    assert not is_in(client)


def test_metadata_of_another_issuer_are_refused(browser, provider, alice, settings):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    (app,) = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    app["settings"]["server_url"] = app["settings"]["server_url"].replace("127.0.0.1", "localhost")
    client = browser()
    come_back(client, provider)
    assert not is_in(client)


def test_a_provider_that_cannot_be_reached_is_told_and_no_failure(browser, provider, alice, settings):
    (app,) = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    app["settings"]["server_url"] = "http://127.0.0.1:1"
    assert browser().post("/sso/login/").status_code in (302, 401)


def test_what_is_verified_is_said_by_the_provider_in_earnest(browser, provider, alice):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": "false"}
    client = browser()
    assert come_back(client, provider).status_code == 403
    assert not is_in(client)


def test_nobody_sends_more_to_the_provider_by_a_link(browser, provider, alice):
    away = browser().post("/sso/login/?auth_params=nonce%3Dmine%26prompt%3Dnone")
    asked = parse_qs(urlsplit(away.url).query)
    assert asked["nonce"] != ["mine"] and "prompt" not in asked
