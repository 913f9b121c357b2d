"""Addresses and filters with what nobody types by hand: an answer that refuses, never a failure of the server."""

import re

import pytest

from tests.guard.crawl import addresses

ODD = {
    "a null byte": "\x00",
    "a quotation mark": "'; --",
    "a path": "..%2f..",
    "long": "x" * 3000,
    "not of this plane": "𝔛‮",
    "a huge number": "9" * 40,
    "a number longer than Python reads": "9" * 5000,
    "a digit that is no number": "²",
    "a lone surrogate": "%ed%a0%80",
}
# Page to the parameters that it reads.
FILTERS = {
    "/patients/": ("q", "page", "sort", "site", "state", "tumour", "segment", "vital"),
    "/patients/N01-0001/history/": ("record",),
    "/audit/": ("row", "before", "open", "person", "table", "action", "first", "last", "site"),
    "/comparison/": ("page",),
    "/comparison/new/": ("from",),
    "/comparison/plans/new/": ("from",),
    "/export/": ("preset",),
    "/safety/": ("page",),
    "/queries/": ("page",),
}
POSTS = {
    "/patients/new/": ("birth_date", "hospital_number", "initials", "site", "submission"),
    "/patients/N01-0001/baseline/": ("primary_tumour", "version", "reason", "sins_pain_missing"),
    "/patients/N01-0001/assessments/preop/": ("assessment_date", "ecog_ps", "frankel", "version"),
    "/patients/N01-0001/adverse-events/new/": ("kind", "onset_date"),
    "/patients/N01-0001/end/": ("version",),
    "/import/mappings/": ("remove",),
    "/export/remove/": ("remove",),
    "/login/": ("username", "password", "next"),
    "/language/": ("language", "next"),
}


@pytest.fixture
def anybody(client, enrolled, alice, dana):
    enrolled(alice)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_addresses_are_not_found(anybody, alice, dana, odd):
    broken = []
    for user in (alice, dana):
        anybody.force_login(user)
        for address in addresses():
            if not address.arguments or address.name.startswith("admin"):
                continue
            url = "/" + re.sub("<[^>]+>", lambda _argument: odd.replace("\x00", "%00"), address.route)
            status = anybody.get(url).status_code
            if status >= 500:
                broken.append(f"{status} {url[:100]}")
    assert broken == []


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_filters_narrow_or_are_ignored(anybody, alice, dana, odd):
    broken = []
    for user in (alice, dana):
        anybody.force_login(user)
        for page, names in FILTERS.items():
            for name in names:
                status = anybody.get(page, {name: odd}).status_code
                if status >= 500:
                    broken.append(f"{status} {page}?{name}")
    assert broken == []


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_answers_are_refused(anybody, alice, odd):
    broken = []
    anybody.force_login(alice)
    for page, names in POSTS.items():
        for name in names:
            status = anybody.post(page, {name: odd, "eligible_consent": "on"}).status_code
            if status >= 500:
                broken.append(f"{status} {page} {name}")
    assert broken == []
