"""The life of a form in the browser: asked about, queried, answered, verified, signed, unlocked."""

from django.db import transaction

from registry.models import Query
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.browser.test_pages import faults
from tests.conftest import PASSWORD


def stored_queries(cast, django_db_blocker, patient_id):
    with django_db_blocker.unblock(), entered(access_of(cast.mona).scope()), transaction.atomic():
        return {query.rule or query.text: query.state for query in Query.objects.filter(patient_id=patient_id)}


def test_a_form_from_doubt_to_signature(opened, cast, django_db_blocker):
    alice = opened("alice", size="tablet")
    form = f"/patients/{cast.followed}/assessments/preop/"
    alice.goto(form)
    alice.check("[name=frankel][value=A]")
    alice.check("[name=barthel_mobility][value='15']")
    alice.fill("#reason", "chart reviewed")
    alice.click("button[name=save]")
    alice.wait_for_selector(".doubt")
    assert alice.evaluate("document.activeElement.getAttribute('aria-labelledby')") == "doubts"
    assert faults(alice) == []
    for button in alice.locator("[name=right]").all():
        button.check()
    alice.locator("[name^='note:']").first.fill("exoskeleton")
    alice.click("button[name=save]")
    alice.wait_for_selector(".queries-on-form")
    alice.fill(".query-answer input[name=text]", "Chart says A")
    with alice.expect_navigation():
        alice.click(".query-answer button")
    states = stored_queries(cast, django_db_blocker, cast.followed)
    assert states["Source says C."] == states["severe_palsy_but_walks"] == "answered"

    mona = opened("mona")
    mona.goto("/queries/")
    assert mona.locator(".badge-count").inner_text().startswith(str(len(states)))
    for _ in states:
        mona.goto("/queries/?state=answered")
        mona.locator("td.query-question a").first.click()
        with mona.expect_navigation():
            mona.click("button[value=close]")
    assert set(stored_queries(cast, django_db_blocker, cast.followed).values()) == {"closed"}
    mona.goto(f"/patients/{cast.followed}/verify/preop/")
    mona.click("button[name=all]")
    mona.wait_for_selector(".page-head .state-verified")
    assert faults(mona) == []

    ivo = opened("ivo")
    ivo.goto(f"/patients/{cast.followed}/signatures/")
    ivo.check("#confirm")
    ivo.fill("#password", "wrong, surely")
    ivo.click("text=Sign and lock")
    ivo.wait_for_selector(".error-summary")
    assert faults(ivo) == []
    ivo.check("#confirm")
    ivo.fill("#password", PASSWORD)
    ivo.click("text=Sign and lock")
    ivo.wait_for_selector(".signature .note-success")
    assert faults(ivo) == []
    alice.goto(form)
    assert alice.locator("fieldset.plain-fieldset[disabled]").count() == 1

    # Signed rows could not be swept away after the tests.
    ivo.goto(f"/patients/{cast.followed}/signatures/")
    for button in ivo.locator("[name=form]").all():
        button.check()
    ivo.fill("#unlock-reason", "end of the test")
    ivo.fill("#unlock-password", PASSWORD)
    ivo.click("form[aria-labelledby=unlock-title] button")
    ivo.wait_for_selector(".signature .note-warning")
