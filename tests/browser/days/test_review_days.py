"""A surgeon on a tablet by keyboard and by touch; a monitor at a desk by keyboard, on a tablet by touch."""

from django.db import transaction

from registry.models import Patient, Query, Signature
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.browser.test_pages import faults, fits
from tests.conftest import PASSWORD


def press(page, selector, key="Enter"):
    """Reach something as a keyboard does, see that the focus shows there, and press a key."""
    page.focus(selector)
    assert page.evaluate("wanted => document.activeElement === document.querySelector(wanted)", selector)
    page.keyboard.press(key)


def test_a_surgeon_reads_and_signs_on_a_tablet_by_keyboard_and_by_touch(opened, cast, django_db_blocker):
    ivo = opened("ivo", size="tablet", has_touch=True)
    ivo.goto("/to-sign/")
    press(ivo, f"input[name=patient][value='{cast.followed}']", "Space")
    with ivo.expect_navigation():
        press(ivo, "form[action='/to-sign/read/'] button")
    assert faults(ivo) == []
    assert ivo.locator(".timeline").first.get_by_text("0.685").first.is_visible()
    assert ivo.locator(".answer-marked", has_text="Source says C.").count() == 1
    for box in ivo.locator("[name=acknowledged]").all():
        box.focus()
        ivo.keyboard.press("Space")
    press(ivo, "[name=sign]", "Space")
    press(ivo, "#confirm", "Space")
    ivo.focus("#password")
    ivo.keyboard.type("wrong, surely")
    with ivo.expect_navigation():
        ivo.keyboard.press("Enter")
    assert "The password is not right." in ivo.inner_text(".error-summary")
    assert ivo.is_checked("[name=sign]")
    press(ivo, "#confirm", "Space")
    ivo.focus("#password")
    ivo.keyboard.type(PASSWORD)
    with ivo.expect_navigation():
        ivo.keyboard.press("Enter")
    assert "1 patient was signed." in ivo.inner_text(".messages")
    with django_db_blocker.unblock(), entered(access_of(cast.ivo).scope()), transaction.atomic():
        assert Signature.objects.filter(patient_id=cast.followed).count() == 1

    unlock_by_touch(ivo, cast.followed)

    # The same once more by touch alone, from My day on
    ivo.goto("/")
    ivo.locator("section[aria-labelledby=waits] a[href='/to-sign/']").tap()
    ivo.wait_for_url("**/to-sign/")
    ivo.locator("label", has=ivo.locator(f"input[name=patient][value='{cast.followed}']")).tap()
    ivo.locator("form[action='/to-sign/read/'] button").tap()
    ivo.wait_for_url("**/to-sign/read/**")
    for box in ("acknowledged", "sign", "confirm"):
        for label in ivo.locator("label.row-option", has=ivo.locator(f"[name={box}]")).all():
            assert label.bounding_box()["height"] >= 44
            label.tap()
    ivo.fill("#password", PASSWORD)
    ivo.locator("#patients button", has_text="Sign and lock").tap()
    ivo.wait_for_selector("text=1 patient was signed.")
    with django_db_blocker.unblock(), entered(access_of(cast.ivo).scope()), transaction.atomic():
        assert Signature.objects.filter(patient_id=cast.followed).count() == 2
    unlock_by_touch(ivo, cast.followed)  # signed rows could not be swept away after the tests


def unlock_by_touch(page, patient):
    page.goto(f"/patients/{patient}/signatures/")
    for label in page.locator("label", has=page.locator("[name=form]")).all():
        label.tap()
    page.fill("#unlock-reason", "read too quickly")
    page.fill("#unlock-password", PASSWORD)
    page.locator("form[aria-labelledby=unlock-title] button").tap()
    page.wait_for_selector(".signature .note-warning")


def test_a_monitor_goes_from_form_to_form_closes_and_reports_by_keyboard(opened, cast, django_db_blocker):
    with django_db_blocker.unblock(), entered(access_of(cast.alice).scope()), transaction.atomic():
        query = Query.objects.get(pk=cast.query)
        queries.answer(access=access_of(cast.alice), query=query, text="It says D.")
    mona = opened("mona")
    mona.goto("/verification/")
    with mona.expect_navigation():
        press(mona, "a[href='/verification/next/']")
    first = mona.url
    with mona.expect_navigation():
        press(mona, "button[name=all][value=next]")
    mona.wait_for_load_state()
    assert mona.url != first
    assert "/verify/" in mona.url

    mona.goto("/queries/close/")
    assert faults(mona) == []
    press(mona, f"[name=close][value='{cast.query}']", "Space")
    with mona.expect_navigation():
        press(mona, ".query-buttons button")
    assert "1 query was closed." in mona.inner_text(".messages")

    mona.goto("/verification/report/")
    mona.focus("#remarks")
    mona.keyboard.type("Everything was to hand.")
    with mona.expect_download() as download:
        press(mona, "form.panel button")
    assert download.value.suggested_filename.startswith("metaspine-visit-N01-")


def test_a_monitors_day_on_a_tablet_by_touch(opened, cast, django_db_blocker):
    """From what waits to a form compared whole, a query raised on the next one, and the answered one closed."""
    with django_db_blocker.unblock(), entered(access_of(cast.mona).scope()), transaction.atomic():
        about = Form("assessment", timepoint="1m")
        patient = Patient.objects.get(pk=cast.followed)
        asked = queries.raise_query(
            access=access_of(cast.mona), patient=patient, form=about, field="ecog_ps", text="0?"
        )
    with django_db_blocker.unblock(), entered(access_of(cast.alice).scope()), transaction.atomic():
        queries.answer(access=access_of(cast.alice), query=Query.objects.get(pk=asked.pk), text="Yes.")
    mona = opened("mona", size="tablet", has_touch=True)
    mona.goto("/")
    mona.locator("section[aria-labelledby=waits] a[href='/verification/next/']").tap()
    mona.wait_for_url("**/verify/**")
    fits(mona)
    first = mona.url
    mona.locator("button[name=all][value=next]").tap()
    mona.wait_for_url(lambda url: url != first and "/verify/" in url)
    mona.goto(f"/patients/{cast.followed}/queries/new/?form=1m")
    mona.fill("[name=text]", "Which day?")
    mona.locator("main form button.btn-primary").tap()
    mona.wait_for_selector(".messages")

    mona.goto("/")
    mona.locator("section[aria-labelledby=waits] a[href='/queries/close/']").tap()
    mona.wait_for_url("**/queries/close/")
    mona.locator(f"label:has([name=close][value='{asked.pk}'])").tap()
    mona.locator(".query-buttons button").first.tap()
    mona.wait_for_selector("text=1 query was closed.")
    with django_db_blocker.unblock(), entered(access_of(cast.mona).scope()), transaction.atomic():
        of_form = Query.objects.filter(patient_id=cast.followed, timepoint_id="1m").order_by("pk")
        assert [(query.state, query.field) for query in of_form] == [("closed", "ecog_ps"), ("open", None)]
    mona.goto("/verification/report/")
    mona.fill("#remarks", "By touch.")
    with mona.expect_download() as download:
        mona.locator("form.panel button").tap()
    assert download.value.suggested_filename.startswith("metaspine-visit-N01-")
