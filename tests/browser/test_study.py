"""Zheng's study set up from an empty registry by an administrator in the browser, followed, compared and exported.

Visits to 60 months, two arms, AIS, SOSG-OQ, margins and local recurrence, as in doi:10.21203/rs.3.rs-522631/v1.
"""

import os
from types import SimpleNamespace

import pytest

from registry.celery import app
from sites.models import Site
from sites.tenancy.access import Role, access_of
from tests.browser.test_pages import fits
from tests.conftest import person, swept_afterwards
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY

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
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def fill_all(page, answers):
    """Answer a form by the names of its fields."""
    for name, value in answers.items():
        fields = page.locator(f'[name="{name}"]')
        kind = fields.first.evaluate("one => one.type || one.tagName.toLowerCase()")
        if kind in ("radio", "checkbox"):
            for one in value if isinstance(value, list) else [value]:
                page.check(f'[name="{name}"][value="{one}"]')
        elif kind.startswith("select"):
            page.select_option(f'[name="{name}"]', value)
        else:
            page.fill(f'[name="{name}"]', value)


def submit(page, button):
    with page.expect_navigation():
        page.click(button)


def publish(page, code, note):
    page.goto(f"/study/instruments/{code}/publish/")
    page.fill("#note", note)
    submit(page, ".form-buttons .btn-primary")
    assert page.url.endswith("/study/instruments/"), page.inner_text("main")


def set_up(page):
    page.goto("/study/")
    fits(page)
    shot(page, "guide")
    assert "missing" in page.inner_text("main")
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
    assert page.url.endswith("/study/"), page.inner_text("main")

    page.goto("/schedule/new/")
    page.fill("[name=effective_from]", "2012-01-01")
    page.fill("[name=note]", "visits to 60 months")
    place = page.locator("input[name^='code-']:not([type=hidden])").first.get_attribute("name").split("-")[1]
    for n, (code, day) in enumerate((("36m", "1095"), ("48m", "1461"), ("60m", "1826")), start=int(place)):
        label = {"label": f"{code[:2]} months", "label_ja": f"{code[:2]}か月"}
        for name, value in ({"code": code, "day": day, "before": "90", "after": "90"} | label).items():
            page.fill(f"[name={name}-{n}]", value)
    submit(page, ".form-buttons .btn-primary")
    assert page.url.endswith("/schedule/"), page.inner_text("main")

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
    assert "ethics" not in page.inner_text("main").lower().split("missing")[-1]
    shot(page, "guide-done")
    page.goto("/study/protocol/")
    fits(page)
    shot(page, "protocol")
    assert "Total en bloc spondylectomy" in page.inner_text("main") and "Margin" in page.inner_text("main")
    page.goto("/study/versions/")
    assert "the protocol as approved" in page.inner_text("main")


ELIGIBLE = {
    "incl_solitary": "1",
    "incl_escc": "1",
    "excl_resected": "0",
    "consent_version": "1.0",
    "consent_taken_by": "Dr A",
}
MARGINS = {"resection": "tes", "margin": "wide", "margin_positive": "0", "admitted_on": "2026-01-12",
           "discharged_on": "2026-01-26", "discharged_to": "home"}  # fmt: skip
VISIT = {name: value for name, value in ASSESSMENT.items() if not name.startswith("barthel_") and name != "version"}
VISIT |= {"ais": "D", "escc": "3", "sosg_version": "v2", "sosg_direction": "lower_better", "grip_kg": "0"}
SOSG = {"sosg_physical": "50", "sosg_neurological": "60", "sosg_pain": "40", "sosg_mental": "50", "sosg_social": "60"}


def complete(page, address, answers):
    page.goto(address)
    fill_all(page, answers)
    page.click("button[name=complete], .form-buttons .btn-primary")
    page.wait_for_load_state()
    if page.locator("[name=right]").count():
        for one in page.locator("[name=right]").all():
            one.check()
        submit(page, "button[name=complete], .form-buttons .btn-primary")
    assert "/patients/" in page.url and not page.locator(".error-summary").count(), page.inner_text("main")


def enrol_and_follow(page, number, arm):
    page.goto("/patients/new/")
    fill_all(page, {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"})
    page.check("[name=consented]")
    submit(page, "main .btn-primary")
    patient = page.url.rstrip("/").rsplit("/", 1)[1]
    baseline = {name: value for name, value in BASELINE.items() if name not in ("sex", "consent_date")}
    complete(page, f"/patients/{patient}/baseline/", baseline | ELIGIBLE | {"study_arm": arm})
    complete(page, f"/patients/{patient}/surgery/", SURGERY | MARGINS)
    complete(page, f"/patients/{patient}/assessments/preop/", VISIT | SOSG)
    later = (
        VISIT | SOSG | {"assessment_date": "2026-07-14", "eq_vas": str(60 + 10 * number), "ais": "E", "sosg_pain": "20"}
    )
    complete(page, f"/patients/{patient}/assessments/6m/", later)
    return patient


def test_zhengs_study_from_an_empty_registry(opened, cast):
    admin = opened("ada")
    set_up(admin)
    page = opened("alice", size="tablet")
    patients = [enrol_and_follow(page, n, arm) for n, arm in enumerate(("HT", "TES", "TES"), start=1)]
    page.goto(f"/patients/{patients[0]}/surgery/")
    fits(page)
    shot(page, "surgery")
    assert "14 days" in page.inner_text("[data-derived=hospital_stay]")
    page.goto(f"/patients/{patients[0]}/assessments/1m/")
    assert page.locator("[name=grip_kg]").count() == 0
    page.goto(f"/patients/{patients[0]}/assessments/60m/")
    assert page.locator("[name=grip_kg]").count() == 1 and page.locator("[name=barthel_feeding]").count() == 0
    shot(page, "visit")

    bob = opened("bob")
    bob.goto("/cohorts/new/")
    assert "Study arm" in bob.inner_text("main")
    bob.goto("/comparison/new/")
    shot(bob, "comparison")
    fits(bob)
