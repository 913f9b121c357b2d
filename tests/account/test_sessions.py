"""Sessions end: by doing nothing, by age, by signing out somewhere else, by an administrator."""

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sites.backend import Backend
from sites.people.sessions import SessionStore, asking
from sites.tenancy.access import Role, access_of
from tests.account.conftest import is_in, sign_in
from tests.conftest import PASSWORD

MINUTE = 60


@pytest.fixture
def clock(monkeypatch):
    """`clock.forward(seconds)`: the time of sessions goes on without waiting."""
    import time

    class Clock:
        ahead = 0

        def forward(self, seconds):
            self.ahead += seconds

    result, real = Clock(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + result.ahead)
    return result


def test_a_session_ends_after_half_an_hour_of_nothing(browser, alice, clock, acts):
    client = browser()
    sign_in(client, alice)
    for _ in range(4):
        clock.forward(20 * MINUTE)
        assert is_in(client)  # each page starts the half hour anew
    clock.forward(31 * MINUTE)
    assert not is_in(client)
    assert acts("session_expired")[0].user_id == alice.pk


def test_who_sent_something_too_late_comes_back_to_the_page_it_was_sent_from(browser, alice, clock):
    client = browser()
    sign_in(client, alice)
    clock.forward(31 * MINUTE)
    sent = {"HTTP_REFERER": "http://testserver/account/?a=b"}
    asked = client.post(reverse("sign_out_everywhere"), **sent)
    assert asked.status_code == 302
    page = client.get(asked.url)
    assert "the last step was not carried out" in page.content.decode()
    back = client.post(asked.url, {"username": alice.email, "password": PASSWORD, "next": "/account/?a=b"})
    assert back.url == "/account/?a=b"
    assert f"next={back.url.replace('?', '%3F').replace('=', '%3D')}" in asked.url

    clock.forward(31 * MINUTE)
    elsewhere = client.post(reverse("sign_out_everywhere"), HTTP_REFERER="https://elsewhere.example/account/")
    assert elsewhere.url.endswith("next=/")
    assert client.get("/account/?a=b").url == "/login/?next=/account/%3Fa%3Db"


def test_an_address_for_buttons_alone_says_so(client, alice):
    client.force_login(alice)
    page = client.get(reverse("sign_out_everywhere"), HTTP_ACCEPT="text/html")
    assert (page.status_code, page["Allow"]) == (405, "POST")
    assert "only takes what a button sends" in page.content.decode()
    assert client.get(reverse("sign_out_everywhere"), HTTP_ACCEPT="application/json").content == b""


def test_a_session_ends_after_twelve_hours_whatever_happens(browser, alice, clock):
    client = browser()
    sign_in(client, alice)
    for _ in range(47):
        clock.forward(15 * MINUTE)
        assert is_in(client)
    clock.forward(16 * MINUTE)
    assert not is_in(client)


def test_what_a_page_asks_by_itself_keeps_no_session_alive(browser, alice, clock):
    client = browser()
    sign_in(client, alice)
    clock.forward(10 * MINUTE)
    state = client.get("/session/").json()
    assert (state["person"], state["extends"]) == (alice.pk, True)
    assert 19 * MINUTE < state["left"] <= 20 * MINUTE
    assert client.post("/session/stay/").json()["left"] > 29 * MINUTE
    clock.forward(20 * MINUTE)
    client.get("/session/")
    clock.forward(11 * MINUTE)
    assert client.get("/session/").json()["person"] is None


def test_the_sessions_of_ones_own_are_listed_and_end_one_by_one(browser, alice, charlie):
    here, there, other = browser(), browser(HTTP_USER_AGENT="Mozilla/5.0 (iPad) Safari/1"), browser()
    for client, user in ((here, alice), (there, alice), (other, charlie)):
        sign_in(client, user)
    page = here.get("/account/").content.decode()
    assert "Safari, iPad" in page
    assert page.count("(this one)") == 1
    foreign = UserSession.objects.get(user=charlie)
    assert here.post(reverse("session_end", args=[foreign.pk])).status_code == 404
    assert is_in(other)
    theirs = UserSession.objects.get(user=alice, user_agent__contains="iPad")
    here.post(reverse("session_end", args=[theirs.pk]))
    assert (is_in(here), is_in(there)) == (True, False)


def test_signing_out_everywhere_ends_all(browser, alice, acts):
    clients = [browser() for _ in range(3)]
    for client in clients:
        sign_in(client, alice)
    clients[0].post("/account/sessions/end/")
    assert [is_in(client) for client in clients] == [False] * 3
    assert acts("sessions_ended")[0].user_id == alice.pk
    sign_in(clients[0], alice)
    assert is_in(clients[0])


@pytest.mark.parametrize("act", ["person_sessions", "person_active", "person_factors"])
def test_an_administrator_ends_the_sessions_of_a_person_at_once(client, browser, ada, alice, charlie, act, acts):
    theirs, another = browser(), browser()
    sign_in(theirs, alice)
    sign_in(another, charlie)
    client.force_login(ada)
    client.post(reverse(act, args=[alice.pk]), {"active": "0"})
    assert (is_in(theirs), is_in(another)) == (False, True)
    event = acts("sessions_ended")[0]
    assert (event.user_id, event.row_id) == (ada.pk, str(alice.pk))
    alice.refresh_from_db()
    assert alice.is_active is (act != "person_active")


def test_the_last_administrator_cannot_be_made_inactive(client, ada, alice):
    client.force_login(ada)
    client.post(reverse("person_active", args=[ada.pk]), {"active": "0"})
    ada.refresh_from_db()
    assert ada.is_active
    client.post(reverse("person_active", args=[alice.pk]))  # of a page from before an upgrade, which does not say what
    alice.refresh_from_db()
    assert alice.is_active
    for _ in range(2):  # a double press makes nobody active again
        client.post(reverse("person_active", args=[alice.pk]), {"active": "0"})
    alice.refresh_from_db()
    assert not alice.is_active
    client.post(reverse("person_active", args=[alice.pk]), {"active": "1"})
    alice.refresh_from_db()
    assert alice.is_active


def test_a_new_password_ends_the_other_sessions(browser, alice):
    here, there = browser(), browser()
    sign_in(here, alice)
    sign_in(there, alice)
    new = {"oldpassword": "wrong", "password1": "quiet river lamp", "password2": "quiet river lamp"}
    assert here.post("/account/password/", new).status_code == 200
    assert is_in(there)
    assert here.post("/account/password/", new | {"oldpassword": "correct horse battery"}).status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)
    alice.refresh_from_db()
    assert alice.check_password("quiet river lamp")


def test_the_person_of_a_session_is_read_with_it(browser, alice, bob, north):
    client = browser()
    sign_in(client, alice)
    key = client.session.session_key
    read = [SessionStore(key) for _ in range(2)]
    with asking(read[0]):
        assert read[0]["_auth_user_id"] == str(alice.pk)
        beside = Backend().get_user(alice.pk)
        again = Backend().get_user(alice.pk)  # given once: whoever asks later is told what holds then
    assert beside is not again
    alone = Backend().get_user(alice.pk)
    assert vars(beside) | {"_state": None} == vars(alone) | {"_state": None}
    assert access_of(beside).roles == access_of(alone).roles == {Role.COORDINATOR}
    # The list of sessions names somebody else, or nobody: then the session's own word holds.
    UserSession.objects.filter(session_key=key).update(user=bob)
    assert client.get("/account/").context["user"].pk == alice.pk
    with asking(read[1]):
        assert read[1]["_auth_user_id"] == str(alice.pk)
        assert Backend().get_user(alice.pk).email == alice.email
    UserSession.objects.filter(session_key=key).delete()
    assert client.get("/account/").context["user"].pk == alice.pk


def test_a_page_asks_once_for_session_and_person(browser, alice):
    client = browser()
    sign_in(client, alice)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(reverse("session")).json()["person"] == alice.pk
    asked = [query["sql"] for query in captured]
    assert sum("django_session" in sql or "study_sites_user" in sql for sql in asked) == 1, asked
