"""A coordinator's whole day by keyboard alone; the form on a tablet by touch, and on the narrowest of screens."""

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone

from registry.models import Patient
from registry.services.entry import patients
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import Site
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.browser.test_pages import fits
from tests.conftest import PASSWORD
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY

DAY = dt.timedelta(days=1)
MOST_TABS = 60  # to anything on a page

FOCUS = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const box = at.getBoundingClientRect();
    const shown = [at, at.nextElementSibling, at.closest('label')].filter(Boolean).some((one) => {
        const style = getComputedStyle(one);
        return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
    });
    const bar = document.querySelector('.sticky-buttons');
    const covered = bar && !bar.contains(at) && box.top >= bar.getBoundingClientRect().top;
    return {
        name: at.name || '', tag: at.tagName, href: at.getAttribute('href'), type: at.type || '', shown,
        inView: box.bottom > 0 && box.top < innerHeight && !covered, text: at.innerText || '',
        html: at.outerHTML.slice(0, 160),
    };
}"""


class Keyboard:
    """What a person without a mouse does, and where the focus is afterwards: always to be seen."""

    def __init__(self, page):
        self.page = page

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text):
        self.page.keyboard.type(text)

    @property
    def focus(self):
        return self.page.evaluate(FOCUS)

    def tab_to(self, **wanted):
        """Tab until the focused element has these properties."""
        passed = []
        for _ in range(MOST_TABS):
            self.press("Tab")
            at = self.focus
            if at is None:
                continue
            assert at["shown"], f"no visible focus on {at['html']}"
            assert at["inView"], f"focused out of view: {at['html']}"
            if all(at[name] == value for name, value in wanted.items()):
                return
            passed.append(at["href"] or at["name"] or at["tag"])
        raise AssertionError(f"{wanted} is not within {MOST_TABS} tabs: {passed}")

    def follow(self, href, address=None):
        self.tab_to(href=href)
        self.press("Enter")
        self.page.wait_for_url(f"**{address or href}")

    def begin(self):
        """By the second skip link to the first open question."""
        self.page.wait_for_load_state("networkidle")
        self.press("Tab", "Tab")
        assert "data-begin" in self.focus["html"]
        self.press("Enter")

    def answer(self, answers):
        """Answer question after question from the one in focus on, until the buttons have it; the names in order."""
        seen = []
        while (at := self.focus)["tag"] != "BUTTON":
            name = at["name"]
            assert name, at
            assert name not in seen, f"stayed at {name}"
            assert at["shown"], at
            assert at["inView"], at
            seen.append(name)
            self._answer(name, at["type"], answers.get(name))
            self.press("Enter")
        return seen

    def _answer(self, name, kind, value):
        if value is None:
            return
        if kind == "radio":
            option = self.page.locator(f"[name={name}][value='{value}']")
            self.type(option.get_attribute("data-key"))
            assert option.is_checked()
        elif kind == "date":
            self.type(dt.date.fromisoformat(value).strftime("%m%d%Y"))
        elif name == "lesion_levels":
            for level in value:
                self.type(level)
                self.press("Space")
        elif kind == "checkbox":
            self.press("Space")
        else:
            self.type(value)


@pytest.fixture
def due(cast, django_db_blocker):
    """A patient of Alice's whose visit at one month is due, with a query about the baseline."""
    today = timezone.localdate()
    surgery, consent = today - 31 * DAY, str(today - 36 * DAY)
    with django_db_blocker.unblock(), transaction.atomic():
        with entered(cast.access.scope()):
            raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": consent}
            north = Site.objects.get(code="N01")
            enrolment = patients.enrol(access=cast.access, site=north, raw=raw, consented=True, today=today)
            raw = BASELINE | {"birth_date": "1955-04-03", "consent_date": consent, "sins_pain": "1"}
            patients.save_form(access=cast.access, patient=enrolment, form="baseline", raw=raw, complete=True)
            raw = SURGERY | {"surgery_date": str(surgery)}
            patients.save_form(access=cast.access, patient=enrolment, form="surgery", raw=raw, complete=True)
        access = access_of(cast.mona)
        with entered(access.scope()):
            query = queries.raise_query(access=access, patient=enrolment, form=Form("baseline"), text="Is it lung?")
    return enrolment.pk, query.pk


def test_a_coordinators_day_by_keyboard_alone(opened, cast, due, assessments, django_db_blocker):
    patient, query = due
    page = opened(None, reduced_motion="reduce")  # a page that still scrolls has nothing in its place
    keys = Keyboard(page)
    page.goto("/")
    page.wait_for_load_state("networkidle")
    if (keys.focus or {}).get("name") != "username":
        keys.tab_to(name="username")
    keys.type("alice@example.org")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_selector(".sidebar")

    # The visit that is due, with a slip that is found and mended
    form = f"/patients/{patient}/assessments/1m/"
    keys.follow(form)
    keys.begin()
    today = timezone.localdate().isoformat()
    answers = ASSESSMENT | {"assessment_date": today}
    seen = keys.answer(answers | {"pain_vas_mm": "140"})
    assert set(seen) == set(ASSESSMENT) - {"version"}
    assert page.locator("#error-pain_vas_mm").is_visible()
    keys.tab_to(name="complete")
    keys.press("Enter")
    page.wait_for_selector(".error-summary")
    keys.tab_to(href="#field-pain_vas_mm")
    keys.press("Enter")
    assert keys.focus["name"] == "pain_vas_mm"
    assert page.input_value("[name=pain_vas_mm]") == "140"
    keys.press("Control+A")
    keys.type("40")
    keys.press("Tab")
    assert page.locator("#error-pain_vas_mm").count() == 0
    keys.tab_to(name="complete")
    keys.press("Enter")
    page.wait_for_url(f"**/patients/{patient}/")
    stored = assessments(patient, "1m")
    assert (stored.state, stored.pain_vas_mm, stored.barthel_total) == ("complete", 40, 65)

    # A query
    keys.follow("/queries/")
    keys.follow(f"/queries/{query}/")
    keys.tab_to(name="text")
    keys.type("Yes, lung.")
    keys.tab_to(tag="BUTTON", type="submit")
    keys.press("Enter")
    page.wait_for_selector("text=Yes, lung.")

    # The grid
    keys.follow("/grid/")
    while not page.evaluate("Boolean(document.activeElement.closest('table[data-grid] tbody'))"):
        keys.press("Tab")
    keys.press("ArrowDown", "ArrowUp", "Home")
    assert keys.focus["href"].startswith("/patients/")
    keys.press("ArrowRight")
    assert keys.focus["href"].endswith("/baseline/")

    # Another patient, with baseline and levels
    keys.follow("/patients/")
    keys.follow("/patients/new/")
    keys.begin()
    enrolment = {f"eligible_{name}": True for name in ("surgery", "consent", "no_dementia")}
    enrolment |= {"sex": "female", "birth_date": "1950-02-03", "consent_date": today, "initials": "AB"}
    keys.answer(enrolment)
    keys.press("Enter")
    page.wait_for_selector(".note-success")
    new = page.url.rstrip("/").rsplit("/", 1)[1]
    keys.follow(f"/patients/{new}/baseline/")
    keys.begin()
    assert keys.focus["name"] == "primary_tumour"  # what the enrolment asked is there already
    seen = keys.answer(BASELINE | {"sins_pain": "1"})
    assert "lesion_levels" in seen
    assert "Thoracic" in page.locator("#segment-lesion_levels").inner_text()
    keys.tab_to(name="complete")
    keys.press("Enter")
    page.wait_for_url(f"**/patients/{new}/")
    with django_db_blocker.unblock(), entered(cast.access.scope()), transaction.atomic():
        row = Patient.objects.get(pk=new)
        assert (row.baseline_state, row.sins_total) == ("complete", 7)

    keys.tab_to(tag="SUMMARY")
    keys.press("Enter")
    keys.tab_to(text="Sign out")
    keys.press("Enter")
    page.wait_for_url("**/login/**")


def test_on_a_tablet_every_answer_is_a_tap(opened, cast, due, assessments):
    patient, _query = due
    page = opened("alice", "tablet", has_touch=True, reduced_motion="reduce")
    page.goto("/")
    page.locator(f"a[href='/patients/{patient}/assessments/1m/']").tap()
    page.wait_for_url("**/assessments/1m/")
    page.fill("[name=assessment_date]", timezone.localdate().isoformat())
    for name, value in ASSESSMENT.items():
        option = page.locator(f"input[type=radio][name={name}][value='{value}']")
        if option.count():
            row = option.locator("xpath=ancestor::label")
            assert row.bounding_box()["height"] >= 44, name
            row.tap()
            assert option.is_checked(), name
        elif name in ("pain_vas_mm", "eq_vas"):
            page.fill(f"[name={name}]", value)
    for button in page.locator(".form-buttons button").all():
        assert button.bounding_box()["height"] >= 44
    assert page.locator(".keyboard-hint").count() == 0
    fits(page)
    page.locator("button[name=complete]").tap()
    page.wait_for_url(f"**/patients/{patient}/")
    assert assessments(patient, "1m").state == "complete"
    page.goto(f"/patients/{cast.new}/baseline/")
    page.locator("label.vertebra", has_text="T12").tap()
    assert page.locator("[name=lesion_levels][value=T12]").is_checked()


@pytest.mark.parametrize(
    "address", ["/", "/patients/new/", "{new}/baseline/", "{new}/assessments/preop/", "{followed}/"]
)
def test_forms_fit_a_width_of_320(opened, cast, address):
    page = opened("alice", "phone")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(
        address if address.startswith("/") else "/patients/" + address.format(new=cast.new, followed=cast.followed)
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_a_phone_the_navigation_opens_by_its_button(opened, cast):
    page = opened("alice", "phone")
    page.goto("/")
    menu, entry = page.get_by_role("button", name="Menu"), page.get_by_role("link", name="Grid of forms")
    assert not entry.is_visible()
    menu.click()
    assert entry.is_visible()
    page.keyboard.press("Escape")
    assert not entry.is_visible()
    menu.focus()
    page.keyboard.press("Enter")
    entry.click()
    page.wait_for_url("**/grid/")
    page.set_viewport_size({"width": 820, "height": 1180})
    assert entry.is_visible()
    assert not menu.is_visible()
