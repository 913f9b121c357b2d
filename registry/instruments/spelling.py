"""Spelling of identifiers: e-mail addresses, patient numbers, site codes, hospital numbers. Pure Python.

One identifier has one spelling, whatever keyboard it came from: full width becomes half width (NFKC), every dash a
hyphen. What cannot be seen, or only looks like another character, is never guessed at: it is refused, by its name; so
is a footnote's digit (², ①), which NFKC takes for one of the number's.
"""

import json
import re
import unicodedata
from typing import Any

from registry.instruments.base import InvalidValue, Label

# Dashes and minus signs that keyboards and word processors write for a hyphen.
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0xFE63, 0xFF0D), "-")
# The long-vowel mark, which a Japanese keyboard writes for a hyphen; after kana it is a letter.
_LONG_VOWEL = re.compile(r"(?<![ぁ-ヿ])[ーｰ]")
# Nothing to see: format characters, controls, unassigned and private ones, separators of lines; and fillers, joiners
# and selectors of variants that Unicode files under letters and marks.
_UNSEEN = frozenset({"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800") | {chr(0xFE00 + n) for n in range(16)}
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "HANGUL")

# What JSON can spell and neither UTF-8 nor the database takes: a null byte, and half a surrogate pair.
_NOT_STORED = re.compile("[\x00\ud800-\udfff]")
DEEPEST = 100  # deeper than any document, shallower than what would exhaust the stack of those who read it


def read_json(text: str | bytes, deepest: int = DEEPEST, **hooks: Any) -> Any:
    """The value of JSON that comes from elsewhere; ValueError for what is none.

    Unfit says what of it cannot be kept. `hooks` are those of `json.loads`.
    """
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise Unfit(TOO_DEEP) from None
    if _is_flat_and_plain(text, deepest):
        return value
    left = [(value, 0)]
    while left:
        part, depth = left.pop()
        if depth > deepest:
            raise Unfit(TOO_DEEP)
        if isinstance(part, str) and _NOT_STORED.search(part):
            raise Unfit(NOT_STORED)
        if isinstance(part, (dict, list)):
            left += [(inner, depth + 1) for inner in (part.values() if isinstance(part, dict) else part)]
            left += [(name, depth) for name in part if isinstance(part, dict)]
    return value


def _is_flat_and_plain(text: str | bytes, deepest: int) -> bool:
    """Whether JSON need not be looked through: it opens no more brackets than it may be deep, and spells no character
    by its number, as a null byte must be."""
    if isinstance(text, bytes) or "\\u" in text:
        return False
    return text.count("{") + text.count("[") <= deepest and not _NOT_STORED.search(text)


class Unfit(InvalidValue):
    """JSON that is well-formed, and cannot be kept."""


TOO_DEEP = Label("is nested too deeply", "入れ子が深すぎます")
NOT_STORED = Label(
    "has a text that cannot be stored: a null byte, or half a character",
    "保存できない文字列（ヌル文字または不完全な文字）があります",
)


def named(character: str) -> str:
    """A character as a message names it: “ı” (U+0131 LATIN SMALL LETTER DOTLESS I)."""
    point = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    shown = "" if _is_unseen(character) or unicodedata.combining(character) else f"“{character}” "
    return f"{shown}({point}{f' {name}' if name else ''})"


def folded(text: str) -> str:
    """`text` in its one spelling: NFKC, hyphens for dashes, without blanks around it.

    Raises InvalidValue for a character that cannot be seen, and for a digit that is raised or in a circle.
    """
    text = text.strip(" \t\r\n\u3000\u00a0")
    if text.isascii() and text.isprintable():  # has one spelling only; files have a hundred thousand of them
        return text
    for character in text:
        if _is_unseen(character) or unicodedata.category(character) == "No":
            raise _refusal(character)
    return unicodedata.normalize("NFKC", _LONG_VOWEL.sub("-", text).translate(_DASHES)).strip()


def code(text: str) -> str:
    """A patient number or the code of a site: letters A to Z in upper case, digits, hyphens.

    Raises InvalidValue with the first character that is none of these.
    """
    text = folded(text)
    _require(text, lambda character: character.isascii() and (character.isalnum() or character == "-"))
    return text.upper()


def number(text: str) -> str:
    """A patient number or the code of a site in a file or a body: as `folded`, of ASCII alone, its case as it is.

    Raises InvalidValue with the first character that is not.
    """
    return ascii_only(folded(text))


def local_number(text: str) -> str:
    """A hospital number or initials: printable ASCII, and the scripts of East Asia, in which one letter is no other.

    Raises InvalidValue with the first character that is none of these.
    """
    text = folded(text)
    _require(text, lambda character: (character.isascii() and character.isprintable()) or _is_east_asian(character))
    return text


def ascii_only(text: str) -> Any:
    """`text`, if all of it is printable ASCII without a blank. Raises InvalidValue with the first other character."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    _require(text, lambda character: character.isascii() and character.isprintable() and character != " ")
    return text


def as_code(text: str) -> Any:
    """As `code`, for what is looked up and not stored: a text that is no code stays as it is, and nothing has it."""
    try:
        return code(text)
    except InvalidValue:
        return text


def as_number(text: str) -> Any:
    """As `number`, for what is looked up and not stored."""
    try:
        return number(text)
    except InvalidValue:
        return text


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or character in _FILLERS


def _is_east_asian(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_EAST_ASIAN)


def _require(text: str, fits: Any) -> None:
    for character in text:
        if not fits(character):
            raise _refusal(character)


def _refusal(character: str) -> InvalidValue:
    return InvalidValue(
        Label(
            "has a character that does not belong there: {c}",
            "使えない文字が含まれています：{c}",
        ).format(c=named(character))
    )
