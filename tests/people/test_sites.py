"""Administrators' own pages of sites and people; a site takes patients from its activation until it closes."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from registry import tasks
from registry.models import Patient
from registry.services.records.cleaning import InvalidAnswers
from registry.web.start.context import NAVIGATION
from sites.models import AuditEvent, Invitation, Membership, Site, User
from sites.people.invitations import invite
from sites.tenancy.scope import everything

CLOSED = {"activated_on": dt.date(2026, 1, 5), "closed_on": dt.date(2026, 1, 9)}
SENT = {"code": "Ｅ01", "name": "East Hospital", "value_set": "JP", "contact_name": "Dr East", "enrolment_target": "40"}


@pytest.fixture
def administrator(client, ada):
    client.force_login(ada)
    return client


def listed(client, query=""):
    return {
        line.site.code: (line.state, line.people, line.patients)
        for line in client.get(f"/sites/{query}").context["rows"]
    }


def test_the_list_says_state_people_and_patients_of_each_site(administrator, enrolled, alice, ivo, south):
    enrolled(alice)
    Site.objects.filter(pk=south.pk).update(closed_on="2020-01-01")
    assert listed(administrator) == {"N01": ("open", 2, 1), "S01": ("closed", 0, 0)}


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("?q=north", {"N01"}),
        ("?q=南", {"S01"}),
        ("?state=open", {"N01"}),
        ("?state=closed", {"S01"}),
        ("?state=deserted", {"S01"}),
        ("?state=future", set()),
        ("?region=Kanto", {"S01"}),
        ("?q=nowhere", set()),
        ("?state=nonsense&page=7", {"N01", "S01"}),
    ],
)
def test_the_list_is_searched_and_filtered(administrator, alice, south, query, codes):
    Site.objects.filter(pk=south.pk).update(closed_on="2020-01-01", region="Kanto")
    assert set(listed(administrator, query)) == codes


def test_fifty_sites_are_a_page(administrator):
    Site.objects.bulk_create(Site(code=f"T{n:02}", name=f"Town {n}") for n in range(51))
    assert len(listed(administrator)) == 50
    assert set(listed(administrator, "?page=2")) == {"T50"}


def test_a_site_is_added_and_changed_by_name_of_what_is_wrong(administrator):
    page = administrator.post("/sites/new/", SENT | {"activated_on": "2026-03-01", "closed_on": "2026-02-01"})
    assert page.status_code == 422
    assert page.context["form"].errors == {"closed_on": ["A site cannot close before it is activated."]}
    assert administrator.post("/sites/new/", SENT).status_code == 302
    site = Site.objects.get(code="E01")
    assert (site.contact_name, site.enrolment_target) == ("Dr East", 40)
    page = administrator.get(f"/sites/{site.pk}/")
    assert "Dr East" in page.content.decode()
    assert [row["what"] for row in page.context["trail"]] == ["Created"]


def test_the_code_of_a_site_with_people_stays(administrator, alice, north):
    administrator.post(f"/sites/{north.pk}/change/", {"code": "N99", "name": "North", "value_set": "JP"})
    assert Site.objects.get(pk=north.pk).code == "N01"
    assert Site.objects.get(pk=north.pk).name == "North"


def test_a_sites_page_shows_people_and_open_invitations(administrator, as_person, ada, alice, north):
    with as_person(ada) as access:
        invite(Invitation(email="kana@example.org", role="monitor", site=north), access=access)
    page = administrator.get(f"/sites/{north.pk}/")
    assert [str(membership.user) for membership, _ in page.context["people"]] == ["Alice"]
    assert [invitation.email for invitation, _ in page.context["invitations"]] == ["kana@example.org"]
    page = administrator.get(f"/people/invitations/new/?site={north.pk}")
    assert f'<option value="{north.pk}" selected>' in page.content.decode()


def test_no_menu_leads_into_the_plain_screens():
    assert [entry.url_name for entry in NAVIGATION if entry.url_name.startswith("admin:")] == []


def test_a_person_is_changed_on_a_page_of_their_own(administrator, alice, charlie):
    address = reverse("person_change", args=[alice.pk])
    taken = administrator.post(address, {"name": "A", "email": "CHARLIE@example.org", "language": "en"})
    assert (taken.status_code, list(taken.context["form"].errors)) == (422, ["email"])
    sent = {"name": "Alice Abe", "email": "abe@example.org", "language": "ja"}
    assert administrator.post(address, sent).status_code == 302
    assert User.objects.filter(pk=alice.pk, **sent).exists()
    page = administrator.get(f"/people/{alice.pk}/")
    ended, _epoch, change = page.context["trail"][:3]  # another address ends the sessions
    assert ended["event"].action == "sessions_ended" and "Name: Alice → Alice Abe" in change["lines"]


@pytest.fixture
def mailed(settings, monkeypatch):
    """(address, body) of each mail that the worker is given."""
    sent = []
    settings.MAIL = True
    monkeypatch.setattr(tasks, "start_mail", lambda subject, body, to: sent.append((to, body)))
    return sent


def changed_on_page(administrator, alice, email):
    sent = {"name": alice.name, "email": email, "language": "en"}
    return administrator.post(reverse("person_change", args=[alice.pk]), sent)


def changed_on_plain_screen(administrator, alice, email):
    none = {f"memberships-{name}": number for name, number in (("TOTAL_FORMS", 0), ("INITIAL_FORMS", 0))}
    sent = {"name": alice.name, "email": email, "language": "en", "is_active": "on"} | none
    return administrator.post(reverse("admin:study_sites_user_change", args=[alice.pk]), sent)


@pytest.mark.parametrize("change", [changed_on_page, changed_on_plain_screen])
def test_nobody_becomes_somebody_else_by_another_address_unnoticed(administrator, alice, mailed, change):
    theirs = Client()
    theirs.force_login(alice)
    assert change(administrator, alice, "ada2@example.org").status_code == 302
    assert [to for to, _body in mailed] == ["alice@example.org", "ada2@example.org"]
    assert all("changed the e-mail address" in body for _to, body in mailed)
    assert theirs.get("/patients/").status_code == 302  # to the sign-in
    events = AuditEvent.objects.filter(table_name="study_sites_user", row_id=str(alice.pk))
    with everything():
        assert events.filter(action="sessions_ended").exists()
        assert events.filter(action="update", old__email="alice@example.org").exists()


def test_another_name_alone_ends_no_session(administrator, alice, mailed):
    before = User.objects.get(pk=alice.pk).sign_in_epoch
    assert changed_on_page(administrator, alice, "ALICE@example.org").status_code == 302
    assert (User.objects.get(pk=alice.pk).sign_in_epoch, mailed) == (before, [])


def test_who_is_given_a_password_is_told(administrator, alice, mailed):
    new = "another horse battery"
    sent = {"usable_password": "true", "password1": new, "password2": new, "set-password": "1"}
    administrator.post(reverse("admin:auth_user_password_change", args=[alice.pk]), sent)
    assert [to for to, _body in mailed] == ["alice@example.org"]


def test_a_persons_history_tells_of_their_roles(administrator, alice):
    Membership.objects.filter(user=alice).update(ends_on="2030-01-01")
    tables = {row["event"].table_name for row in administrator.get(f"/people/{alice.pk}/").context["trail"]}
    assert tables == {"study_sites_user", "study_sites_membership"}


def test_a_link_to_set_a_password_is_mailed(
    administrator, alice, settings, mailoutbox, django_capture_on_commit_callbacks
):
    settings.MAIL = True
    with django_capture_on_commit_callbacks(execute=True):
        administrator.post(reverse("person_password", args=[alice.pk]), {"send": "1"})
    page = administrator.get(f"/people/{alice.pk}/")
    assert page.context["link"] is None
    assert "is sent to alice@example.org" in page.content.decode()


# Activation


@pytest.mark.parametrize("day", ["2026-01-05", "2026-01-09"])
def test_a_site_takes_patients_between_its_days(enrolled, alice, north, day):
    Site.objects.filter(pk=north.pk).update(**CLOSED)
    assert str(enrolled(alice, consent_date=day).consent_date) == day


@pytest.mark.parametrize("day", ["2026-01-04", "2026-01-10"])
def test_a_site_takes_nobody_before_activation_and_after_it_closes(enrolled, alice, north, day):
    Site.objects.filter(pk=north.pk).update(**CLOSED)
    with pytest.raises(InvalidAnswers) as refused:
        enrolled(alice, consent_date=day)
    assert list(refused.value.errors) == ["consent_date"]
    assert "2026-01-05–2026-01-09" in refused.value.errors["consent_date"][0].en


def test_no_path_enrols_at_a_closed_site(enrolled, as_person, alice, north):
    patient = enrolled(alice)
    Site.objects.filter(pk=north.pk).update(**CLOSED)
    with as_person(alice):
        for act in (
            lambda: Patient.objects.create(patient_id="N01-0009", site=north, sex="male", consent_date="2026-01-20"),
            lambda: Patient.objects.filter(pk=patient.pk).update(consent_date="2026-01-11"),
        ):
            with pytest.raises(IntegrityError, match="does not enrol"), transaction.atomic():
                act()
        Patient.objects.filter(pk=patient.pk).update(sex="female")  # follow-up goes on


def test_no_list_to_choose_from_begins_with_dashes(administrator, alice):
    for address in ("/people/invitations/new/", f"/people/{alice.pk}/", "/sites/new/"):
        assert "---------" not in administrator.get(address).content.decode()
