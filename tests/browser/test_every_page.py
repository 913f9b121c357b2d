"""axe on every page there is: the resolver's addresses that `test_pages.py` does not list, in the crawl's world.

The test client answers in the place of a server, so that what the crawl makes for an address goes again after it.
"""

import mimetypes
from contextvars import copy_context
from functools import cache
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.urls import Resolver404, resolve

from registry.celery import app
from registry.services import current_protocol as protocol
from tests.browser.conftest import SIZES, resize
from tests.browser.test_pages import PAGES, faults
from tests.browsing import Browser
from tests.guard.acts import ACTS, own_export, queued_run, with_app
from tests.guard.crawl import addresses, undone
from tests.guard.permissions import RULES
from tests.guard.world import populated
from tests.working import PATIENCE

pytestmark = pytest.mark.long

HOST = "http://localhost"  # an address that browsers trust with keys; nothing is asked of the network
ASKING = ("anonymous", "coordinator", "investigator", "monitor", "data_manager", "statistician", "admin")

# What is made for addresses whose page no act needs, and what is asked in their query.
BEFORE = {name: act.before for name, act in ACTS.items() if act.before} | {
    "export_detail": own_export,
    "mfa_view_recovery_codes": with_app,
    "comparison_compare": queued_run,
}
SIZE_OF_TARGETS = {"target-size": {"enabled": True}}  # of WCAG 2.2, which axe leaves out unless it is asked
QUERIES = {"comparison_compare": "?a={run_id}&b={run_id}"}

ELSEWHERE = "test_pages.py walks through an import"
DJANGO = "Django's own markup, for what is rarely set; the product's pages for sites and people are examined"
FILE, PART, NOBODY = "a file", "a part of pages, examined with them", "there is no such page in most registries"
NO_PAGE = {
    "brand_style": FILE,
    "brand_logo": FILE,
    "study_file": FILE,
    "wording_template": FILE,
    "own_instrument_file": FILE,
    "screening_csv": FILE,
    "delegation_csv": FILE,
    "attachment": FILE,
    "export_file": FILE,
    "import_findings": FILE,
    "import_findings_workbook": FILE,
    "comparison_figure": FILE,
    "comparison_eq5d_table": FILE,
    "comparison_download": FILE,
    "mfa_download_recovery_codes": FILE,
    "admin:jsi18n": FILE,
    "session": PART,
    "value_set": PART,
    "segment_group": PART,
    "import_progress": PART,
    "export_progress": PART,
    "snapshot_progress": PART,
    "comparison_progress": PART,
    "cohort_patients": PART,
    "import_values": ELSEWHERE,
    "import_undo": ELSEWHERE,
    "import_rows": ELSEWHERE,
    "account_reset_password_from_key": "asks for a link of a mail; its form is that of account_change_password",
    "comparison_plan_lists": PART,
    "openid_connect_login": NOBODY,
    "openid_connect_callback": NOBODY,
    "comparison_published": NOBODY,
    "admin:view_on_site": NOBODY,
    "admin/(?P<url>.*)$": NOBODY,
    **{
        f"admin:{screen}": DJANGO
        for screen in (
            "study_sites_membership_add", "study_sites_membership_change", "study_sites_membership_changelist",
            "study_sites_site_add", "study_sites_site_change", "study_sites_site_changelist",
            "study_sites_user_add", "study_sites_user_change", "study_sites_user_changelist",
            "registry_scheduleversion_change",
        )
    },
    "api:nothing": NOBODY,
    "fhir:nothing": NOBODY,
}  # fmt: skip


def listed():
    """Names of the addresses that `PAGES` asks for."""
    for _who, path in PAGES.values():
        try:
            match = resolve(path.partition("?")[0].format(followed="x", new="x", query=1, ada=1, north=1))
        except Resolver404:
            continue
        yield match.view_name


def left():
    """The `Address`es that are pages and not in `PAGES`: all that do not redirect or refuse whoever asks."""
    known = set(listed()) | set(NO_PAGE)
    for address in addresses():
        opened = RULES[address.name].opened
        asked = opened in (200, 404, None) or (opened == 302 and address.name in BEFORE)
        if asked and address.name not in known and not address.route.startswith(("api/", "fhir/")):
            yield address


def test_what_is_left_out_is_an_address():
    assert set(NO_PAGE) - {address.name for address in addresses()} == set()


@cache
def static(path):
    file = finders.find(path)
    with open(file, "rb") as content:
        return {"body": content.read(), "content_type": mimetypes.guess_type(path)[0] or "text/plain"}


@pytest.fixture
def served(chromium, north, south, alice, charlie, ivo, mona, bob, dana, ada):
    """(The world, `show(who, url)`): a page in Chromium that the test client answers for."""
    app.conf.task_always_eager = True
    users = {"alice": alice, "charlie": charlie, "ivo": ivo, "mona": mona, "bob": bob, "dana": dana, "ada": ada}
    world = populated(north, south, **users)
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page, client = context.new_page(), Browser()
    page.set_default_timeout(1000 * PATIENCE)

    def answer(route):
        asked = urlsplit(route.request.url)
        if asked.path.startswith("/static/"):
            return route.fulfill(**static(asked.path.removeprefix("/static/")))
        if route.request.method != "GET":
            return route.fulfill(status=204)
        htmx = {"HX-Request": "true"} if route.request.headers.get("hx-request") else {}
        response = page.here.run(client.get, f"{asked.path}?{asked.query}", headers=htmx)
        if response.status_code in (301, 302):  # Chromium would follow it to where nobody answers
            return route.fulfill(status=200, content_type="text/plain", body=response["Location"])
        body = b"".join(response.streaming_content) if response.streaming else response.content
        headers = {name: text for name, text in response.items() if name != "Content-Length"}
        return route.fulfill(status=response.status_code, headers=headers, body=body)

    def show(who, url):
        client.cookies.clear()
        if world.people[who] is not None:
            client.force_login(world.people[who])
        page.here = copy_context()  # Playwright calls `answer` in one of its own, without the database's scope
        resize(page, *SIZES["desktop"])
        response = page.goto(HOST + url)
        page.wait_for_selector(".htmx-request", state="detached")
        return response

    page.route("**/*", answer)
    page.show = show
    yield world, page
    context.close()
    app.conf.task_always_eager = False


def faults_of(world, page, address):
    """What is wrong with one page, as a line; nothing where nothing is."""
    rule = RULES[address.name]
    who = next(who for who in ASKING if who in rule.readers and (who != "anonymous" or rule.public))
    protocol.forget_all()
    with undone():
        made = BEFORE[address.name](world, "own") if address.name in BEFORE else {}
        if address.name.startswith("import_"):
            who = "data_manager"
        values = world.arguments(rule, "own") | (made or {})
        response = page.show(who, address.url(values) + QUERIES.get(address.name, "").format(**values))
        if response.status != 200 or not response.headers["content-type"].startswith("text/html"):
            yield f"{address.name}: {who}: {response.status} {response.headers.get('content-type')} {page.url}"
            return
        yield from (f"{address.name}: {fault}" for fault in faults(page, SIZE_OF_TARGETS))
        for width, height in SIZES.values():
            resize(page, width, height)
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                yield f"{address.name}: {wide} wide on a screen of {width}"


def test_every_page_that_is_not_listed_is_accessible_and_fits(served):
    world, page = served
    wrong = [fault for address in left() for fault in faults_of(world, page, address)]
    assert wrong == [], "\n".join(wrong)
