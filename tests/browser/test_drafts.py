"""The form never loses what was typed: reloading, a lost connection, an ended session, two windows."""

import pytest
from django.db import transaction
from playwright.sync_api import expect

from registry.models import Draft
from sites.models import User
from sites.tenancy.scope import entered
from tests.browser.test_pages import faults, fits
from tests.conftest import PASSWORD


@pytest.fixture
def drafts(cast, django_db_blocker):
    """`drafts()` is what Alice's drafts hold, by form; afterwards there is none."""

    def read():
        with django_db_blocker.unblock(), entered(cast.access.scope()), transaction.atomic():
            return {draft.form: draft.typed for draft in Draft.objects.all()}

    yield read
    with django_db_blocker.unblock(), entered(cast.access.scope()), transaction.atomic():
        Draft.objects.all().delete()


def stored_drafts(page):
    """What the browser keeps for drafts, as it lies there."""
    return page.evaluate(
        "Object.entries(localStorage).filter(([name]) => name.startsWith('metaspine-draft:')).map((one) => one.join())"
    )


def test_a_reload_restores_what_was_typed_right_or_wrong(opened, cast, drafts, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/3m/")
    page.fill("[name=assessment_date]", "2026-04-14")
    page.check("[name=frankel][value=D]")
    page.fill("[name=pain_vas_mm]", "4o")
    page.press("[name=pain_vas_mm]", "Tab")
    page.click("#section-eq5d5l .whole summary")
    page.select_option("#not-done-eq5d5l", "refused")
    page.wait_for_selector("[data-save-state]:has-text('Draft saved')")
    assert stored_drafts(page) == []
    assert drafts()["3m"]["pain_vas_mm"] == ["4o"]
    page.reload()
    assert page.input_value("[name=pain_vas_mm]") == "4o"
    assert page.is_checked("[name=frankel][value=D]")
    assert page.input_value("[name=eq5d_mobility_missing]") == "refused"
    page.wait_for_selector("text=is shown; it is not saved yet")
    assert faults(page) == []
    page.goto("/")
    page.click(f"#typed ~ * a:has-text('{cast.new}')")
    page.wait_for_url("**/assessments/3m/")
    page.click("button[value=ja]")  # the language changes, what was typed stays
    page.wait_for_selector("html[lang=ja]")
    assert page.input_value("[name=pain_vas_mm]") == "4o"
    page.fill("[name=eq_vas]", "62")
    page.click("button[value=en]")
    page.wait_for_selector("html[lang=en]")
    assert page.input_value("[name=eq_vas]") == "62"
    page.click("text=Discard the draft")
    page.wait_for_selector("text=was discarded")
    assert page.input_value("[name=eq_vas]") == ""
    assert faults(page) == []
    page.click("text=Bring it back")
    page.wait_for_selector("text=is shown; it is not saved yet")
    page.fill("[name=pain_vas_mm]", "40")
    page.click("text=Save draft")
    page.wait_for_selector(".note-success")
    stored = assessments(cast.new, "3m")
    assert (stored.pain_vas_mm, stored.eq_vas, stored.missing["eq5d_mobility"]) == (40, 62, "refused")
    assert drafts() == {}


def test_a_lost_connection_loses_nothing(opened, cast, drafts, assessments):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/6m/")
    page.fill("[name=assessment_date]", "2026-07-14")
    page.wait_for_selector("[data-save-state]:has-text('Draft saved')")
    page.context.set_offline(True)
    page.fill("[name=eq_vas]", "44")
    page.wait_for_selector("[data-save-state]:has-text('Not connected')")
    (draft,) = stored_drafts(page)
    assert "eq_vas" not in draft  # no word of it can be read on the device
    page.click("text=Save draft")
    page.wait_for_selector("[data-not-sent]:visible")
    assert page.input_value("[name=eq_vas]") == "44"
    page.context.set_offline(False)
    page.wait_for_selector("[data-save-state]:has-text('Draft saved')")
    assert stored_drafts(page) == []
    assert drafts()["6m"]["eq_vas"] == ["44"]

    beside = page.context.new_page()  # another window of the same form
    beside.goto(page.url)
    page.context.set_offline(True)
    page.fill("[name=pain_vas_mm]", "17")
    beside.check("[name=barthel_feeding][value='10']")
    for draft in (page, beside):
        draft.wait_for_selector("[data-save-state]:has-text('Not connected')")
    assert len(stored_drafts(page)) == 2
    page.close(run_before_unload=False)
    beside.close(run_before_unload=False)
    later = beside.context.new_page()
    later.context.set_offline(False)
    later.goto(f"/patients/{cast.new}/assessments/6m/")  # what the device kept comes back with the draft
    expect(later.locator("[name=pain_vas_mm]")).to_have_value("17")
    expect(later.locator("[name=barthel_feeding][value='10']")).to_be_checked()
    later.click("text=Save draft")
    later.wait_for_selector(".note-success")
    stored = assessments(cast.new, "6m")
    assert (stored.eq_vas, stored.pain_vas_mm, stored.barthel_feeding) == (44, 17, 10)
    assert drafts() == {}
    assert stored_drafts(later) == []


def test_what_may_identify_stays_off_the_device_and_signing_out_empties_it(opened, cast, drafts):
    page = opened("alice")
    page.goto(f"/patients/{cast.followed}/adverse-events/new/")
    page.context.set_offline(True)
    page.fill("[name=detail]", "Mr Tanaka fell")
    page.wait_for_selector("[data-save-state]:has-text('Not connected')")
    assert stored_drafts(page) == []
    page.select_option("[name=kind]", index=1)
    while not stored_drafts(page):
        page.wait_for_timeout(50)
    page.route("**/drafts/**", lambda route: route.abort())
    page.context.set_offline(False)
    page.click("details.person summary")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("text=Sign out")
    page.wait_for_url("**/login/**")
    assert stored_drafts(page) == []


def test_a_session_that_ended_loses_nothing_and_the_next_person_sees_nothing(
    opened, cast, drafts, assessments, django_db_blocker
):
    page = opened("alice")
    address = f"/patients/{cast.new}/assessments/12m/"
    page.goto(address)
    page.fill("[name=assessment_date]", "2027-01-14")
    page.wait_for_selector("[data-save-state]:has-text('Draft saved')")
    with django_db_blocker.unblock():
        User.objects.filter(pk=cast.alice.pk).update(sign_in_epoch=cast.alice.sign_in_epoch + 5)
    page.fill("[name=eq_vas]", "33")
    page.wait_for_selector("[data-save-state]:has-text('You are signed out')")
    with django_db_blocker.unblock():
        User.objects.filter(pk=cast.alice.pk).update(sign_in_epoch=cast.alice.sign_in_epoch)
    page.wait_for_selector("text=Sign in in another tab")
    page.on("dialog", lambda dialog: dialog.accept())

    def sign_in(email):
        page.goto(address)
        page.fill("#id_username", email)
        page.fill("#id_password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{address}")

    sign_in("ivo@example.org")
    page.wait_for_load_state("networkidle")
    assert page.input_value("[name=eq_vas]") == page.input_value("[name=assessment_date]") == ""
    assert len(stored_drafts(page)) == 1  # Alice's, which Ivo cannot read
    page.click("details.person summary")
    page.click("text=Sign out")
    page.wait_for_url("**/login/**")
    assert len(stored_drafts(page)) == 1
    sign_in("alice@example.org")
    expect(page.locator("[name=eq_vas]")).to_have_value("33")
    assert page.input_value("[name=assessment_date]") == "2027-01-14"
    assert stored_drafts(page) == []


@pytest.mark.parametrize("javascript", [True, False])
def test_two_windows_and_two_people_are_asked_item_by_item(opened, cast, drafts, assessments, javascript):
    timepoint = "24m" if javascript else "1m"
    address = f"/patients/{cast.new}/assessments/{timepoint}/"
    page, other = opened("alice", java_script_enabled=javascript), opened("ivo")
    for tab in (page, other):
        tab.goto(address)
        tab.fill("[name=assessment_date]", "2026-02-14")
    other.check("[name=frankel][value=C]")
    other.fill("[name=eq_vas]", "71")
    other.click("text=Save draft")
    other.wait_for_selector(".note-success")
    page.check("[name=frankel][value=E]")
    page.fill("[name=pain_vas_mm]", "12")
    page.click("text=Save draft")
    page.wait_for_selector("text=Ivo saved this form after you opened it")
    assert page.locator(".two-answers").count() == 2
    if javascript:
        fits(page)
    page.click("text=Save with these answers")
    page.wait_for_selector("text=Some items still have two answers")
    page.check("[name=keep-frankel][value=mine]")
    other.check("[name=frankel][value=A]")  # and he saves once more
    with other.expect_response(lambda response: response.status == 302 and response.url.endswith(address)):
        other.click("text=Save draft")
    page.click("text=Save with these answers")
    page.wait_for_selector("text=A complete")
    page.check("[name=keep-frankel][value=mine]")
    page.click("text=Save with these answers")
    page.wait_for_selector(".note-success")
    stored = assessments(cast.new, timepoint)
    assert (stored.frankel, stored.eq_vas, stored.pain_vas_mm) == ("E", 71, 12)
    assert drafts() == {}
