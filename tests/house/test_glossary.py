"""Japanese says one word for one thing: docs/glossary.md lists them, and nothing that is read says another."""

import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
AVOIDED = re.compile(r"([^\s,\[\]]+)(?: \[([^\]]+)\])?")


def glossary():
    """(English, Japanese, a word not to say, [what stays though it holds that word]) of each row of the glossary."""
    for english, japanese, avoided in ROW.findall((ROOT / "docs/glossary.md").read_text())[2:]:
        for word, stays in AVOIDED.findall(avoided):
            yield english, japanese, word, [part.strip() for part in stays.split(",") if part.strip()]


@cache
def said():
    """(where, text) of every Japanese text: the catalogue's translations and the strings of the sources."""
    return [*_said()]


def _said():
    catalogue = (ROOT / "locale/ja/LC_MESSAGES/django.po").read_text()
    for translated in re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n)+)', catalogue, re.MULTILINE):
        yield "django.po", "".join(re.findall(r'"(.*)"', translated))
    for folder in ("registry", "sites", "templates"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".html") and "migrations" not in path.parts:
                yield from ((str(path.relative_to(ROOT)), line) for line in path.read_text().splitlines())


# Files of hospitals say what they like, and are read.
READ = ("registry/imports/", "registry/instruments/core/eq5d5l.py")


@pytest.mark.parametrize("row", [*glossary()], ids=lambda row: row[2])
def test_nothing_says_another_word_than_the_glossary_s(row):
    _, japanese, word, stays = row
    rows = []
    for where, text in said():
        rest = text
        for allowed in stays:
            rest = rest.replace(allowed, "")
        if word in rest and not where.startswith(READ):
            rows.append((where, text.strip()[:120]))
    assert rows == [], f"say {japanese}"


def test_the_glossary_s_words_are_said():
    everything = "\n".join(text for _, text in said())
    assert [japanese for _, japanese, *_ in glossary() if japanese not in everything] == []


def test_the_glossary_is_read_whole():
    assert {row[2] for row in glossary()} >= {"問い合わせ", "票", "フォーム", "分節", "多分節"}


def test_no_page_names_a_setting_of_the_deployment():
    """Who reads a page cannot set it. `$METASPINE_TOKEN` is an example of a command; a check-up is read by who can."""
    checks = "".join(path.read_text() for path in (ROOT / "registry/health/checkup").glob("*.py"))
    catalogue = (ROOT / "locale/ja/LC_MESSAGES/django.po").read_text()
    pairs = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n)+)', catalogue, re.MULTILINE)
    texts = [["".join(re.findall(r'"(.*)"', part)) for part in pair] for pair in pairs]
    named = [original for original, translated in texts if "METASPINE_" in original + translated]
    assert [original for original in named if original not in checks] == []
    pages = {where for where, text in said() if where.endswith(".html") and "METASPINE_" in text}
    assert pages == {"templates/api/docs.html"}
