"""Invitations: one link, for one person, for a while, once; and what it gives is on record."""

import datetime as dt
import re

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from sites.models import Invitation, Membership, User
from sites.people.invitations import NotInvited, accept, invite, renew, revoke
from sites.tenancy.access import Role, access_of
from tests.account.conftest import is_in, sign_in

SENT = {"email": "Kana@Example.org", "name": "", "language": "ja", "role": "coordinator", "starts_on": "2026-01-01"}
ACCEPTED = {"name": "Kana Kita", "language": "ja", "password1": "quiet river lamp", "password2": "quiet river lamp"}


@pytest.fixture
def invitation(ada, north, as_person):
    """`invitation(role=…)` is (the stored invitation, the token of its link)."""

    def make(**changes):
        fields = {"email": "kana@example.org", "role": Role.COORDINATOR, "site": north} | changes
        with as_person(ada) as access:
            invitation = Invitation(**fields)
            return invitation, invite(invitation, access=access)

    return make


def test_an_invitation_by_mail_makes_an_account_with_its_role(client, browser, ada, north, with_mail, acts):
    client.force_login(ada)
    with with_mail():
        answer = client.post(
            "/people/invitations/new/", SENT | {"site": north.pk, "ends_on": "2027-12-31"}, follow=True
        )
    assert "/invitation/" not in answer.content.decode()  # the link is the invited person's alone
    (letter,) = mail.outbox
    assert letter.to == ["kana@example.org"]
    assert "招待" in letter.subject
    path = re.search(r"https?://[^/]+(/invitation/\S+)", letter.body).group(1)

    guest = browser()
    page = guest.get(path)
    assert page.status_code == 200
    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert guest.post(path, ACCEPTED | {"password2": "another"}).status_code == 422
    assert guest.post(path, ACCEPTED).status_code == 302
    assert is_in(guest)
    user = User.objects.get(email="kana@example.org")
    assert (user.name, user.language, user.check_password("quiet river lamp")) == ("Kana Kita", "ja", True)
    membership = user.memberships.get()
    assert (membership.role, membership.site, str(membership.ends_on)) == ("coordinator", north, "2027-12-31")
    assert membership.starts_on == timezone.localdate()  # nobody had the role before accepting it
    assert acts("invitation_accepted")[0].user_id == user.pk
    assert browser().get(path).status_code == 404


def test_without_a_mail_server_the_administrator_gets_the_link_once(client, browser, ada, north):
    client.force_login(ada)
    shown = client.post("/people/invitations/new/", SENT | {"site": north.pk}, follow=True).content.decode()
    path = re.search(r'value="https?://[^/]+(/invitation/[^"]+)"', shown).group(1)
    assert browser().get(path).status_code == 200
    assert path not in client.get("/people/invitations/").content.decode()


def test_only_a_hash_of_the_token_is_kept(invitation, as_system, acts):
    invited, token = invitation()
    with as_system(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM study_sites_invitation AS i")
        ((row,),) = cursor.fetchall()
    assert token not in row
    assert invited.token_hash in row
    event = next(event for event in acts("insert") if event.table_name == "study_sites_invitation")
    assert invited.token_hash not in str(event.new)
    assert event.new["email"] == "kana@example.org"


def test_a_link_works_once(invitation):
    _one, token = invitation()
    user = accept(token, name="Kana", language="ja", password="quiet river lamp")
    assert user.memberships.count() == 1
    with pytest.raises(NotInvited):
        accept(token, name="Kana", language="ja", password="quiet river lamp")
    assert User.objects.filter(email="kana@example.org").count() == 1


def test_a_link_that_is_too_old_replaced_or_revoked_does_not_work(client, invitation, as_system, as_person, ada):
    _one, token = invitation()
    assert client.get(f"/invitation/{token}/").status_code == 200
    with as_system():
        Invitation.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert client.get(f"/invitation/{token}/").status_code == 404
    with as_person(ada) as access:
        newer = renew(Invitation.objects.get(), access=access)
    assert client.get(f"/invitation/{token}/").status_code == 404
    assert client.get(f"/invitation/{newer}/").status_code == 200
    with as_person(ada) as access:
        revoke(Invitation.objects.get(), access=access)
    assert client.post(f"/invitation/{newer}/", ACCEPTED).status_code == 404
    assert not User.objects.filter(email="kana@example.org").exists()
    with as_person(ada) as access, pytest.raises(NotInvited):
        renew(Invitation.objects.get(), access=access)


@pytest.mark.parametrize(
    ("password", "refused"),
    [
        ("quiet river lamp", False),
        ("short one", True),
        ("password1234", True),  # in the list of known ones
        ("kana@example.org", True),
        ("zzzzzzzzzzzzzzzz q", False),  # no rule of composition
    ],
)
def test_the_rules_for_passwords(client, invitation, password, refused):
    _one, token = invitation()
    answer = client.post(f"/invitation/{token}/", ACCEPTED | {"password1": password, "password2": password})
    assert answer.status_code == (422 if refused else 302)


def test_who_is_invited_or_has_an_account_is_not_invited_again(client, invitation, ada, alice, north):
    invitation()
    client.force_login(ada)
    for email, reason in (("KANA@example.org", "invited already"), ("alice@example.org", "has an account already")):
        answer = client.post("/people/invitations/new/", SENT | {"email": email, "site": north.pk, "language": "en"})
        assert answer.status_code == 422
        assert reason in answer.content.decode()


def test_a_role_and_its_site_fit(client, ada, north):
    client.force_login(ada)
    for role, site in (("admin", north.pk), ("coordinator", "")):
        assert client.post("/people/invitations/new/", SENT | {"role": role, "site": site}).status_code == 422
    assert client.post("/people/invitations/new/", SENT | {"role": "admin", "site": ""}).status_code == 302


def test_what_is_refused_is_said_in_a_summary_that_links_to_its_field(client, ada):
    client.force_login(ada)
    page = client.post("/people/invitations/new/", {"email": "", "role": ""})
    assert page.status_code == 422
    for name in ("email", "role"):
        assert f'<li><a href="#id_{name}">' in page.content.decode()


def test_the_database_shows_invitations_to_administrators_alone(invitation, as_person, ada, alice, bob):
    invitation()
    for user, n in ((ada, 1), (alice, 0), (bob, 0)):
        with as_person(user):
            assert Invitation.objects.count() == n
    assert Invitation.objects.count() == 0


def test_only_administrators_invite(as_person, alice, north):
    with as_person(alice) as access, pytest.raises(Exception, match="administer"):
        invite(Invitation(email="x@example.org", role=Role.COORDINATOR, site=north), access=access)


def test_accepting_signs_out_who_was_signed_in_before(client, invitation, ada):
    _one, token = invitation()
    client.force_login(ada)
    client.post(f"/invitation/{token}/", ACCEPTED)
    assert client.get("/").context["user"].email == "kana@example.org"


def test_guessing_links_is_slowed(browser, settings, db):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"invitation": "3/15m/ip"}
    guest = browser()
    assert [guest.get(f"/invitation/{n}/").status_code for n in range(4)] == [404, 404, 404, 429]


def test_an_account_of_the_address_makes_the_link_useless(client, invitation, browser):
    _one, token = invitation()
    user = User.objects.create_user("kana@example.org", "quiet river lamp", name="Kana")
    assert client.post(f"/invitation/{token}/", ACCEPTED).status_code == 404
    assert Membership.objects.filter(user=user).count() == 0
    assert sign_in(browser(), user, "quiet river lamp").status_code == 302
    assert access_of(user).grants == ()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_invitation_begins_in_the_language_of_who_invites(client, ada, language):
    client.force_login(ada)
    page = client.get("/people/invitations/new/", headers={"accept-language": language})
    assert f'<option value="{language}" selected>' in page.content.decode()


@pytest.mark.parametrize(("role", "at_north"), [("coordinator", False), ("statistician", True)])
def test_a_role_that_does_not_fit_the_site_is_said_beside_the_site(client, ada, alice, north, role, at_north):
    client.force_login(ada)
    wrong = SENT | {"role": role, "site": north.pk if at_north else ""}
    right = wrong | {"site": "" if at_north else north.pk}
    for address in ("/people/invitations/new/", f"/people/{alice.pk}/role/"):
        refused = client.post(address, wrong)
        assert refused.status_code == 422
        said = {"site": ["A central role has no site; every other role needs one."]}
        assert refused.context["form"].errors == said
        ended = client.post(address, right | {"ends_on": "2025-12-31"})
        assert ended.context["form"].errors == {"ends_on": ["The last day cannot be before the first."]}
        assert client.post(address, right).status_code == 302
