"""Every address that changes people, sites, roles, settings, value sets' defaults or the schedule asks who one is."""

import re
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from sites.models import Membership, Site, User
from tests.conftest import PASSWORD
from tests.guard import permissions
from tests.guard.crawl import addresses
from tests.working import ROOT

TEMPLATES = ROOT / "templates"

# What an administrator may send without confirming: it changes nothing of these, or takes rights away alone.
ASKS_NOTHING = {"person_access": "counts what a person sees", "admin:logout": "ends the own session"} | dict.fromkeys(
    ("own_instrument_new", "own_instrument_upload", "own_instrument", "own_item", "own_instrument_preview",
     "own_instrument_discard"),
    "changes a draft, which nobody is asked before it is published",
)  # fmt: skip
ARGUMENTS = {"object_id": "1", "id": "1", "app_label": "study_sites", "content_type_id": 1}


def administering():
    """Addresses by name that only administrators write to."""
    rules = permissions.RULES
    return sorted(
        {
            address
            for address in addresses()
            if address.name in rules
            and rules[address.name].writers == permissions.ADMIN
            and address.name not in ASKS_NOTHING
        },
        key=lambda item: item.name,
    )


@pytest.fixture
def late(monkeypatch):
    """A quarter of an hour after whatever was done before."""

    def pass_time():
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 900)

    return pass_time


def test_every_address_that_administers_asks(client, ada, alice, late):
    client.force_login(ada)
    late()
    values = dict.fromkeys(("user_id", "membership_id", "invitation_id", "token_id", "site_id"), 1) | ARGUMENTS
    silent = []
    for address in administering():
        of_rule = {name: values.get(value, value) for name, value in permissions.RULES[address.name].arguments.items()}
        url = address.url(values | of_rule)
        answer = client.post(url, {"anything": "1"})
        asked = answer.status_code == 302 and answer.url.startswith("/account/confirm/")
        if not asked:
            silent.append((address.name, answer.status_code))
    assert silent == []


def test_a_role_in_the_site_screen_asks_and_is_given_afterwards(client, ada, alice, north, late):
    client.force_login(ada)
    url = reverse("admin:study_sites_site_change", args=[north.pk])
    row = {
        "memberships-0-user": alice.pk,
        "memberships-0-role": "investigator",
        "memberships-0-starts_on": "2026-01-01",
    }
    management = {"memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0}
    sent = {"code": "N01", "name": "North", "name_ja": "", "region": "", "value_set": "JP"} | management | row
    late()
    asked = client.post(url, sent)
    assert asked.url.startswith("/account/confirm/")
    assert not Membership.objects.filter(role="investigator").exists()
    assert client.post(asked.url, {"password": PASSWORD}).status_code == 302
    assert Membership.objects.filter(role="investigator", user=alice, site=north).exists()


def test_passwords_and_files_do_not_wait_in_the_session(client, ada, alice, late):
    client.force_login(ada)
    late()
    secret = "quiet river lamp"
    answer = client.post(
        reverse("admin:auth_user_password_change", args=[alice.pk]),
        {"usable_password": "true", "password1": secret, "password2": secret},
    )
    assert answer.url.startswith("/account/confirm/")
    assert secret not in str(dict(client.session.items()))
    file = SimpleUploadedFile("people.csv", b"email,name,language\nnew@example.org,New,en\n")
    answer = client.post(reverse("admin:study_sites_user_import"), {"format": "0", "import_file": file})
    assert answer.url.startswith("/account/confirm/")
    assert not User.objects.filter(email="new@example.org").exists()


def test_somebody_of_the_single_sign_on_alone_signs_in_again(client, ada, north, late):
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)
    late()
    sent = {"role": "monitor", "site": north.pk, "starts_on": "2026-01-01"}
    answer = client.post(reverse("person_role", args=[ada.pk]), sent)
    assert answer.url.startswith("/login/?next=")
    assert ada.memberships.count() == 1 and "_auth_user_id" not in client.session


def test_just_signed_in_nobody_is_asked(client, ada):
    client.force_login(ada)
    client.post(reverse("admin:study_sites_site_add"), {"code": "X09", "name": "New", "value_set": "JP"})
    sent = {
        "code": "X09",
        "name": "New",
        "value_set": "JP",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert client.post(reverse("admin:study_sites_site_add"), sent).status_code == 302
    assert Site.objects.filter(code="X09").exists()


# Addresses of acts that do not come back and need no page of their own: their buttons are behind a question.
ONCE_MORE = (
    "token_revoke", "patient_link_revoke", "invitation_revoke", "export_preset_remove", "import_discard",
    "own_instrument_discard", "sign_out_everywhere", "person_sessions", "person_factors",
)  # fmt: skip


@pytest.mark.parametrize("name", ONCE_MORE)
def test_what_does_not_come_back_is_asked_once_more(name):
    asking = re.compile(rf"""{{%\s*url '{name}'[^%]* as (\w+) %}}{{% include "shared/sure.html" with address=\1 """)
    pages = [text for path in TEMPLATES.rglob("*.html") if f"'{name}'" in (text := path.read_text())]
    assert pages and all(len(asking.findall(text)) == text.count(f"'{name}'") for text in pages)
