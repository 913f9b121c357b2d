"""An administrator's day: a site, its days, somebody invited there; by keyboard alone, and on a tablet by touch."""

import re

import pytest
from django.db import transaction
from playwright.sync_api import expect

from sites.models import Invitation, Site
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.browser.days.test_day import Keyboard
from tests.browser.test_pages import fits
from tests.conftest import PASSWORD

ONE_SITE = re.compile(r"/sites/\d+/$")


@pytest.fixture
def seen_by_ada(cast, django_db_blocker):
    """`seen_by_ada(question)` is the answer under the administrator's own scope."""

    def ask(question):
        with django_db_blocker.unblock(), entered(access_of(cast.ada).scope()), transaction.atomic():
            return question()

    return ask


def sign_in(page, keys):
    page.goto("/")
    page.wait_for_load_state("networkidle")
    if (keys.focus or {}).get("name") != "username":
        keys.tab_to(name="username")
    keys.type("ada@example.org")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_selector(".sidebar")


def test_an_administrators_day_by_keyboard_alone(opened, seen_by_ada):
    page = opened(None, reduced_motion="reduce")
    keys = Keyboard(page)
    sign_in(page, keys)
    keys.follow("/sites/")
    keys.follow("/sites/new/")
    for name, text in (("code", "E01"), ("name", "East Hospital"), ("contact_name", "Dr East")):
        keys.tab_to(name=name)
        keys.type(text)
    keys.press("Enter")
    page.wait_for_url(ONE_SITE)
    site = seen_by_ada(lambda: Site.objects.get(code="E01"))
    assert (site.name, site.contact_name) == ("East Hospital", "Dr East")
    keys.follow(f"/people/invitations/new/?site={site.pk}", address="/people/invitations/new/*")
    assert page.locator("#id_site").input_value() == str(site.pk)
    keys.tab_to(name="email")
    keys.type("kana@example.org")
    keys.tab_to(name="role")
    keys.type("Site")  # the list's entry that begins so
    keys.press("Enter")
    if page.url.endswith(f"?site={site.pk}"):  # Enter opens a list in some browsers
        keys.tab_to(tag="BUTTON", text="Make the invitation")
        keys.press("Enter")
    page.wait_for_url("**/people/invitations/")
    invitation = seen_by_ada(lambda: Invitation.objects.select_related("site").get(email="kana@example.org"))
    assert (invitation.role, invitation.site.code) == ("coordinator", "E01")


def test_an_administrators_day_on_a_tablet(opened, cast, seen_by_ada):
    page = opened(None, size="tablet", has_touch=True)
    sign_in(page, Keyboard(page))
    page.locator(".sidebar a[href='/sites/']").tap()
    page.wait_for_url("**/sites/")
    page.fill("#q", "south")
    expect(page.locator("#sites-count")).to_have_text("1")
    page.locator("table a", has_text="S01").tap()
    page.wait_for_url(ONE_SITE)
    page.get_by_role("link", name="Change the site").tap()
    page.fill("#id_closed_on", "2026-01-31")
    page.get_by_role("button", name="Save").tap()
    page.wait_for_url(ONE_SITE)
    assert "Closed since" in page.inner_text("main")
    assert str(seen_by_ada(lambda: Site.objects.get(code="S01").closed_on)) == "2026-01-31"
    fits(page)
    page.goto(f"/people/{cast.alice.pk}/")
    assert page.locator("#history").count() == 1
    fits(page)
