"""Zheng's study in the browser, from an empty registry: set up, three patients enrolled from the screening log and
followed, their arms compared, exported, printed.

Visits to 60 months, two arms, AIS, SOSG-OQ, margins and local recurrence, as in doi:10.21203/rs.3.rs-522631/v1.
"""

import csv
import io
import os
import zipfile
from types import SimpleNamespace

import pytest

from registry.celery import app
from sites.models import Site
from sites.tenancy.access import Role, access_of
from tests.browser.test_pages import fits
from tests.conftest import person, swept_afterwards
from tests.review.conftest import TUMOUR_AGREES
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY
from tests.working import until

pytestmark = pytest.mark.long
SHOTS = os.environ.get("STUDY_SHOTS")  # a folder for pictures of the steps


@pytest.fixture(scope="module")
def cast(django_db_setup, django_db_blocker):
    """An empty registry: one site, its coordinator, a statistician and an administrator."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    app.conf.task_always_eager = True
    with django_db_blocker.unblock(), swept_afterwards():
        north = Site.objects.create(code="N01", name="North Hospital", name_ja="北病院", enrolment_target=40)
        alice, bob = person("Alice", Role.COORDINATOR, north), person("Bob", Role.STATISTICIAN)
        ada = person("Ada", Role.ADMIN, is_staff=True, is_superuser=True)
        yield SimpleNamespace(alice=alice, bob=bob, ada=ada, access=access_of(alice))
    app.conf.task_always_eager = False


def shot(page, name):
    """A picture of the upper part of a page, as docs/study.md shows it (`bin/docs-pictures`)."""
    if SHOTS:
        page.set_viewport_size({"width": 1100, "height": 760})
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=f"{SHOTS}/{name}.png")
        page.set_viewport_size({"width": 1440, "height": 900})


def submit(page, button):
    with page.expect_navigation():
        page.click(button)


def publish(page, code, note):
    page.goto(f"/study/instruments/{code}/publish/")
    page.fill("#note", note)
    submit(page, ".form-buttons .btn-primary")
    assert page.url.endswith("/study/instruments/"), page.inner_text("body")


def set_up(page):
    page.goto("/study/")
    fits(page)
    shot(page, "guide")
    assert "missing" in page.inner_text("body")
    page.goto("/study/about/")
    page.fill("#name_en", "Hybrid therapy against total en bloc spondylectomy")
    page.fill("#name_ja", "ハイブリッド療法と腫瘍脊椎骨全摘術の比較")
    page.fill("#short_name", "HT-TES")
    page.fill("#number", "NX-2012-01")
    page.fill("#target", "157")
    page.fill("#arms", "HT | Hybrid therapy | ハイブリッド療法\nTES | Total en bloc spondylectomy | 腫瘍脊椎骨全摘術")
    page.fill(
        "#inclusion",
        "solitary | Solitary thoracic or lumbar metastasis | 胸腰椎の単発転移\nescc | High-grade ESCC | 高度ESCC",
    )
    page.fill("#exclusion", "resected | Earlier resection of a spinal tumour | 脊椎腫瘍切除の既往")
    page.fill("#consent", "1.0 | Version of May 2012 | 2012年5月版")
    page.fill("#ethics", "N01 | NX-EC 2012-34")
    page.fill("#note", "the protocol as approved")
    fits(page)
    shot(page, "about")
    submit(page, ".form-buttons .btn-primary")
    assert page.url.endswith("/study/"), page.inner_text("body")

    page.goto("/schedule/new/")
    page.fill("[name=effective_from]", "2012-01-01")
    page.fill("[name=note]", "visits to 60 months")
    place = page.locator("input[name^='code-']:not([type=hidden])").first.get_attribute("name").split("-")[1]
    for n, (code, day) in enumerate((("36m", "1095"), ("48m", "1461"), ("60m", "1826")), start=int(place)):
        label = {"label": f"{code[:2]} months", "label_ja": f"{code[:2]}か月"}
        for name, value in ({"code": code, "day": day, "before": "90", "after": "90"} | label).items():
            page.fill(f"[name={name}-{n}]", value)
    submit(page, ".form-buttons .btn-primary")
    assert page.url.endswith("/schedule/"), page.inner_text("body")

    for code in ("ais", "sosg_oq", "local_recurrence", "escc"):
        page.goto(f"/extra-instruments/{code}/")
        submit(page, "button[name=on]")
    page.goto("/study/instruments/")
    fits(page)
    shot(page, "own-instruments")
    submit(page, "button[name=library][value=margins]")
    shot(page, "editor")
    fits(page)
    publish(page, "margins", "margins as in the protocol")
    submit(page, "button[name=library][value=hospital_stay]")
    publish(page, "hospital_stay", "hospital stay")

    page.fill("#title_en", "Function of the hand")
    page.fill("#title_ja", "手の機能")
    page.fill("#code", "grip")
    submit(page, "form[action$='/new/'] .btn-primary")
    page.click("text=Add an item")
    page.fill("#label_en", "Grip")
    page.fill("#name", "byte")
    page.fill("#minimum", "0")
    page.fill("#maximum", "90")
    page.fill("#unit", "kg")
    submit(page, "button[name=save]")
    assert "is a word of Stata itself; “byte_2” would fit" in page.inner_text(".error-summary")
    fits(page)
    shot(page, "item")
    page.fill("#name", "grip_kg")
    submit(page, "button[name=another]")
    page.fill("#label_en", "Which hand")
    page.fill("#name", "grip_hand")
    page.select_option("#kind", "code")
    page.fill("#choices", "left | Left | 左\nright | Right | 右")
    page.fill("#show_if", "[grip_kg] > 0")
    submit(page, "button[name=save]")
    page.goto("/study/instruments/grip/try/")
    fits(page)
    assert not page.is_visible("#field-grip_hand")
    page.fill("[name=grip_kg]", "31")
    assert page.is_visible("#field-grip_hand")
    shot(page, "try-out")
    submit(page, ".form-buttons .btn-primary")
    assert "Which hand needs a value" in page.inner_text(".error-summary")
    publish(page, "grip", "grip strength of the hand")

    page.goto("/study/matrix/")
    fits(page)
    page.select_option("[name='grip@1m']", "not_asked")
    page.check("[name='off@barthel']")
    page.fill("#note", "grip from 3 months; no Barthel index")
    shot(page, "matrix")
    submit(page, ".form-buttons .btn-primary")
    assert page.is_checked("[name='off@barthel']")
    page.goto("/study/")
    # No link asks EQ-5D-5L before its licensed wording is there; nothing else is open.
    assert [line.split("\n")[0] for line in page.locator(".step:not(.step-done)").all_inner_texts()] == [
        "Licensed wording"
    ]
    shot(page, "guide-done")
    page.goto("/study/protocol/")
    fits(page)
    shot(page, "protocol")
    assert "Total en bloc spondylectomy" in page.inner_text("main") and "Margin" in page.inner_text("body")
    page.goto("/study/versions/")
    assert "the protocol as approved" in page.inner_text("body")


# A form filled as somebody fills it who has little time: what is known, and a reason for everything else.
FILL = """(given) => {
    const told = (field) => {
        for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {bubbles: true}));
    };
    for (const [name, value] of Object.entries(given)) {
        const wanted = [value].flat();
        for (const field of document.querySelectorAll(`main [name="${name}"]`)) {
            if (field.type === 'radio' || field.type === 'checkbox') field.checked = wanted.includes(field.value);
            else if (field.multiple) for (const one of field.options) one.selected = wanted.includes(one.value);
            else field.value = value;
            told(field);
        }
    }
    for (const reason of document.querySelectorAll('main select[name$="_missing"]')) {
        const name = reason.name.slice(0, -'_missing'.length);
        const fields = [...document.querySelectorAll(`main [name="${name}"]`)];
        const answered = fields.some((one) => /radio|checkbox/.test(one.type) ? one.checked : one.value);
        if (fields.length && !answered && fields[0].offsetParent !== null) { reason.value = 'not_done'; told(reason); }
    }
}"""
PEOPLE = (
    ("HT", "male", "1951-02-23", {"1m": ("2026-02-16", "30"), "3m": ("2026-04-15", "12")}),
    ("HT", "female", "1947-11-29", {"1m": ("2026-02-14", "25"), "3m": ("2026-04-16", "20")}),
    ("TES", "male", "1958-06-02", {"1m": ("2026-02-13", "45"), "3m": ("2026-04-14", "33")}),
)


def fill(page, address, button="complete", **given):
    """Fill a form, press a button, and be led on."""
    page.goto(address)
    page.evaluate(FILL, given)
    submit(page, f"main button[name={button}]" if button else "main .form-buttons .btn-primary")
    if page.locator("main [name=confirmed]").count():  # the answers once more, before they are complete
        submit(page, "main .form-buttons .btn-primary")
    assert not page.locator(".error-summary").count(), page.inner_text(".error-summary")


def screen(page):
    """Four lines of the log: one leaves, three are enrolled from it."""
    page.goto("/screening/")
    fits(page)
    assert "The log is empty" in page.inner_text("main")
    for outcome, reason in (("not_eligible", "too_ill"), *(("consented", ""),) * 3):
        page.goto("/screening/new/")
        given = {"screened_on": "2026-01-08", "screen_age": "70", "screen_outcome": outcome, "screen_reason": reason}
        page.evaluate(FILL, given)
        submit(page, "button[name=save]")
    assert page.locator("main tbody tr").count() == 8  # four steps, four lines
    fits(page)
    shot(page, "screening")


def enrol(page, place, sex, born):
    """Enrol the next of the log; returns the patient's number."""
    page.goto("/screening/")
    page.locator("main a:has-text('Enrol')").first.click()
    page.wait_for_url("**/patients/new/**")
    page.evaluate(FILL, {"sex": sex, "birth_date": born, "consent_date": "2026-01-10", "initials": f"P{place}",
                         "agreed_taken_by": "Dr Abe"})  # fmt: skip
    for criterion in page.locator("input[name^=eligible_]").all():
        criterion.check()
    if place == 0:
        fits(page)
        shot(page, "enrol")
    submit(page, ".form-buttons .btn-primary")
    return page.url.rstrip("/").rsplit("/", 1)[1]


def follow(page, number, arm, born, visits):
    at = f"/patients/{number}"
    answers = BASELINE | TUMOUR_AGREES | {"birth_date": born, "study_arm": arm, "incl_solitary": "1", "incl_escc": "1",
                                          "excl_resected": "0"}  # fmt: skip
    fill(page, f"{at}/baseline/", **answers)
    stay = {"resection": "tes", "margin": "wide", "margin_positive": "0", "admitted_on": "2026-01-12",
            "discharged_on": "2026-01-30", "discharged_to": "home"}  # fmt: skip
    fill(page, f"{at}/surgery/", **SURGERY | stay)
    core = {name: value for name, value in ASSESSMENT.items() if name != "version"}
    for code, (day, pain) in ({"preop": ("2026-01-12", "70")} | visits).items():
        fill(page, f"{at}/assessments/{code}/", **core | {"assessment_date": day, "pain_vas_mm": pain, "grip_kg": "25",
                                                          "grip_hand": "right"})  # fmt: skip


def compare(page):
    page.goto("/comparison/plans/new/?whole=1")
    given = {
        "name": "Pain by arm",
        "grouping": "named",
        "within": "1",
        "cells": ["pain_vas_mm@1m", "pain_vas_mm@3m"],
        "name_1": "Hybrid",
        "levels_1": ["study_arm=HT"],
        "name_2": "En bloc",
        "levels_2": ["study_arm=TES"],
    }
    page.evaluate(FILL, given)
    submit(page, "button[value=run]")
    until(lambda: page.locator(".flow-diagram, .flow svg, main svg").count() or (page.reload() and False))
    text = page.inner_text("main")
    assert "Hybrid" in text and "En bloc" in text
    assert "Screened" in page.content() and "too ill (1)" in page.content()
    fits(page)
    shot(page, "comparison")


def export(page):
    page.goto("/export/")
    page.check("main [name=content][value=extras]")
    page.wait_for_load_state("networkidle")
    with page.expect_download() as waiting:
        page.click("main form[method=post] .btn-lg")
    with zipfile.ZipFile(waiting.value.path()) as archive:
        (patients,) = (name for name in archive.namelist() if name.endswith("patients.csv"))
        rows = list(csv.DictReader(io.StringIO(archive.read(patients).decode("utf-8-sig"))))
    assert [row["study_arm"] for row in rows] == ["HT", "HT", "TES"]


def printed(page):
    """The protocol and a patient's page as a printer gets them."""
    page.goto("/study/protocol/")
    document = page.pdf(format="A4")
    assert document.startswith(b"%PDF-") and document.count(b"/Type /Page") > 1


def test_zhengs_study_is_set_up_filled_compared_exported_and_printed(opened, cast):
    """From an empty registry to the comparison of its arms."""
    ada, alice, bob = opened("ada"), opened("alice"), opened("bob")
    set_up(ada)
    screen(alice)
    for place, (arm, sex, born, visits) in enumerate(PEOPLE):
        number = enrol(alice, place, sex, born)
        follow(alice, number, arm, born, visits)
    alice.goto(f"/patients/{number}/")
    assert "Total en bloc spondylectomy" in alice.inner_text("main")  # the arm, to who treats the patient
    shot(alice, "patient")
    alice.goto(f"/patients/{number}/consent/")
    assert "Dr Abe" in alice.inner_text("main")
    fits(alice)
    shot(alice, "consent")
    compare(bob)
    export(bob)
    printed(ada)
