"""Extras in a real browser: an administrator switches one on, and the forms with all of them on."""

import pytest
from django.db import transaction

from registry.instruments import extras
from registry.services.records.extras import switch
from sites.tenancy.scope import everything
from tests.browser.test_pages import fits


@pytest.fixture
def every_extra(cast, django_db_blocker):
    """Every extra on for one test."""

    def turn(on):
        with django_db_blocker.unblock(), everything(reason="test"), transaction.atomic():
            for code in extras.SWITCHES:
                switch(access=None, code=code, on=on)

    turn(True)
    yield
    turn(False)


def test_an_administrator_switches_an_extra_on_and_it_is_asked(opened, cast):
    admin = opened("ada")
    admin.goto("/extra-instruments/")
    fits(admin)
    admin.click("#ais a")
    admin.wait_for_url("**/extra-instruments/ais/")
    fits(admin)
    admin.click("button[name=on]")
    admin.wait_for_url("**/extra-instruments/")
    assert "On" in admin.inner_text("#ais")
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/preop/")
    assert page.locator("[name=ais]").count() == 5
    admin.goto("/extra-instruments/ais/")
    admin.click("button[name=on]")
    admin.wait_for_url("**/extra-instruments/")
    page.reload()
    assert page.locator("[name=ais]").count() == 0


def test_the_forms_with_every_extra_on(opened, cast, every_extra):
    page = opened("alice")
    for path in ("assessments/preop/", "baseline/", "follow-up/", ""):
        page.goto(f"/patients/{cast.followed}/{path}")
        fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"/patients/{cast.new}/assessments/preop/")
    page.fill("[name=cobb_deg]", "12.55")
    page.keyboard.press("Tab")
    assert "decimal digits at most 1" in page.inner_text("#field-cobb_deg")
    page.fill("[name=cobb_deg]", "12.5")
    page.keyboard.press("Tab")
    assert "at most" not in page.inner_text("#field-cobb_deg")
    page.fill("[name=assessment_date]", "2026-01-12")
    page.select_option("[name=kps]", "70")
    with page.expect_navigation():
        page.click("button[name=save]")
    assert page.input_value("[name=cobb_deg]") == "12.5"
    page.goto(f"/patients/{cast.new}/")
    assert "Ma 2010" in page.inner_text("body")
    with page.expect_navigation():
        page.click("button[value=ja]")
    fits(page)
    for path in ("assessments/preop/", "baseline/"):
        page.goto(f"/patients/{cast.new}/{path}")
        fits(page)
    with page.expect_navigation():
        page.click("button[value=en]")
