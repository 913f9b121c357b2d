"""What the ten commonest tasks cost in a demonstration: presses and fields, counted by doing them in Chromium.

`bin/count-presses` calls this. A press is a click of a link, button, option or tick; an entry chosen in a list counts
two (open, choose), Enter one, other keys none. A field is one that is typed into. A task begins on the start page of
whoever has it and ends where it is done; each takes the first of several ways that is there, so that the same script
counts in an older version.
"""

import datetime as dt
import os
import sys

from playwright.sync_api import Error, sync_playwright

from bench.shared.tables import markdown, put
from tests.working import ROOT

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DOCUMENT = ROOT / "docs" / "data-entry.md"
KNOWN, PART = "S01-0012", "0012"  # a patient of the demonstration, and what of the number somebody remembers
ASKED = "S01-0030"  # about whom the demonstration has a query
FEW = 5  # patients who are signed
FORMS = 3  # forms that are verified
BUSY = 60_000  # milliseconds that a page takes at most, where the machine has other work, too


class Hand:
    """A person at a page: what they do there, and how much it was."""

    def __init__(self, page, password):
        self.page, self.password = page, password
        self.presses = self.fields = 0

    def press(self, *ways):
        """Press the first of these that is to be seen: selectors."""
        for way in ways:
            place = self.page.locator(way).locator("visible=true")
            if place.count():
                self.presses += 1
                place.first.click()
                self.settle()
                return
        raise LookupError(f"none of {ways} on {self.page.url}")

    def enter(self):
        self.presses += 1
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
        self.settle()

    def settle(self):
        """Wait for the page that a press leads to."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_load_state("networkidle")

    def type(self, selector, text):
        self.fields += 1
        self.page.fill(selector, text)

    def choose(self, selector, **which):
        self.presses += 2
        self.page.select_option(selector, **which)
        self.settle()

    def has(self, selector):
        return self.page.locator(selector).locator("visible=true").count() > 0

    def find(self, digits):
        """Open the patient of whom these digits are known; where they alone find nobody, by the whole number."""
        self.type("#topsearch", digits)
        self.enter()
        if "/patients/S" in self.page.url:
            return
        if self.has("main table a[href*='/patients/S']"):
            self.press("main table a[href*='/patients/S']")
            return
        self.type("#topsearch", KNOWN)
        self.enter()

    def until(self, fragment):
        if fragment not in self.page.url:
            raise LookupError(f"{self.page.url} is not {fragment}")


def enrol(hand):
    """Enrol a patient and open the baseline"""
    hand.press("main a[href='/patients/new/']")
    for name in hand.page.locator("input[type=checkbox][name^=eligible]").all():
        hand.presses += 1
        name.check()
    hand.press("label:has(input[name=sex][value=female])")
    born = dt.date(1940, 1, 1) + dt.timedelta(dt.datetime.now().microsecond % 9999)  # nobody who is enrolled already
    hand.type("input[name=birth_date]", str(born))
    hand.type("input[name=consent_date]", str(dt.date.today()))
    hand.press("main form#entry button.btn-primary")
    hand.until("/patients/S01-")
    hand.press(".next-step a", "main a[href$='/baseline/']")
    hand.until("/baseline/")


def two_visits(hand):
    """From My day to a visit that is due and, once it is complete, to the next (filling in not counted)"""
    hand.press("section[aria-labelledby=to-do] table a")
    hand.until("/assessments/")
    first = hand.page.url
    hand.page.goto("/".join(first.split("/")[:5]) + "/")  # where the page of a completed form leads
    if hand.has("a[href^='/next/']"):
        hand.press("a[href^='/next/']")
    else:
        hand.press("header a.brand")
        hand.press("section[aria-labelledby=to-do] table tr:nth-child(2) a")
    hand.until("/assessments/")


def find(hand):
    """Open a patient of whom the last digits are known"""
    hand.find(PART)
    hand.until(f"/patients/{KNOWN}/")


def correct(hand):
    """Correct what a query asks about, and answer it"""
    hand.press("section[aria-labelledby=queries] table a")
    if "/queries/" in hand.page.url:
        hand.press("main .actions a.btn")
    hand.until(f"/patients/{ASKED}/assessments/")
    hand.press("label:has(input[name=ecog_ps][value='2'])")
    hand.type("[name=reason]", "It says 2 in the file.")
    hand.press("button[name=save]")
    hand.type(".query-answer [name=text]", "Corrected.")
    hand.press(".query-answer button")


def event(hand):
    """Record an adverse event of a patient of whom the last digits are known"""
    hand.find(PART)
    hand.press("main a[href*='adverse-events/new']")
    hand.choose("select[name=kind]", value="pneumonia")
    hand.type("input[name=onset_date]", "2020-01-10")
    hand.press("main form button.btn-primary")
    if hand.has(".error-summary"):
        raise LookupError(hand.page.inner_text(".error-summary"))


def sign(hand):
    """Sign five patients"""
    if not hand.has("main a[href='/to-sign/']"):
        one_by_one(hand)
        return
    hand.press("main a[href='/to-sign/']")
    for number in range(FEW):
        hand.presses += 1
        hand.page.locator("input[name=patient]").nth(number).check()
    hand.press("form[action='/to-sign/read/'] button")
    for box in hand.page.locator("[name=acknowledged], [name=sign]").all():
        if not box.is_checked():
            hand.presses += 1
            box.check()
    hand.press("#confirm")
    hand.type("#password", hand.password)
    hand.enter()


def one_by_one(hand):
    for number in range(1, FEW + 1):
        hand.type("#topsearch", f"S01-{number:04}")
        hand.enter()
        hand.press("main a[href$='/signatures/']")
        hand.press("label:has(#confirm)")
        hand.type("input[type=password]", hand.password)
        hand.enter()


def verify(hand):
    """Verify three forms, each compared whole"""
    hand.press("main a[href='/verification/next/']", "nav a[href='/verification/']")
    for _form in range(FORMS):
        if "/verify/" not in hand.page.url:
            hand.press("main table a[href*='/verify/']")
        hand.press("button[name=all][value=next]", "button[name=all]")
        if not hand.has("button[name=all]"):
            hand.press("nav a[href='/verification/']")


def answered(hand):
    """Close the query that was answered"""
    hand.press("main a[href='/queries/close/']", "nav a[href='/queries/']")
    if hand.has("button[name=only]"):
        hand.press("button[name=only]")
        return
    hand.press("main table a[href*='/queries/']")
    hand.press("button[value=close]")


def missed(hand):
    """List the missed visits of one site"""
    if hand.has("nav a[href='/quality/']"):
        hand.press("nav a[href='/quality/']")
        hand.press("main a[href*='state=missed'][href*='S01']", "main a[href*='state=missed']")
        return
    hand.press("main a[href='/grid/?site=S01']")
    hand.choose("select[name=state]", value="missed")
    if "state=missed" not in hand.page.url:
        hand.press("form.filters button")


def invite(hand):
    """Invite a coordinator to a site"""
    hand.press("main a[href*='/people/invitations/new/']", "nav a[href='/people/']")
    for way in ("main a[href='/people/invitations/']", "main a[href*='/people/invitations/new/']"):
        if "/new/" not in hand.page.url:
            hand.press(way)
    hand.type("input[name=email]", "kana@example.org")
    hand.choose("select[name=role]", value="coordinator")
    hand.choose("select[name=site]", index=1)
    hand.press("main form button.btn-primary")


TASKS = (
    ("coordinator", enrol), ("coordinator", two_visits), ("coordinator", find), ("coordinator", correct),
    ("coordinator", event), ("investigator", sign), ("monitor", verify), ("monitor", answered),
    ("data.manager", missed), ("admin", invite),
)  # fmt: skip


def count(browser, address, password):
    """Yields (who, task, presses and fields) of each task; what cannot be done says why and after how many."""
    for who, task in TASKS:
        context = browser.new_context(base_url=address, locale="en-GB", viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(BUSY)
        page.on("dialog", lambda dialog: dialog.accept())  # whether a form may be left
        page.goto("/login/")
        page.fill("#id_username", f"{who}@demo.example")
        page.fill("#id_password", password)
        page.press("#id_password", "Enter")
        page.wait_for_load_state("networkidle")
        page.goto("/")
        hand = Hand(page, password)
        try:
            task(hand)
        except (LookupError, Error) as error:
            yield who, task.__doc__, f"not done after {hand.presses}: {str(error)[:200]}"
        else:
            yield who, task.__doc__, f"{hand.presses} + {hand.fields}" if hand.fields else str(hand.presses)


def main(arguments):
    """ADDRESS PASSWORD [ADDRESS PASSWORD of the version before]"""
    registries = list(zip(arguments[::2], arguments[1::2], strict=True))
    with sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        columns = [list(count(browser, *registry)) for registry in registries]
        browser.close()
    rows = [
        [f"{task}, {who.replace('.', ' ')}", *(cell for _who, _task, cell in reversed(cells))]
        for (who, task, _cell), cells in zip(columns[0], zip(*columns, strict=True), strict=True)
    ]
    table = markdown(["task", *(["before"] if len(columns) > 1 else []), "now"], rows)
    print(table)
    if len(columns) > 1:
        put("presses", table, DOCUMENT)


if __name__ == "__main__":
    main(sys.argv[1:])
