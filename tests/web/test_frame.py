"""The frame of every page: signing in, languages, navigation, error pages."""

import pytest
from django.test import Client
from django.views.defaults import server_error

from sites.models import AuditEvent
from tests.conftest import PASSWORD


@pytest.mark.parametrize(
    ("email", "password", "status"),
    [
        ("alice@example.org", PASSWORD, 302),
        ("Alice@Example.org", PASSWORD, 302),
        ("alice@example.org", "wrong", 200),
        ("nobody@example.org", PASSWORD, 200),
    ],
)
def test_signing_in(alice, email, password, status):
    response = Client().post("/login/", {"username": email, "password": password})
    assert response.status_code == status
    assert (b"is not right" in response.content) is (status == 200)


def test_a_page_asks_to_sign_in_first_and_leads_back(alice):
    client = Client()
    assert client.get("/patients/").url == "/login/?next=/patients/"
    response = client.post(
        "/login/?next=/patients/",
        {"username": "alice@example.org", "password": PASSWORD, "next": "/patients/"},
    )
    assert response.url == "/patients/"


def test_signing_out_ends_the_session(alice, browse):
    client = browse(alice)
    assert client.get("/patients/").status_code == 200
    client.post("/logout/")
    assert client.get("/patients/").status_code == 302


def test_the_language_is_the_persons_own(alice, browse):
    client = browse(alice)
    assert "Patients" in client.get("/").content.decode()
    client.post("/language/", {"language": "ja", "next": "/"})
    assert "患者" in client.get("/").content.decode()
    alice.refresh_from_db()
    assert alice.language == "ja"

    elsewhere = Client()
    elsewhere.post("/login/", {"username": "alice@example.org", "password": PASSWORD})
    assert 'lang="ja"' in elsewhere.get("/").content.decode()


def test_an_unknown_language_changes_nothing(alice, browse):
    browse(alice).post("/language/", {"language": "xx"})
    alice.refresh_from_db()
    assert alice.language == "en"


@pytest.mark.parametrize(
    ("who", "shown", "hidden"),
    [
        ("alice", {"/", "/patients/"}, {"/sites/", "/people/"}),
        ("bob", {"/", "/patients/"}, {"/sites/", "/people/"}),
        ("ada", {"/", "/sites/", "/people/"}, {"/patients/", "/admin/"}),
    ],
)
def test_navigation_shows_what_the_role_opens(browse, request, who, shown, hidden):
    response = browse(request.getfixturevalue(who)).get("/")
    urls = {line["url"] for line in response.context["navigation"]}
    assert shown <= urls
    assert not hidden & urls


def test_synthetic_data_are_named_on_every_page(alice, browse, settings):
    settings.SYNTHETIC = True
    assert b"Demonstration data" in browse(alice).get("/").content
    assert b"Demonstration data" in Client().get("/login/").content
    settings.SYNTHETIC = False
    assert b"Demonstration data" not in browse(alice).get("/").content


def test_a_page_that_is_not_there_says_so(alice, browse):
    response = browse(alice).get("/nothing/")
    assert response.status_code == 404
    assert b"does not exist" in response.content


def test_a_form_from_elsewhere_is_refused_kindly(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post("/patients/new/", {})
    assert response.status_code == 403
    assert b"Please send it again" in response.content


def test_a_fault_of_the_server_says_what_to_do(rf):
    response = server_error(rf.get("/"))
    assert response.status_code == 500
    assert "エラー".encode() in response.content
    assert b"Something went wrong" in response.content


def test_no_page_carries_inline_style_or_script(alice, browse, enrolled):
    patient = enrolled(alice)
    client = browse(alice)
    for url in ("/", "/patients/", f"/patients/{patient.pk}/", f"/patients/{patient.pk}/assessments/preop/"):
        html = client.get(url).content.decode()
        assert " style=" not in html
        assert "<script>" not in html
        assert "onclick" not in html


def test_sign_ins_are_on_record(alice, as_person, ada):
    Client().post("/login/", {"username": "alice@example.org", "password": PASSWORD})
    with as_person(ada):
        assert AuditEvent.objects.filter(action="sign_in", user_id=alice.pk).count() == 1
