"""Single sign-on against a provider of our own: it says who somebody is, an account comes from an invitation."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount

from tests.account.conftest import is_in


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
            else self.server.person
        )

    def do_POST(self):
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.tokens.append(sent)
        self.answer({"access_token": "token", "token_type": "Bearer"})

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
    server.tokens = []
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


def come_back(client, **changes):
    """Start at the button, come back from the provider as `server.person`; the callback's answer."""
    away = client.post("/sso/login/")
    assert away.status_code == 302
    asked = parse_qs(urlsplit(away.url).query)
    assert asked["redirect_uri"] == ["http://testserver/sso/callback/"]
    assert asked["code_challenge_method"] == ["S256"]
    return client.get("/sso/callback/", {"code": "code", "state": asked["state"][0]} | changes)


def test_a_person_of_a_verified_address_signs_in(browser, provider, alice, acts):
    assert "Hospital sign-on" in browser().get("/login/").content.decode()
    provider.person = {"sub": "7", "email": "Alice@Example.org", "email_verified": True}
    client = browser()
    assert come_back(client).url == "/"
    assert is_in(client)
    assert "code_verifier" in provider.tokens[0]
    assert SocialAccount.objects.get().user == alice
    assert acts("single_sign_on_connected")[0].user_id == alice.pk
    assert acts("sign_in")[0].user_id == alice.pk

    provider.person = {"sub": "7", "email": "married@example.org", "email_verified": True}  # the same person still
    again = browser()
    come_back(again)
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
    answer = come_back(client)
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
    come_back(client)
    assert not is_in(client)


def test_an_answer_that_nobody_asked_for_is_refused(browser, provider, alice):
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    client = browser()
    come_back(client, state="made up")
    assert not is_in(client)


def test_the_second_factor_is_asked_for_all_the_same(browser, provider, alice, app_of):
    app_of(alice)
    provider.person = {"sub": "7", "email": "alice@example.org", "email_verified": True}
    client = browser()
    assert come_back(client).url.startswith("/login/code/")
    assert not is_in(client)
