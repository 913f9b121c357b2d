"""Japanese says one word for one thing: docs/glossary.md lists them, and nothing that is read says another."""

import ast
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


POLITE = re.compile(r"(ます|ません|ました|でした|です|ください|ましょう)[）)」]?$")  # how a sentence ends
ENCLOSED = re.compile(r"（[^）]*）|「[^」]*」")
TRANSLATED = re.compile(
    r'^msgid ((?:".*"\n)+)(?:msgid_plural (?:".*"\n)+)?((?:msgstr(?:\[\d\])? (?:".*"\n)+)+)', re.MULTILINE
)


def _text(node):
    """The text of a literal, what it is formatted with as {}; "" for what is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _pairs():
    """(where, English, Japanese) of the catalogue and of every call with the two side by side, such as a Label."""
    for original, translated in TRANSLATED.findall((ROOT / "locale/ja/LC_MESSAGES/django.po").read_text()):
        both = ("".join(re.findall(r'"(.*)"', part)) for part in (original, translated))
        yield "django.po", *both
    for folder in ("registry", "sites"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())) if "migrations" not in path.parts else ():
                if isinstance(node, ast.Call) and len(node.args) > 1:
                    yield str(path.relative_to(ROOT)), _text(node.args[0]), _text(node.args[1])


def test_sentences_end_as_sentences_do():
    """What follows a label needs no 。, as English has no stop there; sentences in a row and whole ones do."""
    pairs = [(where, english.strip(), japanese.strip()) for where, english, japanese in _pairs()]
    assert len(pairs) > 5_000
    assert [
        (where, japanese)
        for where, english, japanese in pairs
        if POLITE.search(japanese) and (english.endswith((".", "!")) or "。" in ENCLOSED.sub("", japanese))
    ] == []


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
