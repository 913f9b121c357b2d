"""Moments are shown as the day that it is where the registry is: half past midnight in Japan, a day after UTC."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone, translation

from registry.web.comparison.views import file_name
from registry.web.shared import wording
from sites.models import Attempt
from sites.moments import day_of, minute_of

HALF_PAST_MIDNIGHT = datetime(2026, 11, 29, 15, 30, tzinfo=UTC)  # 30 Nov 2026 00:30 in Tokyo


@pytest.fixture(autouse=True)
def in_tokyo(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    with timezone.override("Asia/Tokyo"):
        yield


def test_a_moment_is_of_the_registry_s_own_day_and_a_date_stays():
    assert day_of(HALF_PAST_MIDNIGHT) == date(2026, 11, 30)
    assert day_of(date(2026, 11, 29)) == date(2026, 11, 29)
    assert minute_of(HALF_PAST_MIDNIGHT) == "2026-11-30 00:30"


@pytest.mark.parametrize(("language", "day"), [("en", "30 Nov 2026"), ("ja", "2026年11月30日")])
def test_pages_say_the_day_and_the_minute_of_the_registry(language, day):
    with translation.override(language):
        assert wording.day(HALF_PAST_MIDNIGHT) == day
        assert wording.moment(HALF_PAST_MIDNIGHT) == f"{day} 00:30"
        text = Template("{{ at|day }}").render(Context({"at": HALF_PAST_MIDNIGHT}))
        assert text == day


def test_names_of_files_and_records_have_the_day_of_the_registry():
    run = SimpleNamespace(requested_at=HALF_PAST_MIDNIGHT, pk="12345678-aaaa")
    assert file_name(run, "docx") == "comparison-20261130-12345678.docx"
    assert str(Attempt(kind="sign_in", at=HALF_PAST_MIDNIGHT)).endswith("2026-11-30 00:30")


# `moment.date()`, f"{moment:%Y-%m-%d}" and moment.strftime take the day in UTC.
PAST_IT = re.compile(r"(_at|\bat|_moment)(\.date\(\)|\.strftime|:%Y)")
IN_UTC = {"registry/services/operations/record_replay.py"}  # which says that it is in UTC


def test_no_other_way_from_a_moment_to_its_day_is_taken():
    sources = [path for folder in ("registry", "sites") for path in Path(settings.BASE_DIR, folder).rglob("*.py")]
    assert len(sources) > 100
    past_it = [
        f"{path.relative_to(settings.BASE_DIR)}: {line.strip()}"
        for path in sources
        for line in path.read_text().splitlines()
        if PAST_IT.search(line) and str(path.relative_to(settings.BASE_DIR)) not in IN_UTC
    ]
    assert past_it == []
