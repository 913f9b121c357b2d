"""Signing in with a second factor, and sessions that end: in a real browser."""

import time

import pytest
from allauth.mfa.models import Authenticator

from sites.models import User
from tests.account.conftest import code_of
from tests.browser.test_pages import faults
from tests.conftest import PASSWORD


def sign_in(page, email, path="/"):
    page.goto(path)
    page.fill("#id_username", email)
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")


@pytest.fixture
def no_factors(cast, django_db_blocker):
    yield
    with django_db_blocker.unblock():
        Authenticator.objects.all().delete()


def test_a_central_person_sets_up_an_app_and_signs_in_with_it(opened, settings, no_factors):
    settings.SECOND_FACTOR = "central"
    page = opened(None)
    sign_in(page, "bob@example.org", "/comparison/")
    page.wait_for_url("**/account/second-factor/")
    assert faults(page) == []
    page.goto("/comparison/")
    page.wait_for_url("**/account/second-factor/")  # nothing else opens
    page.click("text=Set up an authenticator app")
    secret = page.locator(".secret").inner_text()
    assert page.locator("img.qr").bounding_box()["width"] > 150
    assert faults(page) == []
    page.fill("#id_code", code_of(secret, time.time() - 30))
    page.click("button:has-text('Set up')")
    page.wait_for_url("**/codes/")
    recovery = page.locator(".recovery-codes code").first.inner_text()
    assert faults(page) == []
    with page.expect_navigation():
        page.click("text=Done")
    assert faults(page) == []
    page.goto("/comparison/")
    page.wait_for_url("**/comparison/")

    for code in (code_of(secret, time.time()), recovery):
        again = opened(None)
        sign_in(again, "bob@example.org", "/comparison/")
        again.wait_for_url("**/login/code/**")
        assert faults(again) == []
        again.fill("#id_code", "000000")
        again.keyboard.press("Enter")
        again.wait_for_selector(".field-error")
        again.fill("#id_code", code)
        again.keyboard.press("Enter")
        again.wait_for_url("**/comparison/")


def test_a_key_is_added_and_signs_in(opened, settings, no_factors):
    settings.SECOND_FACTOR, settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = "all", True
    page = opened(None)
    client = page.context.new_cdp_session(page)
    client.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    client.send("WebAuthn.addVirtualAuthenticator", {"options": options | {"automaticPresenceSimulation": True}})
    page.goto("/login/")
    page.goto(page.url.replace("127.0.0.1", "localhost"))  # an address in numbers has no keys
    page.fill("#id_username", "alice@example.org")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/second-factor/")
    page.click("text=Add a security key or passkey")
    page.wait_for_selector("#id_name")
    assert faults(page) == []
    page.fill("#id_name", "Blue key")
    page.click("#use-key")
    page.wait_for_url("**/codes/")
    page.click("summary")
    page.click("text=Sign out")
    page.wait_for_url("**/login/")
    page.fill("#id_username", "alice@example.org")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/code/**")
    page.click("#use-key")
    page.wait_for_selector("h1:has-text('My day')")


def test_what_is_typed_outlives_the_session(opened, cast, settings, assessments):
    """The browser's time and the server's limits are moved on, so that nobody waits."""
    settings.SESSION_IDLE_SECONDS, settings.SESSION_WARNING_SECONDS = 600, 300
    page = opened(None)
    page.clock.install()
    sign_in(page, "alice@example.org", f"/patients/{cast.new}/assessments/3m/")
    page.wait_for_selector("[name=assessment_date]")
    page.fill("[name=assessment_date]", "2026-04-14")
    page.fill("[name=eq_vas]", "66")
    settings.SESSION_IDLE_SECONDS = 200
    page.clock.fast_forward(310_000)
    page.wait_for_selector("text=Are you still there?")
    assert faults(page) == []
    settings.SESSION_IDLE_SECONDS = 600
    page.click("text=Stay signed in")
    page.wait_for_selector("#session-dialog", state="hidden")
    settings.SESSION_IDLE_SECONDS = 0
    page.clock.fast_forward(310_000)
    page.wait_for_selector("text=You are signed out")
    assert faults(page) == []
    settings.SESSION_IDLE_SECONDS = 600
    with page.context.expect_page() as opening:
        page.click("a:has-text('in another tab')")
    other = opening.value
    other.fill("#id_username", "alice@example.org")
    other.fill("#id_password", PASSWORD)
    other.keyboard.press("Enter")
    other.wait_for_selector("text=You are signed in again")
    other.close()
    page.clock.fast_forward(5_000)
    page.wait_for_selector("#session-dialog", state="hidden")
    page.click("text=Save draft")
    page.wait_for_selector(".note-success")
    assert assessments(cast.new, "3m").eq_vas == 66


def test_a_session_that_an_administrator_ended_loses_nothing_on_saving(opened, cast, assessments, django_db_blocker):
    page = opened("alice")
    page.clock.install()
    page.goto(f"/patients/{cast.new}/assessments/6m/")
    page.fill("[name=assessment_date]", "2026-07-14")
    page.fill("[name=eq_vas]", "44")
    with django_db_blocker.unblock():
        User.objects.filter(pk=cast.alice.pk).update(sign_in_epoch=7)
    page.clock.fast_forward(40_000)  # by then the answers would have been kept by themselves
    page.wait_for_selector("text=You are signed out")
    assert page.input_value("[name=eq_vas]") == "44"
    page.click("text=Look at the page")
    page.click("text=Save draft")
    page.wait_for_selector("text=You are signed out")
    other = page.context.new_page()
    sign_in(other, "alice@example.org")
    other.wait_for_selector("h1:has-text('My day')")
    page.click("text=Look at the page")
    page.click("text=Save draft")
    page.wait_for_selector(".note-success")
    assert assessments(cast.new, "6m").eq_vas == 44
