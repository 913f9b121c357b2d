"""The grid by keyboard alone, further rows without a new page, and what the first view of a form weighs."""

import gzip
import re

from django.contrib.staticfiles import finders
from django.test import Client

from registry.web.start import grid as grid_page
from tests.browser.test_pages import faults


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.className")


def test_a_form_is_reached_by_keyboard(opened, cast):
    page = opened("alice")
    page.goto("/grid/")
    page.focus("table[data-grid] tbody a[tabindex='0']")
    own = f"/patients/{cast.followed}/"
    assert focused(page) == f"{own}baseline/"
    assert page.locator("table[data-grid] tbody [tabindex='0']").count() == 1
    for key, address in (
        ("ArrowRight", f"{own}surgery/"),
        ("ArrowRight", f"{own}assessments/preop/"),
        ("ArrowDown", f"/patients/{cast.new}/assessments/preop/"),
        ("Home", f"/patients/{cast.new}/"),
        ("ArrowUp", own),
        ("ArrowUp", own),
        ("ArrowLeft", own),
        ("ArrowRight", f"{own}baseline/"),
    ):
        page.keyboard.press(key)
        assert focused(page) == address, key
    page.keyboard.press("End")
    assert focused(page) == "cell-none"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{own}assessments/24m/")


def test_further_rows_come_without_a_new_page(opened, cast, monkeypatch):
    monkeypatch.setattr(grid_page, "PAGE", 1)
    page = opened("alice", size="tablet")
    page.goto("/grid/")
    assert page.locator("tbody th[scope=row]").count() == 1
    page.focus("table[data-grid] tbody a[tabindex='0']")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"a[href='/patients/{cast.new}/baseline/']:focus")
    assert page.locator("tbody th[scope=row]").count() == 2
    assert page.locator("a[data-more]").count() == 0
    assert page.locator("table[data-grid] tbody [tabindex='0']").count() == 1
    assert faults(page) == []


def test_the_grid_works_without_javascript(opened, cast, monkeypatch):
    monkeypatch.setattr(grid_page, "PAGE", 1)
    page = opened("alice", java_script_enabled=False)
    page.goto("/grid/")
    page.click("a[data-more]")
    assert page.locator("tbody th[scope=row]").inner_text() == cast.new
    page.select_option("[name=form]", "1m")
    page.click(".filter-button")
    assert page.locator("thead th").count() == 2


def test_the_first_view_of_a_form_is_light(cast, django_db_blocker):
    """The page, its styles, scripts and shapes and the values of the health states, as the proxy sends them."""
    with django_db_blocker.unblock():
        client = Client()
        client.force_login(cast.alice)
        html = client.get(f"/patients/{cast.followed}/assessments/3m/").content
        parts = [html, client.get(re.search(rb'"values": "([^"]+)"', html)[1].decode()).content]
    files = set(re.findall(r'(?:href|src)="/static/([^"#]+)', html.decode()))
    assert {"registry.css", "registry.js", "icons.svg"} <= files
    for name in files:
        with open(finders.find(name), "rb") as file:
            parts.append(file.read())
    assert sum(len(gzip.compress(part)) for part in parts) < 150_000
