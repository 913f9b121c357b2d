"""Zheng's study set up from an empty registry by an administrator in the browser.

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
    assert "missing" not in page.inner_text("main")
    shot(page, "guide-done")
    page.goto("/study/protocol/")
    fits(page)
    shot(page, "protocol")
    assert "Total en bloc spondylectomy" in page.inner_text("main") and "Margin" in page.inner_text("body")
    page.goto("/study/versions/")
    assert "the protocol as approved" in page.inner_text("body")


def test_zhengs_study_is_set_up_from_an_empty_registry(opened, cast):
    set_up(opened("ada"))
