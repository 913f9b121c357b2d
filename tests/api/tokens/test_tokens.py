"""Tokens: whose, for what, for how long; and the pages that issue and revoke them."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from sites.models import ApiToken, AuditEvent, Membership
from sites.people import tokens
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can, Role, access_of
from sites.tenancy.scope import entered
from tests.api.conftest import Program, issued
from tests.conftest import person


def test_a_token_is_stored_as_a_hash_and_audited_without_it(alice, as_system):
    text = issued(alice)
    assert text.startswith("msp_") and len(text) == 47
    row = ApiToken.objects.get()
    assert text not in str(ApiToken.objects.values().get()) and row.start == text[:8]
    assert Program(text).get("me").json()["email"] == alice.email
    assert ApiToken.objects.get().last_used_at is not None
    with as_system():
        event = AuditEvent.objects.get(table_name="study_sites_apitoken")
        assert (event.action, event.new["digest"], event.new["name"]) == ("insert", "***", "test")


@pytest.mark.parametrize("ended", ["revoked", "expired", "inactive", "unknown"])
def test_a_token_that_has_ended_signs_nobody_in(alice, ended):
    text = issued(alice)
    assert Program(text).get("me").status_code == 200
    if ended == "revoked":
        tokens.revoke(access=access_of(alice), token=ApiToken.objects.get())
    elif ended == "expired":
        ApiToken.objects.update(expires_at=timezone.now())
    elif ended == "inactive":
        type(alice).objects.update(is_active=False)
    else:
        text = text[:-1] + ("a" if text[-1] != "a" else "b")
    asking = Program(text)
    asking.client.force_login(alice)  # the session that comes with it does not help
    answer = asking.get("me")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="Metaspine"')


def test_a_token_does_what_its_scopes_say_and_its_owner_may(program, alice, dana, enrolled):
    patient = enrolled(alice).pk
    reading, writing = program(alice, "read"), program(alice, "write")
    assert set(reading.get("me").json()["may"]) == {"read"}
    assert set(writing.get("me").json()["may"]) == {"read", "enter", "identify", "import"}
    assert set(program(dana, "export").get("me").json()["may"]) == {"read", "compare", "export"}
    here = f"patients/{patient}/identifiers"
    assert [token.get(here).status_code for token in (reading, writing)] == [403, 403]
    assert program(alice, "identify").get(here).status_code == 200
    # Who may only write still has its answers compared with the birth date.
    early = {"consent_date": "1940-01-01"}
    assert writing.change(f"patients/{patient}/baseline", early, read=f"patients/{patient}").status_code == 422


def test_no_token_administers_or_signs(program, ada, ivo):
    assert program(ada).get("me").json()["may"] == []
    assert "sign" not in program(ivo).get("me").json()["may"]
    assert all(not {Can.SIGN, Can.ERASE, Can.ADMINISTER} & tokens.ABILITIES[scope] for scope in TokenScope)


def test_a_token_ends_with_its_owners_membership(program, alice, enrolled):
    patient, asking = enrolled(alice).pk, program(alice)
    assert asking.get(f"patients/{patient}").status_code == 200
    Membership.objects.filter(user=alice).update(ends_on=timezone.localdate() - timedelta(days=1))
    assert asking.get(f"patients/{patient}").status_code == 403


def test_a_token_for_one_site_reaches_that_site_alone(program, dana, north, south, enrolled, alice, charlie):
    patients = enrolled(alice).pk, enrolled(charlie).pk
    everywhere, limited = program(dana), program(dana, site_ids=[south.pk])
    for asking, statuses in ((everywhere, [200, 200]), (limited, [404, 200])):
        assert [asking.get(f"patients/{patient}").status_code for patient in patients] == statuses
        listed = [item["patient_id"] for item in asking.get("patients").json()["items"]]
        assert listed == [patient for patient, status in zip(patients, statuses, strict=True) if status == 200]
    # A comparison is of all sites.
    assert [token.get("comparisons").status_code for token in (everywhere, limited)] == [200, 403]


def test_the_database_itself_keeps_a_token_to_its_sites(dana, south, enrolled, alice, charlie, program):
    enrolled(alice), enrolled(charlie)
    scope = tokens.narrowed(access_of(dana), tokens.signed_in(issued(dana, site_ids=[south.pk]))).scope()
    with entered(scope), connection.cursor() as cursor:
        cursor.execute("SELECT patient_id FROM registry_patient")
        assert cursor.fetchall() == [("S01-0001",)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"scopes": ["sign"]},
        {"site_ids": []},
        {"site_ids": [987]},
        {"expires_at": timezone.now() - timedelta(days=1)},
        {"expires_at": timezone.now() + timedelta(days=400)},
    ],
)
def test_a_token_that_makes_no_sense_is_not_issued(alice, wrong):
    with pytest.raises(ValueError):
        issued(alice, **wrong)
    assert issued(alice)


def test_only_the_owner_issues_and_only_owner_or_administrator_revokes(alice, charlie, ada):
    with pytest.raises(PermissionDenied):
        tokens.issue(
            access=access_of(ada), user=alice, name="x", scopes=[], expires_at=timezone.now() + timedelta(days=1)
        )
    issued(alice), issued(alice)
    first, second = ApiToken.objects.all()
    with pytest.raises(PermissionDenied):
        tokens.revoke(access=access_of(charlie), token=first)
    tokens.revoke(access=access_of(alice), token=first)
    tokens.revoke(access=access_of(ada), token=second)
    assert ApiToken.objects.filter(revoked_at=None).count() == 0


# The pages


def test_a_token_is_issued_on_the_page_and_shown_once(browse, alice, text):
    client = browse(alice)
    refused = client.post("/tokens/", {"name": "", "days": "30"})
    assert refused.status_code == 422 and "No token was issued" in text(refused)
    page = client.post("/tokens/", {"name": "Ward", "days": "30", "scopes": ["write"]})
    issued = page.context["issued"]
    assert page.status_code == 201 and issued.text in text(page)
    assert "no-store" in page["Cache-Control"]
    assert issued.text not in text(client.get("/tokens/"))
    assert Program(issued.text).get("me").json()["token"]["scopes"] == ["read", "write"]
    client.post(f"/tokens/{issued.token.pk}/revoke/")
    assert Program(issued.text).get("me").status_code == 401
    twice = {"name": "Twice", "days": "30", "submission": page.context["submission"]}
    answers = [client.post("/tokens/", twice) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
    assert "issued already" in text(answers[1]) and ApiToken.objects.filter(name="Twice").count() == 1
    assert "Revoked" in text(client.get("/tokens/"))


def test_administrators_see_and_revoke_everybodys_tokens(browse, alice, charlie, ada, text):
    issued(alice)
    token = ApiToken.objects.get()
    assert browse(charlie).post(f"/tokens/{token.pk}/revoke/").status_code == 404
    assert browse(charlie).get("/tokens/everybody/").status_code == 403
    client = browse(ada)
    assert "Alice" in text(client.get("/tokens/everybody/"))
    client.post(f"/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.get().revoked_at is not None


def test_someone_at_two_sites_may_limit_a_token(browse, alice, north, south):
    client = browse(alice)
    assert "sites" not in client.get("/tokens/").context["form"].fields
    Membership.objects.create(user=alice, role=Role.COORDINATOR, site=south)
    page = client.post("/tokens/", {"name": "South only", "days": "7", "sites": [south.pk]})
    assert page.context["issued"].token.site_ids == [south.pk]


def test_someone_without_a_role_gets_no_token(browse, north):
    former = person("Nina", Role.COORDINATOR, north)
    Membership.objects.filter(user=former).update(ends_on=timezone.localdate() - timedelta(days=1))
    assert browse(former).get("/tokens/").status_code == 403


def test_a_token_opens_no_page(program, alice):
    asking = program(alice)
    assert asking.get("/api/v1/docs").status_code == 200
    assert asking.get("/patients/").status_code == 302
