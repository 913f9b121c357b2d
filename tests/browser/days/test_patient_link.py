"""A patient answers on a phone, in Japanese and in English, by keyboard and by finger; nothing axe objects to."""

import pytest
from django.db import transaction

from registry.models import Patient, PatientLink
from registry.services.entry import patient_links
from registry.services.protocol import wording
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered, everything
from tests.browser.conftest import SIZES
from tests.browser.test_pages import faults


def load_wording():
    """Texts in the place of EQ-5D-5L's wording, in both languages, as a demonstration has them."""
    for language in ("en", "ja"):
        with everything(), transaction.atomic():
            content = wording.placeholder(language)
            wording.load(access=None, code="eq5d5l", language=language, content=content, licence="synthetic")


@pytest.fixture
def token(cast):
    """The token of a new link for the followed patient's three-month form."""
    load_wording()
    access = access_of(cast.alice)
    with entered(access.scope()), transaction.atomic():
        patient = Patient.objects.get(pk=cast.followed)
        return patient_links.create(
            access=access, patient=patient, timepoint="3m", language="ja", respondent="self", valid="1h"
        )[1]


def fits(page):
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_a_patient_answers_on_a_phone(opened, cast, token):
    page = opened(None)
    page.set_viewport_size(dict(zip(("width", "height"), SIZES["phone"], strict=True)))
    page.goto(f"/answers/{token}/")
    assert page.locator("html").get_attribute("lang") == "ja"
    fits(page)
    page.click("text=始める")
    page.wait_for_url("**/1/")
    fits(page)
    assert page.locator("button.answer").first.bounding_box()["height"] >= 44
    for step in range(1, 6):
        page.locator("button.answer").nth(step - 1).click()
        page.wait_for_url(f"**/{step + 1}/")
    page.fill("[name=eq_vas]", "101")
    page.click("button:has-text('English')")
    page.wait_for_selector("text=EQ VAS (health today)")
    fits(page)
    assert page.input_value("[name=eq_vas]") == "101"  # the language changes, what was typed stays
    page.press("[name=eq_vas]", "Enter")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("[name=eq_vas]") == "101"
    fits(page)
    page.locator(".scale-column").click()  # in its middle, which the owner's words may have moved below the screen
    assert page.input_value("[name=eq_vas]") == "50"
    for _ in range(15):
        page.press("[name=eq_vas]", "ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/7/")
    fits(page)
    page.click("text=I would rather not say")
    page.wait_for_url("**/8/")
    fits(page)
    page.click("text=Send the answers")
    page.wait_for_url("**/thanks/en/")
    fits(page)
    with entered(access_of(cast.alice).scope()), transaction.atomic():
        link = PatientLink.objects.get(token_hash=patient_links.hashed(token))
    assert link.answers == {
        "eq5d_mobility": 1, "eq5d_self_care": 2, "eq5d_usual_activities": 3, "eq5d_pain_discomfort": 4,
        "eq5d_anxiety_depression": 5, "eq_vas": 65, "pain_vas_mm": "refused",
    }  # fmt: skip
    coordinator = opened("alice")
    coordinator.goto("/")
    coordinator.click("#arrived + * a")
    coordinator.wait_for_url("**/patient-links/*/")
    for size in SIZES.values():
        coordinator.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
        fits(coordinator)
    coordinator.click("text=Take over into the form")
    coordinator.wait_for_url("**/assessments/3m/")
    assert coordinator.locator("[name=eq_vas]").input_value() == "65"
    fits(coordinator)
    coordinator.goto(f"/patients/{cast.followed}/assessments/3m/links/")
    coordinator.click("button[name=make]")
    coordinator.wait_for_selector("img.qr")
    fits(coordinator)
