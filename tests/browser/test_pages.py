"""Every page: no accessibility fault that axe finds, no sideways scrolling, on a desktop, a tablet and a phone."""

from pathlib import Path

import pytest

from tests.browser.conftest import SIZES, playwright, resize
from tests.conftest import PASSWORD

pytestmark = pytest.mark.long

AXE = (Path(__file__).parent.parent / "vendor" / "axe" / "axe.min.js").read_text()
EXAMINE = "rules => axe.run(document, {resultTypes: ['violations'], rules})"
PAGES = {
    "start": ("alice", "/"),
    "start of a statistician": ("bob", "/"),
    "list": ("alice", "/patients/"),
    "list of all sites": ("bob", "/patients/?site=N01"),
    "grid": ("alice", "/grid/"),
    "grid of all sites": ("bob", "/grid/?form=1m"),
    "grid without a match": ("alice", "/grid/?q=nobody"),
    "schedule": ("alice", "/schedule/"),
    "another version of the schedule": ("ada", "/schedule/new/"),
    "end of follow-up": ("alice", "/patients/{followed}/end/"),
    "erasing a patient": ("dana", "/patients/{followed}/erase/"),
    "erased patients": ("dana", "/erasures/"),
    "unscheduled visit": ("alice", "/patients/{followed}/assessments/u1/"),
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
    "queries": ("alice", "/queries/"),
    "query": ("mona", "/queries/{query}/"),
    "query to answer on its form": ("alice", "/patients/{followed}/assessments/preop/"),
    "new query": ("mona", "/patients/{followed}/queries/new/?form=preop"),
    "many queries": ("dana", "/queries/many/?form=preop&field=frankel&has=value&value=D"),
    "forms to verify": ("mona", "/verification/"),
    "verification of a form": ("mona", "/patients/{followed}/verify/preop/"),
    "ready to sign": ("ivo", "/to-sign/?all=1"),
    "read and sign": ("ivo", "/to-sign/read/"),
    "sampling plan": ("ada", "/verification/plan/"),
    "verified by site and item": ("mona", "/verification/share/"),
    "report of a visit": ("mona", "/verification/report/"),
    "safety": ("mona", "/safety/"),
    "who is told": ("ada", "/safety/people/"),
    "quality": ("bob", "/quality/"),
    "rows of a number": ("mona", "/quality/rows/?what=numbers&item=eq_vas"),
    "days of the plan": ("ada", "/quality/enrolment-plan/"),
    "scorecard before it is counted": ("alice", "/scorecard/"),
    "start of a data manager": ("dana", "/"),
    "signatures": ("ivo", "/patients/{followed}/signatures/"),
    "comparisons": ("bob", "/comparison/"),
    "new comparison": ("bob", "/comparison/new/"),
    "export": ("alice", "/export/"),
    "export that cannot be": ("bob", "/export/?format=parquet&missing=tagged&content=items"),
    "snapshots": ("bob", "/snapshots/"),
    "two snapshots": ("bob", "/snapshots/compare/?before=now&after=now"),
    "import": ("dana", "/import/"),
    "imports": ("dana", "/import/history/"),
    "mappings": ("dana", "/import/mappings/"),
    "enrolment": ("dana", "/enrolment/"),
    "audit": ("ada", "/audit/"),
    "sites": ("ada", "/sites/"),
    "site": ("ada", "/sites/{north}/"),
    "another site": ("ada", "/sites/new/"),
    "person changed": ("ada", "/people/{ada}/change/"),
    "merge": ("dana", "/patients/{new}/merge/?with={followed}"),
    "transfer": ("dana", "/patients/{followed}/transfer/"),
    "one patient?": ("dana", "/one-patient/"),
    "people": ("ada", "/people/"),
    "person": ("ada", "/people/{ada}/"),
    "invitations": ("ada", "/people/invitations/"),
    "new invitation": ("ada", "/people/invitations/new/"),
    "delegation log": ("ada", "/delegation/?site=N01"),
    "account": ("alice", "/account/"),
    "new password": ("alice", "/account/password/"),
    "forgotten password": (None, "/password/forgotten/"),
    "start of an administrator": ("ada", "/"),
    "API tokens": ("alice", "/tokens/"),
    "everybody's API tokens": ("ada", "/tokens/everybody/"),
    "API": ("dana", "/api/v1/docs"),
    "not found": ("alice", "/nothing/"),
    "sign in": (None, "/login/"),
}


# What is seen of the elements, each kind once: where it is, in which colours, and whether it scrolls.
LOOKS = """() => {
    const behind = new Map(), looks = new Set();
    const kind = (one) => one ? `${one.localName}.${one.getAttribute('class') || ''}` : '';
    for (const one of document.querySelectorAll('body, body *')) {
        const style = getComputedStyle(one), own = style.backgroundColor;
        const back = own === 'rgba(0, 0, 0, 0)' ? behind.get(one.parentElement) : own;
        behind.set(one, back);
        if (!one.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
        const scrolls = one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight;
        const where = [one.parentElement?.parentElement, one.parentElement, one].map(kind).join(' ');
        looks.add([where, style.color, back, style.fontSize, scrolls].join());
    }
    return [...looks];
}"""
EXAMINED = {width: set() for width, _height in SIZES.values()}  # what axe has looked at, by the width of the screen


def faults(page, rules=None, attempts=3):
    """What axe finds on the page that stays: one that a click is still leaving goes away under the examination."""
    page.wait_for_load_state()
    try:
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE)
        violations = page.evaluate(EXAMINE, rules or {})["violations"]
    except playwright.Error:
        if attempts == 1:
            raise
        return faults(page, rules, attempts - 1)
    return [
        f"{violation['id']}: {violation['help']} — {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for violation in violations
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(looking, cast, name):
    who, path = PAGES[name]
    page = looking(who)
    page.goto(path.format(followed=cast.followed, new=cast.new, query=cast.query, ada=cast.ada.pk, north=cast.north))
    page.wait_for_selector(".htmx-request", state="detached")  # what a page fetches by itself
    assert_fits(page)


def test_a_person_signs_in(opened):
    page = opened(None)
    page.goto("/patients/")
    page.fill("#id_username", "alice@example.org")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/")


def test_a_page_with_errors_is_accessible(opened, cast):
    page = opened("alice")
    page.goto(f"/patients/{cast.new}/assessments/preop/")
    page.fill("[name=pain_vas_mm]", "101")
    page.click("button[name=complete]")
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    assert faults(page) == []


def test_a_page_in_japanese_is_accessible(opened, cast):
    page = opened("alice")
    page.goto("/")
    page.click("button[value=ja]")
    page.wait_for_selector("html[lang=ja]")
    page.goto(f"/patients/{cast.followed}/assessments/1m/")
    assert page.locator("html").get_attribute("lang") == "ja"
    assert faults(page) == []
    page.click("button[value=en]")
    page.wait_for_selector("html[lang=en]")


@pytest.mark.parametrize("path", ["/erasures/", "/admin/"])
def test_a_page_of_a_demonstration_is_accessible(opened, cast, settings, path):
    settings.SYNTHETIC = True
    page = opened("ada" if path == "/admin/" else "dana")
    page.goto(path)
    assert page.locator("aside.synthetic").count() == 1
    assert faults(page) == []


def assert_fits(page):
    """No accessibility fault and no sideways scrolling on any screen.

    axe looks at each page once, and again only where a narrower screen shows something in a way in which neither this
    page nor another one on that screen showed it: the examination takes most of the time here.
    """
    seen = set()
    for width, height in SIZES.values():
        resize(page, width, height)
        looks = set(page.evaluate(LOOKS))
        if not seen or looks - seen - EXAMINED[width]:
            assert faults(page) == [], (page.url, width)
        seen |= looks
        EXAMINED[width] |= looks
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


def fits(page):
    """`assert_fits`, on the page that a click leads to and that keeps quiet."""
    page.wait_for_load_state("networkidle")
    assert_fits(page)


def test_a_file_with_columns_of_its_own_comes_in_and_goes_again(opened, cast, tmp_path):
    path = tmp_path / "clinic.csv"
    rows = f"record_id,visit,frankel,vas\n{cast.followed},preop,C,70\n{cast.followed},one month,D,99\n"
    path.write_bytes(("番号,時期,frankel,vas\n" + rows.partition("\n")[2]).encode("cp932"))
    page = opened("dana")
    page.goto("/import/")
    page.set_input_files("#files", path)
    page.click("main form.panel button")
    page.wait_for_selector("input[value=cp932]")
    fits(page)
    page.check("input[value=cp932]")
    page.click("text=Continue")
    page.get_by_label("番号", exact=True).fill("patient_id")
    page.get_by_label("vas", exact=True).fill("frankel")
    page.click("text=Continue")
    page.wait_for_selector(".error-summary")
    fits(page)
    page.get_by_label("vas", exact=True).fill("pain_vas_mm")
    page.click("text=Continue")
    page.wait_for_selector("#save_as")
    page.get_by_label("one month", exact=True).select_option("")
    page.click("text=Check the file")
    page.wait_for_selector(".field-error")
    fits(page)
    page.get_by_label("one month", exact=True).select_option("1m")
    page.click("text=Check the file")
    page.wait_for_selector("#reason")
    fits(page)
    with page.expect_navigation():
        page.click("text=All changed, new and unchanged rows")
    fits(page)
    page.go_back()
    page.check("#update")
    page.fill("#reason", "from the clinic")
    page.click("text=Import the files")
    with page.expect_navigation():
        page.click("text=Undo this import")
    fits(page)
    page.fill("#reason", "wrong file")
    page.get_by_role("button", name="Undo the import").click()
    page.wait_for_selector("text=The import was undone")
    fits(page)


SUMMARISED = (
    "Group", "Time", "n", "Unknown", "Mean", "Standard error", "Median", "Mode", "SD", "Kurtosis", "Skewness",
    "Minimum", "Maximum", "Range", "Lower quartile", "Upper quartile",
)  # fmt: skip


def test_the_widest_table_of_a_comparison_is_whole_on_paper(opened):
    """EQ VAS in the EQ-5D report has sixteen columns: on A4 between its margins its heads shrink as its rows do."""
    page = opened("bob")
    page.goto("/comparison/")
    heads = "".join(f'<th scope="col" class="number">{text}</th>' for text in SUMMARISED)
    row = "<th scope=row>Cervical</th><td>Before surgery</td>" + '<td class="number">100.0</td>' * 14
    page.evaluate(
        """(rows) => document.querySelector("main").insertAdjacentHTML("beforeend",
            `<div class="panel"><div class="table-wrap"><table class="grid journal">${rows}</table></div></div>`)""",
        f"<thead><tr>{heads}</tr></thead><tbody><tr>{row}</tr></tbody>",
    )
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.wait_for_function("document.querySelector('table.journal').style.getPropertyValue('--print') !== ''")
    frame = page.locator(".table-wrap:has(table.journal)")
    assert frame.evaluate("frame => frame.scrollWidth - frame.clientWidth") <= 1
    sizes = "table => ['thead th', 'td'].map((cell) => getComputedStyle(table.querySelector(cell)).fontSize)"
    head, cell = page.locator("table.journal").evaluate(sizes)
    assert head == cell


@pytest.mark.parametrize("address", ["/safety/", "/grid/", "/patients/"])
def test_a_number_of_a_patient_is_one_word_on_a_phone(opened, address):
    """A table that goes on to the side lets its first column wrap, yet not at the hyphen of a patient's number."""
    page = opened("alice", size="phone")
    page.goto(address)
    number = page.locator(".scrolls tbody th[scope=row] a").first
    number.wait_for()
    lines = "link => (text => (text.selectNodeContents(link), text.getClientRects().length))(new Range())"
    assert number.evaluate(lines) == 1


def test_a_plans_sections_are_built_with_the_keyboard(opened):
    """Without a mouse a model is told what it is and asked only what that needs, another is added, and one removed."""
    page = opened("bob")
    page.goto("/comparison/plans/new/")
    _open(page, "model")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.input_value("[name=model_what_1]") == "ancova"
    assert page.is_visible("[name=model_baseline_1]") and page.is_hidden("[name=model_structure_1]")
    _press(page, "#model button[name=more]")
    assert page.evaluate("document.activeElement.name") == "model_what_2"
    page.keyboard.press("End")
    assert page.input_value("[name=model_what_2]") == "repeated"
    assert page.is_visible("[name=model_structure_2]")
    assert_fits(page)
    _press(page, "#model button[value=model_1]")
    assert page.evaluate("document.activeElement.value") == "model"
    assert page.input_value("[name=model_what_1]") == "" and page.input_value("[name=model_what_2]") == "repeated"
    # A visit by a rule, and the days between two dates: each is asked what it needs, and says what is known of it.
    _open(page, "visit")
    _typed(page, "ArrowDown", "ArrowDown", "ArrowDown", "Tab", "365", "Tab", "60")
    _press(page, "#visit button[name=more]")
    assert page.input_value("[name=visit_what_1]") == "nearest" and page.input_value("[name=visit_within_1]") == "60"
    _open(page, "var")
    _typed(page, "ArrowDown", "ArrowDown")
    assert page.is_visible("[name=var_first_1]") and page.is_hidden("[name=var_item_1]")
    page.wait_for_selector("[name=var_last_1] option[value=surgery_date]", state="attached")
    for place, value in (("first", "consent_date"), ("last", "surgery_date")):
        page.select_option(f"[name=var_{place}_1]", value)
    page.wait_for_function("document.getElementById('summary_var_last_1').textContent.includes('known')")
    _press(page, "#var button[name=more]")
    assert page.locator("input[name=cells][value=var_1]").count() == 1
    page.focus("details.plan-instrument[hx-post*=Frankel] summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name=cells][value='frankel@visit_1']")
    assert_fits(page)


def _open(page, section):
    """Open a part of the plan's page, which is fetched then, by its line."""
    page.focus(f"#{section} summary")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[name={section}_what_1]")


def _typed(page, *keys):
    """From the line of a part, press keys in its first field and on."""
    page.keyboard.press("Tab")
    for key in keys:
        page.keyboard.type(key) if key.isdigit() else page.keyboard.press(key)


def _press(page, button):
    page.focus(button)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state()
