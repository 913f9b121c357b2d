"""The Japanese pages: every text has its translation, and no page still says something in English."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import User
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered

CATALOGUE = Path(settings.BASE_DIR, "locale/ja/LC_MESSAGES/django.po")
PAGES = (
    ("alice", "/"),
    ("alice", "/patients/"),
    ("alice", "/patients/new/"),
    ("alice", "/patients/{patient}/"),
    ("alice", "/patients/{patient}/baseline/"),
    ("alice", "/patients/{patient}/surgery/"),
    ("alice", "/patients/{patient}/follow-up/"),
    ("alice", "/patients/{patient}/end/"),
    ("alice", "/patients/{patient}/assessments/preop/"),
    ("alice", "/patients/{patient}/adverse-events/new/"),
    ("alice", "/patients/{patient}/identifiers/"),
    ("alice", "/patients/{patient}/history/"),
    ("alice", "/grid/"),
    ("alice", "/schedule/"),
    ("alice", "/queries/"),
    ("alice", "/queries/{query}/"),
    ("alice", "/export/"),
    ("alice", "/audit/"),
    ("alice", "/account/"),
    ("alice", "/tokens/"),
    ("alice", "/nothing/"),
    ("alice", "/screening/"),
    ("alice", "/screening/new/"),
    ("alice", "/patients/{patient}/consent/"),
    ("alice", "/patients/{patient}/consent/new/"),
    ("alice", "/patients/{patient}/consent/withdraw/"),
    ("alice", "/patients/{patient}/files/"),
    ("alice", "/patients/{patient}/paper/"),
    ("alice", "/paper/"),
    ("alice", "/safety/"),
    ("alice", "/quality/"),
    ("alice", "/scorecard/"),
    ("mona", "/verification/share/"),
    ("mona", "/verification/report/"),
    ("mona", "/queries/close/"),
    ("ivo", "/to-sign/"),
    ("ivo", "/to-sign/read/"),
    ("dana", "/quality/"),
    ("dana", "/one-patient/"),
    ("dana", "/patients/{patient}/transfer/"),
    ("dana", "/patients/{patient}/merge/?with={other}"),
    ("mona", "/verification/"),
    ("mona", "/patients/{patient}/queries/new/?form=preop"),
    ("ivo", "/patients/{patient}/signatures/"),
    ("ivo", "/delegation/"),
    ("dana", "/"),
    ("dana", "/enrolment/"),
    ("dana", "/import/"),
    ("dana", "/import/history/"),
    ("dana", "/import/mappings/"),
    ("dana", "/snapshots/"),
    ("dana", "/comparison/"),
    ("dana", "/comparison/new/"),
    ("dana", "/cohorts/"),
    ("dana", "/cohorts/new/"),
    ("ada", "/"),
    ("ada", "/people/"),
    ("ada", "/people/invitations/"),
    ("ada", "/people/invitations/new/"),
    ("ada", "/sites/"),
    ("ada", "/sites/new/"),
    ("ada", "/sites/{site}/"),
    ("ada", "/people/{person}/"),
    ("ada", "/people/{person}/change/"),
    ("ada", "/study/"),
    ("ada", "/study/about/"),
    ("ada", "/study/wording/"),
    ("ada", "/verification/plan/"),
    ("ada", "/safety/people/"),
    ("ada", "/schedule/new/"),
    ("ada", "/admin/"),
    ("ada", "/audit/"),
    ("ada", "/admin/study_sites/user/"),
    ("ada", "/admin/study_sites/membership/"),
    ("ada", "/admin/study_sites/site/"),
)
# One English word as a heading, a label, a button, a link or a choice; and those that stay.
SINGLE = re.compile(r"<(?:th|label|button|legend|h[1-4]|option|summary|dt|a)\b[^>]*>\s*([A-Za-z][a-z]{2,})\s*<")
WORDS = {"English", "Metaspine", "Parquet"} | {"frankel", "kind", "procedure", "sex", "timepoint"}  # columns of files
# Names, and the authors and journals of citations
NAMES = re.compile(
    r"\b(North Hospital|South Hospital|Segi et al|Global Spine|Source says|EuroQol[^。]*|Metaspine)\b|[\w.]+@[\w.]+"
)
ENGLISH = re.compile(r"[A-Za-z]?[a-z]{2,}(?: [a-z]{2,})+")  # two English words side by side


@pytest.fixture
def asked(mona, enrolled, alice):
    patient = enrolled(alice)
    access = access_of(mona)
    with entered(access.scope()), transaction.atomic():
        query = queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Source says C.")
    return {
        "patient": patient.pk,
        "query": query.pk,
        "other": enrolled(alice).pk,
        "site": patient.site_id,
        "person": alice.pk,
    }


def visible(html):
    """The words on a page: without scripts, styles, what is in code, and other languages than the page's."""
    html = re.sub(r"(?s)<(script|style|code|pre|template)\b.*?</\1>", " ", html)
    html = re.sub(r'(?s)<(\w+)[^>]* lang="en"[^>]*>.*?</\1>', " ", html)
    text = re.findall(r'(?:aria-label|placeholder|title|alt)="([^"]*)"', html)
    return unescape(" | ".join([re.sub(r"\s*<[^>]+>\s*", " | ", html), *text]))


def test_no_page_says_anything_in_english(asked, alice, mona, ivo, dana, ada, browse):
    User.objects.update(language="ja")
    people = {user.name.lower(): user for user in (alice, mona, ivo, dana, ada)}
    clients = {name: browse(person) for name, person in people.items()}
    left, words = {}, set()
    for who, path in PAGES:
        client = clients[who]
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "ja"
        response = client.get(path.format(**asked))
        assert response.status_code in (200, 404), path
        text = visible(response.content.decode())
        assert re.search("[ぁ-ん]", text), path
        words.update(SINGLE.findall(response.content.decode()))
        if findall := sorted(set(ENGLISH.findall(NAMES.sub(" ", text)))):
            left[f"{who} {path}"] = findall
    assert left == {}
    assert sorted(words - WORDS - {person.name for person in people.values()}) == []


@pytest.mark.skipif(not shutil.which("msgattrib"), reason="needs gettext's msgattrib")
@pytest.mark.parametrize("lacking", ["--untranslated", "--only-fuzzy", "--only-obsolete"])
def test_every_text_is_translated(lacking):
    output = subprocess.run(
        ["msgattrib", lacking, "--no-wrap", str(CATALOGUE)], capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in output.splitlines() if re.match(r'(#~ )?msgid ".', line)] == []
