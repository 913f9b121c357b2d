"""Blank forms and casebooks as PDF: which forms a document has, their heads, questions, and places for signatures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reportlab.lib.units import mm

from registry.exports.paper import words
from registry.exports.paper.pages import GREY, INNER, Head, Pages
from registry.exports.paper.questions import Answers, Asked, draw, height_of
from registry.instruments.base import Instrument, Item


@dataclass(frozen=True)
class Sheet:
    """One form of a document.

    title     of the form, in the language of the paper
    leading   items before the instruments, such as the date of a visit
    without   names of items that are left out
    state     of a stored form, a code of `words.STATES`; "" for a blank one
    address   of the form in the registry; "" where a blank form is of nobody
    """

    title: str
    instruments: Sequence[Instrument]
    leading: Sequence[Item] = ()
    without: frozenset[str] = frozenset()
    answers: Answers = field(default_factory=Answers)
    state: str = ""
    address: str = ""


@dataclass(frozen=True)
class Document:
    """What is printed: forms with what stands above and below each.

    patient   lines (label, value) about the patient; "" is written by hand
    wording   instrument's code to the licensed wording in the language, where it is loaded: {item: {"text", "choices",
              "low", "high"}}, and what it says before and after at "intro" and "copyright"
    needed    codes of the instruments whose wording is licensed
    """

    study: str
    title: str
    note: str
    language: str
    patient: Sequence[tuple[str, str]]
    sheets: Sequence[Sheet]
    wording: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()


def as_pdf(document: Document) -> bytes:
    """The PDF of a Document: A4, numbered over all its pages."""
    pages = Pages(document.language, document.note)
    for sheet in document.sheets:
        pages.begin(Head(document.study, sheet.title, document.patient, sheet.address))
        _draw(pages, sheet, document)
    return pages.finished(document.title)


def _draw(pages: Pages, sheet: Sheet, document: Document) -> None:
    language = document.language
    if sheet.state:
        state = words.STATES[sheet.state].in_language(language)
        pages.paragraph(f"{words.STATE.in_language(language)}: {state}", 8, grey=GREY)
    if sheet.state == "empty":
        pages.paragraph(words.NONE_STORED.in_language(language))
        return
    for number, item in enumerate(sheet.leading, 1):
        draw(pages, _asked(item, None, language), f"0.{number}", sheet.answers)
    for place, instrument in enumerate(_shown(sheet), 1):
        _draw_instrument(pages, instrument, place, sheet, document)
    _signatures(pages)


def _shown(sheet: Sheet) -> Iterable[Instrument]:
    return [
        instrument
        for instrument in sheet.instruments
        if any(item.name not in sheet.without for item in instrument.items)
    ]


def _draw_instrument(pages: Pages, instrument: Instrument, place: int, sheet: Sheet, document: Document) -> None:
    language = document.language
    wording = document.wording.get(instrument.code)
    first = next(item for item in instrument.items if item.name not in sheet.without)
    pages.need(height_of(_asked(first, wording, language)) + 30 * mm)
    pages.y += 3 * mm
    pages.paragraph(f"{place}  {instrument.title.in_language(language)}", 11.5)
    for note in _notes(instrument, wording, document):
        pages.paragraph(note, 8, grey=GREY)
    number, section = 0, None
    for item in instrument.items:
        if item.name in sheet.without:
            continue
        number += 1
        if item.section and item.section != section:
            section = item.section
            pages.need(20 * mm)
            pages.y += 2 * mm
            pages.paragraph(section.in_language(language), 10)
        draw(pages, _asked(item, wording, language), f"{place}.{number}", sheet.answers)
    _derived(pages, instrument, sheet)
    if wording and wording.get("copyright"):
        pages.paragraph(wording["copyright"], 7, grey=GREY)


def _notes(instrument: Instrument, wording: Any, document: Document) -> list[str]:
    if wording:
        return [wording["intro"]] if wording.get("intro") else []
    notes = [instrument.how_to.in_language(document.language)] if instrument.how_to else []
    if instrument.code in document.needed:
        notes.append(words.SHORT_LABELS.in_language(document.language))
    return notes


def _asked(item: Item, wording: Any, language: str) -> Asked:
    licensed = (wording or {}).get("items", {}).get(item.name)
    if licensed:
        choices = {choice.code: licensed["choices"][str(choice.code)] for choice in item.form_choices}
        return Asked(item, licensed["text"], choices, licensed.get("low", ""), licensed.get("high", ""), licensed=True)
    return Asked(
        item,
        item.label.in_language(language),
        {choice.code: _meant(choice, language) for choice in item.form_choices},
        item.low_anchor.in_language(language) if item.low_anchor else "",
        item.high_anchor.in_language(language) if item.high_anchor else "",
    )


def _meant(choice: Any, language: str) -> str:
    label = choice.label.in_language(language)
    meaning = choice.meaning.in_language(language) if choice.meaning else ""
    return f"{label}: {meaning}" if meaning and meaning != label else label


def _derived(pages: Pages, instrument: Instrument, sheet: Sheet) -> None:
    if sheet.answers.is_blank:
        return
    for derived in instrument.derived:
        value = derived.compute(sheet.answers.values)
        if value is None:
            continue
        choice = next((option for option in getattr(derived, "choices", ()) if option.code == value), None)
        text = choice.label.in_language(pages.language) if choice else f"{value} {getattr(derived, 'unit', '')}".strip()
        label = derived.label.in_language(pages.language)
        pages.paragraph(f"{label}: {text} ({words.COMPUTED.in_language(pages.language)})", 8.5)


def _signatures(pages: Pages) -> None:
    """Places for who filled the form in, who entered it and who signs, together on one page."""
    pages.need(len(words.SIGNATURES) * 9 * mm + 8 * mm)
    pages.y += 4 * mm
    for label in words.SIGNATURES:
        pages.y += 9 * mm
        pages.text(0, pages.y - 1 * mm, label.in_language(pages.language), 8.5)
        pages.text(INNER - 44 * mm, pages.y + 3 * mm, words.SIGNATURE.in_language(pages.language), 6.5, GREY)
        pages.line(34 * mm, pages.y, INNER, pages.y, 0.5)
