"""Every page: no accessibility fault that axe finds, no sideways scrolling, on a desktop, a tablet and a phone."""

from pathlib import Path

import pytest

AXE = (Path(__file__).parent.parent / "vendor" / "axe" / "axe.min.js").read_text()
PAGES = {
    "start": ("alice", "/"),
    "start of a statistician": ("bob", "/"),
    "list": ("alice", "/patients/"),
    "list of all sites": ("bob", "/patients/?site=N01"),
    "enrol": ("alice", "/patients/new/"),
    "patient": ("alice", "/patients/{followed}/"),
    "new patient": ("alice", "/patients/{new}/"),
    "patient read by a statistician": ("bob", "/patients/{followed}/"),
    "baseline": ("alice", "/patients/{followed}/baseline/"),
    "surgery": ("alice", "/patients/{new}/surgery/"),
    "follow-up": ("alice", "/patients/{followed}/follow-up/"),
    "assessment": ("alice", "/patients/{new}/assessments/preop/"),
    "completed assessment": ("alice", "/patients/{followed}/assessments/1m/"),
    "assessment read by a statistician": ("bob", "/patients/{followed}/assessments/1m/"),
    "adverse event": ("alice", "/patients/{followed}/adverse-events/new/"),
    "identifiers": ("alice", "/patients/{followed}/identifiers/"),
    "history": ("alice", "/patients/{followed}/history/"),
    "not found": ("alice", "/nothing/"),
    "sign in": (None, "/login/"),
}


def faults(page):
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {one['help']} — {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("size", ["desktop", "tablet", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(opened, cast, name, size):
    who, path = PAGES[name]
    page = opened(who, size)
    page.goto(path.format(followed=cast.followed, new=cast.new))
    page.wait_for_load_state("networkidle")
    assert faults(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_a_page_with_errors_is_accessible(opened, cast):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/preop/")
    page.fill("[name=pain_vas_mm]", "101")
    page.click("text=Complete")
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    assert faults(page) == []


def test_a_page_in_japanese_is_accessible(opened, cast):
    page = opened("alice")
    page.click("button[value=ja]")
    page.goto(f"/patients/{cast.followed}/assessments/1m/")
    assert page.locator("html").get_attribute("lang") == "ja"
    assert faults(page) == []
    page.click("button[value=en]")
