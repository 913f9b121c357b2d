"""Licensed wording: reading it from a file, loading it, taking it back, and what is asked by it in a language.

The product has short labels of its own for what belongs to others (EuroQol's EQ-5D-5L), which nobody validated. A
patient is asked by the owner's wording alone, which an administrator loads for each language from a CSV file.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import get_language

from registry.instruments import catalogue
from registry.instruments.base import Choice, Instrument, Item, Label
from registry.models import LicensedWording
from registry.protocol.definitions import Fault
from registry.services.protocol.publishing import InvalidDefinition, require
from sites.database.per_request_cache import once_a_request
from sites.tenancy.access import Access


@dataclass(frozen=True)
class Questionnaire:
    """What is licensed as one: its code, name, and the instruments that ask it."""

    code: str
    title: Label
    instruments: tuple[Instrument, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return catalogue.items(self.instruments)


EQ = Questionnaire("eq5d5l", Label("EQ-5D-5L with EQ VAS", "EQ-5D-5L・EQ VAS"), (catalogue.EQ5D5L, catalogue.EQ_VAS))
OWNED = "©"  # in the licence of an instrument: its wording belongs to somebody
HEADER = ("part", "code", "text")
WHOLE = ("intro", "copyright")  # parts that belong to no item; they may be empty
ENDS = ("low", "high")
LONGEST = 2000
LARGEST = 1_000_000  # bytes of a file
ENCODINGS = ("utf-8-sig", "cp932")  # what spreadsheets write


def questionnaires() -> dict[str, Questionnaire]:
    """By code: EQ-5D-5L, and the study's own instruments that patients answer themselves."""
    own = [instrument for instrument in catalogue.current().own.get("assessment", ()) if is_of_patients(instrument)]
    return {EQ.code: EQ} | {
        instrument.code: Questionnaire(instrument.code, instrument.title, (instrument,)) for instrument in own
    }


def is_of_patients(instrument: Instrument) -> bool:
    """Whether patients answer an instrument themselves."""
    return instrument.completed_by is not None and instrument.completed_by.en.startswith("Patient")


def needed() -> frozenset[str]:
    """Codes of the instruments that nobody is asked but by their owner's wording."""
    return frozenset(
        instrument.code
        for questionnaire in questionnaires().values()
        for instrument in questionnaire.instruments
        if OWNED in instrument.licence
    )


def template(code: str) -> bytes:
    """An empty file of a questionnaire, as CSV with a mark that spreadsheets know UTF-8 by: a row for each text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows((part, key, "") for part, key in _expected(questionnaires()[code]))
    return out.getvalue().encode("utf-8-sig")


def _expected(questionnaire: Questionnaire) -> list[tuple[str, str]]:
    rows = [(part, "") for part in WHOLE]
    for item in questionnaire.items:
        rows.append((item.name, ""))
        rows += [(item.name, str(choice.code)) for choice in item.form_choices]
        rows += [(item.name, end) for end in ENDS if item.low_anchor]
    return rows


def read(code: str, content: bytes) -> dict[str, Any]:
    """The document of a file. InvalidDefinition with every fault: row of the file, column, what stands there, why."""
    rows, faults = _rows(content)
    texts: dict[tuple[str, str], str] = {}
    expected = _expected(questionnaires()[code])
    for number, row in rows:
        faults += _faults_of(number, row, expected, texts)
        texts[row[0], row[1]] = row[2]
    for part, key in expected:
        if part not in WHOLE and not texts.get((part, key)) and not faults:
            faults.append(Fault(0, "text", f"{part} {key}".strip(), LACKS))
    if faults:
        raise InvalidDefinition(faults)
    return _document(questionnaires()[code], texts)


LACKS = Label("has no text; every question and answer needs one", "文言がありません（すべての質問と回答に必要です）")


def _rows(content: bytes) -> tuple[list[tuple[int, tuple[str, str, str]]], list[Fault]]:
    if len(content) > LARGEST:
        return [], [Fault(0, "", "", Label("is larger than 1 MB", "1 MBを超えています"))]
    text = next((decoded for decoded in (_decoded(content, name) for name in ENCODINGS) if decoded is not None), None)
    if text is None or "\0" in text:
        return [], [Fault(0, "", "", Label("is no CSV file in UTF-8", "UTF-8のCSVファイルではありません"))]
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        unread = Label("cannot be read as CSV: {error}", "CSVとして読み取れません：{error}").format(error=error)
        return [], [Fault(0, "", "", unread)]
    if not lines or tuple(lines[0][:3]) != HEADER:
        wanted = Label("must begin with the columns {c}", "先頭行は {c} としてください").format(c=", ".join(HEADER))
        return [], [Fault(1, "", ",".join(lines[0])[:80] if lines else "", wanted)]
    rows = [(number, tuple([*line, "", "", ""][:3])) for number, line in enumerate(lines[1:], 2) if any(line)]
    return rows, []  # type: ignore[return-value]


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _faults_of(number: int, row: tuple[str, str, str], expected: Any, texts: Mapping) -> list[Fault]:
    part, key, text = row
    if (part, key) not in expected:
        known = [code for name, code in expected if name == part]
        column, value, fits = ("code", key, known) if known else ("part", part, [name for name, _code in expected])
        listed = ", ".join(dict.fromkeys(code or "(empty)" for code in fits))
        reason = Label("must be one of {k}; got “{v}”", "{k} のいずれかとしてください（入力値「{v}」）")
        return [Fault(number, column, value[:80], reason.format(k=listed, v=value[:80]))]
    if (part, key) in texts:
        return [Fault(number, "part", f"{part} {key}".strip(), Label("is there twice", "重複しています"))]
    if len(text) > LONGEST:
        reason = Label("must be at most {n} characters", "{n}文字以内としてください").format(n=LONGEST)
        return [Fault(number, "text", text[:80], reason)]
    return []


def _document(questionnaire: Questionnaire, texts: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    items = {
        item.name: {
            "text": texts[item.name, ""],
            "choices": {str(choice.code): texts[item.name, str(choice.code)] for choice in item.form_choices},
            **{end: texts[item.name, end] for end in ENDS if item.low_anchor},
        }
        for item in questionnaire.items
    }
    return {part: texts.get((part, ""), "") for part in WHOLE} | {"items": items}


@transaction.atomic
def load(
    *, access: Access | None, code: str, language: str, content: bytes, licence: str, is_placeholder: bool = False
) -> LicensedWording:
    """Load the wording of a questionnaire in a language from a file, and return the row.

    licence  number or date of the permission, at most 200 characters
    Raises PermissionDenied, KeyError for an unknown questionnaire, InvalidDefinition.
    """
    require(access)
    if language not in dict(settings.LANGUAGES):
        raise KeyError(language)
    document = read(code, content)
    return _store(access, code, language, document, licence, is_placeholder)


@transaction.atomic
def take_back(*, access: Access | None, code: str, language: str, reason: str) -> LicensedWording:
    """Use the wording no more: the licence ended, or it was the wrong file. `reason` stands where the licence stood."""
    require(access)
    return _store(access, code, language, {}, reason, is_placeholder=False)


def _store(access: Any, code: str, language: str, document: Any, licence: str, is_placeholder: bool) -> LicensedWording:
    licence = " ".join(licence.split())[:200]
    if not licence:
        reason = Label("must not be empty: say by which permission", "許諾番号または日付を入力してください")
        raise InvalidDefinition([Fault(0, "licence", "", reason)])
    row = LicensedWording.objects.create(
        questionnaire=code,
        language=language,
        document=document,
        licence=licence,
        is_placeholder=is_placeholder,
        loaded_by_id=access.user_id if access is not None else None,
    )
    _in_languages.forget()
    return row


NEWEST = """SELECT DISTINCT ON (questionnaire, language) questionnaire, language, document::text, is_placeholder
    FROM registry_licensedwording ORDER BY questionnaire, language, id DESC"""


@once_a_request
def _in_languages() -> dict[tuple[str, str], tuple[dict, bool]]:
    """(questionnaire, language) to (document, whether it is a placeholder), of those that are loaded."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST)
        rows = cursor.fetchall()
    wordings = {(code, language): (json.loads(document), mark) for code, language, document, mark in rows}
    return {key: held for key, held in wordings.items() if held[0]}


def loaded(language: str) -> dict[str, dict[str, Any]]:
    """Instrument's code to the document of its wording in a language, for those that have one."""
    documents: dict[str, dict[str, Any]] = {}
    for code, questionnaire in questionnaires().items():
        held = _in_languages().get((code, language))
        if held and fits(questionnaire, held[0]):
            documents |= dict.fromkeys((instrument.code for instrument in questionnaire.instruments), held[0])
    return documents


def fits(questionnaire: Questionnaire, document: Mapping[str, Any]) -> bool:
    """Whether a wording has every question and answer that is asked: a later version of an own form may ask more."""
    items = document.get("items", {})
    return all(
        item.name in items and {str(choice.code) for choice in item.form_choices} <= items[item.name]["choices"].keys()
        for item in questionnaire.items
    )


def is_placeholder(code: str, language: str) -> bool:
    """Whether what is loaded of a questionnaire is a text of a demonstration."""
    held = _in_languages().get((code, language))
    return held is not None and held[1]


def lacking(instruments: Any, language: str) -> list[Questionnaire]:
    """The questionnaires that some instruments ask and whose wording is needed and not loaded in a language."""
    asked = {instrument.code for instrument in instruments} & needed() - loaded(language).keys()
    return [
        questionnaire
        for questionnaire in questionnaires().values()
        if any(instrument.code in asked for instrument in questionnaire.instruments)
    ]


def nowhere() -> list[str]:
    """Titles of the questionnaires that the protocol asks and no link does: their wording is loaded in no language."""
    current = catalogue.current()
    asked = {
        asked_instrument.code for asked_instrument in current.of_assessment if current.asks(asked_instrument.code)
    } & needed()
    held = {code for (code, _language), (document, _mark) in _in_languages().items() if _fits(code, document)}
    return [
        questionnaire.title.in_language(get_language() or "en")
        for questionnaire in questionnaires().values()
        if questionnaire.code not in held and any(instrument.code in asked for instrument in questionnaire.instruments)
    ]


def _fits(code: str, document: Mapping[str, Any]) -> bool:
    questionnaire = questionnaires().get(code)
    return questionnaire is not None and fits(questionnaire, document)


def worded(instrument: Instrument, language: str) -> Instrument:
    """The instrument with its licensed wording in a language in place of our labels; as it is where none is loaded."""
    document = loaded(language).get(instrument.code)
    if document is None:
        return instrument
    return replace(instrument, items=tuple(_worded(item, document["items"][item.name]) for item in instrument.items))


def _worded(item: Item, texts: Mapping[str, Any]) -> Item:
    def label(text: str) -> Label:
        return Label(text, text)

    choices = tuple(
        Choice(choice.code, label(texts["choices"].get(str(choice.code)) or choice.label.en)) for choice in item.choices
    )
    ends: dict[str, Any] = {f"{end}_anchor": label(texts[end]) for end in ENDS if end in texts}
    return replace(item, label=label(texts["text"]), choices=choices, hint=None, **ends)


PLACEHOLDER = Label("PLACEHOLDER, not EuroQol's wording", "仮の文言（EuroQolの正式な文言ではありません）")


def placeholder(language: str) -> bytes:
    """A file for EQ-5D-5L of texts that are clearly not its wording, made of our own labels: for demonstrations."""
    mark = PLACEHOLDER.in_language(language)
    texts = {("intro", ""): mark, ("copyright", ""): mark}
    for item in EQ.items:
        texts[item.name, ""] = f"[{mark}] {item.label.in_language(language)}"
        for choice in item.form_choices:
            texts[item.name, str(choice.code)] = choice.label.in_language(language)
        for end, anchor in zip(ENDS, (item.low_anchor, item.high_anchor), strict=True):
            if anchor:
                texts[item.name, end] = anchor.in_language(language)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows((part, key, texts[part, key]) for part, key in _expected(EQ))
    return out.getvalue().encode()
