"""Questions on paper: how each kind of item is drawn, empty or with its answer.

A visual analogue scale of millimetres is a line of exactly 100 mm; the EQ VAS is a scale of 200 mm on a page of its
own, where the licensed wording is there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reportlab.lib.units import mm

from registry.exports.paper import words
from registry.exports.paper.pages import BOTTOM, GREY, INNER, LEADING, TOP, Pages, width_of, wrapped
from registry.instruments import catalogue, levels
from registry.instruments.base import MISSING_LABELS, Item

BOX = 3.4 * mm
CELL = 5.2 * mm
INDENT = 6 * mm
COLUMN_GAP = 4 * mm
LINE_OF_MM = 100 * mm
SCALE = 200 * mm
LABEL, SMALL = 9.5, 7.5
SHORT_CODE = 2  # characters of a code that is written with its label: 15, D
ONE_COLUMN = 42  # characters of the longest label beyond which choices stand one below the other


@dataclass
class Answers:
    """What is known of a form's items: `values` and `missing` by name; both empty for a blank form."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    is_blank: bool = True


@dataclass(frozen=True)
class Asked:
    """An item as it is put: `label`, the words of its choices by code, and those of its scale's ends."""

    item: Item
    label: str
    choices: dict[Any, str]
    low: str = ""
    high: str = ""
    licensed: bool = False


def draw(pages: Pages, asked: Asked, number: str, answers: Answers) -> None:
    """One question with its answer, or with room for it, on the page or the next one."""
    item, language = asked.item, pages.language
    value = answers.values.get(item.name)
    act = _act_for(asked)
    pages.need(min(height_of(asked) + 9 * mm, BOTTOM - TOP))
    pages.y += 1.6 * mm
    top = pages.y
    pages.paragraph(f"{number}  {asked.label}", LABEL, width=INNER - 2 * mm)
    for note in _notes(asked, language, answers):
        pages.paragraph(note, SMALL, x=INDENT, width=INNER - INDENT, grey=GREY)
    act(pages, asked, value)
    _draw_reasons(pages, item, answers)
    pages.y += 1.4 * mm
    if pages.y > top:
        pages.line(0, pages.y, INNER, pages.y, 0.25, 0.75)


def _notes(asked: Asked, language: str, answers: Answers) -> list[str]:
    item = asked.item
    notes = [item.hint.in_language(language)] if item.hint and not asked.licensed else []
    if item.show_if:
        notes.append(words.ONLY_IF.in_language(language).format(condition=condition_in_words(item.show_if, language)))
    if answers.is_blank and item.kind == "codes":
        notes.append(words.SEVERAL.in_language(language))
    if answers.is_blank and item.kind == "partial_date":
        notes.append(words.AS_KNOWN.in_language(language))
    return notes


_COMPARED = re.compile(r"\[([a-z][a-z0-9_]*)(?:\(([^)]*)\))?\](\s*(?:=|<>)\s*)?('?-?[A-Za-z0-9_.-]+'?)?")


def condition_in_words(text: str, language: str) -> str:
    """A condition with labels in place of the items' names and of the codes that they are compared with."""

    def said(match: re.Match) -> str:
        name, code, sign, value = match.groups()
        try:
            item = catalogue.part(name)
        except KeyError:
            return match[0]
        label = f"“{item.label.in_language(language)}”"
        if code:
            label += f" ({_choice(item, code, language)})"
        return label + (sign or "") + (_choice(item, value.strip("'"), language) if value and not code else value or "")

    return _COMPARED.sub(said, text)


def _choice(item: Any, code: str, language: str) -> str:
    choices = getattr(item, "choices", ())
    return next((choice.label.in_language(language) for choice in choices if str(choice.code) == code), code)


# What an answer takes


def _act_for(asked: Asked) -> Callable[[Pages, Asked, Any], None]:
    item = asked.item
    if item.kind == "levels":
        return _levels
    if item.choices:
        return _choices
    if item.low_anchor and item.unit == "mm":
        return _line
    if item.low_anchor:
        return _scale
    return {"date": _date, "partial_date": _date, "time": _time, "text": _text}.get(item.kind, _number)


def height_of(asked: Asked) -> float:
    item = asked.item
    if item.kind == "levels":
        return 28 * mm
    if item.choices:
        return min(_rows(asked) * 5.2 * mm, BOTTOM - TOP - 30 * mm)
    if item.low_anchor and not item.unit and asked.licensed:
        return SCALE + 22 * mm
    return 16 * mm


def _columns(asked: Asked) -> int:
    longest = max(len(label) * (2 if ord(label[:1] or " ") > 0x2E80 else 1) for label in asked.choices.values())
    if longest > ONE_COLUMN or len(asked.choices) < 3:
        return 1 if longest > ONE_COLUMN else 2
    return 3 if longest <= 24 else 2


def _rows(asked: Asked) -> int:
    return -(-len(asked.choices) // _columns(asked))


def _choices(pages: Pages, asked: Asked, value: Any) -> None:
    columns = _columns(asked)
    width = (INNER - INDENT - (columns - 1) * COLUMN_GAP) / columns
    several = asked.item.kind == "codes"
    chosen = set(value) if isinstance(value, tuple) else {value}
    options = list(asked.choices.items())
    for start in range(0, len(options), columns):
        row = [
            (code, wrapped(_with_code(asked, code, label), 8.5, width - BOX - 2 * mm))
            for code, label in options[start : start + columns]
        ]
        height = max(len(lines) for _code, lines in row) * 8.5 * LEADING + 0.8 * mm
        pages.need(height)
        for place, (code, lines) in enumerate(row):
            x = INDENT + place * (width + COLUMN_GAP)
            pages.box(x, pages.y + 1.2 * mm, BOX, BOX, round_=not several, filled=code in chosen and value is not None)
            for line, text in enumerate(lines):
                pages.text(x + BOX + 1.5 * mm, pages.y + 8.5 * LEADING * (line + 1) - 0.4, text, 8.5)
        pages.y += height


def _with_code(asked: Asked, code: Any, label: str) -> str:
    return label if asked.licensed or len(str(code)) > SHORT_CODE else f"{code}  {label}"


def _cells(pages: Pages, x: float, count: int, text: str = "") -> float:
    """A row of cells for one character each; returns where it ends."""
    for place in range(count):
        pages.box(x + place * CELL, pages.y + 1 * mm, CELL, CELL)
        if place < len(text):
            pages.text(x + place * CELL + 1.5 * mm, pages.y + 5 * mm, text[place], 10)
    return x + count * CELL


def _date(pages: Pages, asked: Asked, value: Any) -> None:
    parts = (value if isinstance(value, str) else value.isoformat() if value else "").split("-")
    x = INDENT
    for place, count in enumerate((4, 2, 2)):
        x = _cells(pages, x, count, parts[place] if place < len(parts) else "")
        if place < 2:
            pages.text(x + 1 * mm, pages.y + 5 * mm, "–", 10)
            x += 4 * mm
    pages.text(x + 3 * mm, pages.y + 5 * mm, "YYYY – MM – DD", SMALL, GREY)
    pages.y += CELL + 1.6 * mm


def _time(pages: Pages, asked: Asked, value: Any) -> None:
    text = value.strftime("%H%M") if value else ""
    x = _cells(pages, INDENT, 2, text[:2])
    pages.text(x + 1 * mm, pages.y + 5 * mm, ":", 10)
    _cells(pages, x + 3 * mm, 2, text[2:])
    pages.y += CELL + 1.6 * mm


def _number(pages: Pages, asked: Asked, value: Any) -> None:
    item = asked.item
    width = 34 * mm
    pages.box(INDENT, pages.y + 1 * mm, width, CELL + 0.6 * mm)
    if value is not None:
        pages.text(INDENT + 2 * mm, pages.y + 5.2 * mm, str(value), 10)
    note = " · ".join(filter(None, (words.unit_in(item, pages.language), _range(item, pages.language))))
    pages.text(INDENT + width + 2 * mm, pages.y + 5 * mm, note, 8, GREY)
    pages.y += CELL + 2.4 * mm


def _range(item: Item, language: str) -> str:
    if item.minimum is None or item.maximum is None:
        return ""
    return words.RANGE.in_language(language).format(low=item.minimum, high=item.maximum)


def _text(pages: Pages, asked: Asked, value: Any) -> None:
    if value is not None:
        pages.paragraph(str(value), 9, x=INDENT, width=INNER - INDENT)
        return
    for _line_number in range(1 if asked.item.max_length <= 60 else 2 if asked.item.max_length <= 200 else 4):
        pages.need(7.5 * mm)
        pages.y += 7.5 * mm
        pages.line(INDENT, pages.y, INNER, pages.y, 0.4, 0.5)


def _levels(pages: Pages, asked: Asked, value: Any) -> None:
    chosen = set(value or ())
    for region in (levels.CERVICAL, levels.THORACIC, (*levels.LUMBAR, "S")):
        for place, level in enumerate(region):
            x = INDENT + place * 13.6 * mm
            pages.box(x, pages.y + 1.2 * mm, BOX, BOX, filled=level in chosen)
            pages.text(x + BOX + 1 * mm, pages.y + 4.2 * mm, level, 8)
        pages.y += 6 * mm


def _line(pages: Pages, asked: Asked, value: Any) -> None:
    """A visual analogue scale of 100 mm, ends marked; a stored answer is a mark at its millimetre."""
    x = (INNER - LINE_OF_MM) / 2
    if value is None:
        pages.paragraph(words.LINE.in_language(pages.language), SMALL, x=INDENT, grey=GREY)
    y = pages.y + 8 * mm
    pages.line(x, y, x + LINE_OF_MM, y, 0.8)
    for end in (x, x + LINE_OF_MM):
        pages.line(end, y - 3 * mm, end, y + 3 * mm, 0.8)
    if value is not None:
        pages.line(x + value * mm, y - 5 * mm, x + value * mm, y + 5 * mm, 1.4)
    for lines, left in ((_anchor(asked.low), 0), (_anchor(asked.high), x + LINE_OF_MM + 3 * mm)):
        for place, text in enumerate(lines):
            at = x - 3 * mm - width_of(text, 8.5) if left == 0 else left
            pages.text(at, y + 1 * mm + place * 4 * mm, text, 8.5)
    pages.y = y + 6 * mm
    pages.text(INDENT, pages.y + 5 * mm, words.MEASURED.in_language(pages.language), 8, GREY)
    _cells(pages, INDENT + 46 * mm, 3, "" if value is None else str(value).rjust(3))
    pages.y += CELL + 2 * mm


def _anchor(text: str) -> list[str]:
    return wrapped(text, 8.5, (INNER - LINE_OF_MM) / 2 - 5 * mm)


def _scale(pages: Pages, asked: Asked, value: Any) -> None:
    """The EQ VAS: 200 mm upright with every tenth numbered, where its licensed wording is there; else a box."""
    if not asked.licensed:
        pages.paragraph(words.SCALE_ELSEWHERE.in_language(pages.language), SMALL, x=INDENT, grey=GREY)
        _number(pages, asked, value)
        return
    x, top = INNER * 0.62, pages.y + 8 * mm
    _centred(pages, x, top - 3 * mm, asked.high)
    foot = top + SCALE
    pages.line(x, top, x, foot, 0.8)
    for mark in range(101):
        y = foot - mark * 2 * mm
        half = 5 * mm if mark % 10 == 0 else 2.5 * mm if mark % 5 == 0 else 1.4 * mm
        pages.line(x - half, y, x + half, y, 0.6)
        if mark % 10 == 0:
            pages.text(x + 6.5 * mm, y + 1.2 * mm, str(mark), 9)
    _centred(pages, x, foot + 5 * mm, asked.low)
    if value is not None:
        pages.line(x - 12 * mm, foot - value * 2 * mm, x + 12 * mm, foot - value * 2 * mm, 1.6)
    _cells(pages, INDENT, 3, "" if value is None else str(value).rjust(3))
    pages.y = foot + 8 * mm


def _centred(pages: Pages, x: float, y: float, text: str) -> None:
    pages.text(x - width_of(text, 9) / 2, y, text, 9)


def _draw_reasons(pages: Pages, item: Item, answers: Answers) -> None:
    """The reasons why there is no answer: to be ticked on a blank form, the stored one on a filled one."""
    language, reason = pages.language, answers.missing.get(item.name)
    if not (item.required or item.required_if) or (not answers.is_blank and not reason):
        return
    pages.need(5 * mm)
    pages.y += 4.6 * mm
    x = INDENT
    pages.text(x, pages.y, words.NO_ANSWER.in_language(language), SMALL, GREY)
    x += width_of(words.NO_ANSWER.in_language(language), SMALL) + 2.5 * mm
    for code, label in MISSING_LABELS.items():
        text = label.in_language(language)
        pages.box(x, pages.y - 2.4 * mm, 2.6 * mm, 2.6 * mm, filled=code == reason)
        pages.text(x + 3.4 * mm, pages.y, text, SMALL, GREY)
        x += 3.4 * mm + width_of(text, SMALL) + 3 * mm
