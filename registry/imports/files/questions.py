"""What must be said about the values of a mapped file before it is checked: codes, ways of writing dates and numbers,
values for nothing.
"""

import re
from dataclasses import dataclass, field

from registry.imports.files import notations, redcap
from registry.imports.files.excel import cells as typed
from registry.imports.files.mapping import (
    LEFT_OUT,
    PATIENT,
    REASON,
    SITE,
    base_of,
    catalogue_item,
    choices_of,
    item_name,
    plain,
    suggested_code,
)
from registry.imports.files.notations import DATE_FORMATS
from registry.instruments import catalogue
from registry.instruments.base import MISSING_REASONS, InvalidValue
from registry.services.current_protocol import minimum_age
from registry.services.files import file_formats

MOST_VALUES = 60  # different values of a column that a page lists
# Numbers and dates that systems write where there is no value.
STANDS_FOR_NOTHING = re.compile(r"-?(9{2,5}|8{2,5}|7{3,5})(\.0+)?|-[1-9](\.0+)?")
NO_DAYS = {
    "1900-01-01",
    "1899-12-31",
    "1904-01-01",
    "1111-11-11",
    "9999-12-31",
    "9999-09-09",
    "2999-12-31",
    "0001-01-01",
}
UNUSABLE = ("u", "e", "E")  # formulas without a value and errors, which are the file's faults
OFTEN = 2  # rows from which a largest value of nines is asked about


@dataclass
class Column:
    """What the values of one target need: `values` to be said what they stand for, `formats` of its dates.

    column   names of the columns of the file, of all visits
    values   (value, how many rows, chosen or suggested code)
    fitting  those of them that the item takes as they are, so that somebody must say whether they mean nothing
    formats  keys of DATE_FORMATS that read some value; unread: key → how many values it does not read
    chosen   keys that were chosen, or that alone read some value
    """

    target: str
    column: str
    values: list = field(default_factory=list)
    fitting: set = field(default_factory=set)
    more: int = 0
    formats: list = field(default_factory=list)
    unread: dict = field(default_factory=dict)
    chosen: list = field(default_factory=list)
    said: bool = True  # whether the formats were chosen by somebody

    @property
    def choices(self):
        return choices_of(self.target)


@dataclass
class Questions:
    """`columns` as Column; whether it must be said what stands before decimals, whether numbers name patients, and what
    becomes of REDCap's repeated rows; whether it may be said what becomes of answers that others hide.
    """

    columns: list = field(default_factory=list)
    separators: bool = False
    numbers: bool = False
    repeats: bool = False
    hidden: bool = False


def questions(mapping, counts):
    """The Questions about a file with these values: column → {cell: rows}."""
    asked, by_target = Questions(), {}
    conditions = catalogue.current().conditions
    asked.hidden = any("show_if" in conditions.get(item_name(target), {}) for target in mapping.targets)
    for column, values in counts.items():  # in the order of the file
        if plain(column) in redcap.INSTANCE:
            # Rows of events and of repeating forms are records of theirs; of other forms it must be said.
            others = any(not file.form and file != file_formats.ADVERSE_EVENTS for file in mapping.files())
            asked.repeats = others and any(typed.plain(cell).strip() for cell in values)
        if target := base_of(mapping.columns.get(column, "")):
            names, merged = by_target.setdefault(target, ([], {}))
            names.append(column)
            for cell, rows in values.items():
                merged[cell] = merged.get(cell, 0) + rows
    for target, (names, values) in by_target.items():
        values = {
            cell: rows
            for cell, rows in values.items()
            if typed.plain(cell).strip() and typed.parts(cell)[0] not in UNUSABLE
        }
        if target == PATIENT:
            asked.numbers = any(typed.kind_of(cell) == "number" for cell in values)
        elif question := _of_target(mapping, target, ", ".join(names), values, asked):
            asked.columns.append(question)
    return asked


def _of_target(mapping, target, column, values, asked):
    item = None if target == SITE or ":" in target else catalogue_item(target)
    if item is not None and item.kind == "date":
        return _dates(mapping, target, column, values, item)
    if choices_of(target):
        return _codes(mapping, target, column, values)
    if item is None or item.kind == "text":
        return None
    if item.kind in ("integer", "decimal"):
        asked.separators = asked.separators or any(_needs_separators(item, cell) for cell in values)
    return _others(mapping, target, column, values, item)


def unsaid(mapping, counts):
    """Whether something must still be said about the values."""
    asked = questions(mapping, counts)
    if (asked.separators and not mapping.separators) or (asked.numbers and not mapping.numbers):
        return True
    if asked.repeats and not mapping.repeats:
        return True
    for column in asked.columns:
        codes, options = mapping.codes.get(column.target, {}), {code for code, _label in column.choices}
        if any(value not in codes and value not in options for value, _rows, _code in column.values):
            return True
        if column.formats and not column.said:
            return True
    return False


def _column(mapping, target, column, counts, listed, **more):
    """The Column of `listed` values, most frequent first."""
    codes = mapping.codes.get(target, {})
    listed = sorted(listed, key=lambda value: -counts[value])
    values = [(value, counts[value], codes.get(value, suggested_code(target, value))) for value in listed[:MOST_VALUES]]
    return Column(target, column, values=values, more=max(0, len(listed) - MOST_VALUES), **more)


def _texts(values):
    """Plain text → rows, of cells that may be of different kinds."""
    counts = {}
    for cell, rows in values.items():
        text = typed.plain(cell).strip()
        counts[text] = counts.get(text, 0) + rows
    return counts


def _codes(mapping, target, column, values):
    options, codes = dict(choices_of(target)), mapping.codes.get(target, {})
    counts = _texts(values)
    if all(value in options for value in counts) and not codes:
        return None
    return _column(mapping, target, column, counts, counts)


def _others(mapping, target, column, values, item):
    """Values that an item without choices does not take, such as a word, and those that may stand for nothing."""
    codes, counts = mapping.codes.get(target, {}), _texts(values)
    refused = {typed.plain(cell).strip() for cell in values if not _accepts(item, cell, mapping.separators)}
    fitting = {text for text in counts if text not in refused and _may_be_nothing(item, text, counts)}
    listed = [text for text in counts if text in refused or text in fitting or text in codes]
    return _column(mapping, target, column, counts, listed, fitting=fitting) if listed else None


def _may_be_nothing(item, text, counts):
    """Whether a number that the item takes may stand for no value: 999 always, 99 where it is the largest of its
    column.
    """
    plain_text = notations.tidy(text)
    if item.kind not in ("integer", "decimal") or not STANDS_FOR_NOTHING.fullmatch(plain_text):
        return False
    if len(plain_text.partition(".")[0].lstrip("-")) > 2 or plain_text.startswith("-"):
        return True
    numbers = [float(count) for count in counts if re.fullmatch(r"-?\d+(\.\d+)?", count)]
    return counts[text] >= OFTEN and float(plain_text) == max(numbers) and len(numbers) > 1


def _accepts(item, cell, separators):
    """Whether a cell needs no word of its own; of 12,0 the page asks once for all numbers."""
    try:
        text = typed.text_for(item, cell)
        ways = (separators,) if separators else (notations.POINT, notations.COMMA)
        if item.kind == "levels":
            spelled = [notations.read_levels(text)[0]]
        elif item.kind not in ("integer", "decimal"):
            spelled = [text]
        else:
            spelled = [notations.read_number(item, text, way)[0] for way in ways]
    except InvalidValue:
        return False
    return any(_fits(item, text) for text in spelled)


def _fits(item, text):
    try:
        item.clean(text)
    except InvalidValue:
        return False
    return True


def _needs_separators(item, cell):
    """Whether it matters to a number what stands before decimals."""
    text = typed.plain(cell)
    if not notations.has_separator(text):
        return False
    try:
        without = notations.read_number(item, text)[0]
    except InvalidValue as error:
        return error.reason.en.startswith("may be ")
    return not _fits(item, without) and any(
        _fits(item, notations.read_number(item, text, way)[0]) for way in notations.SEPARATORS
    )


def adult_of(item):
    """Years that lie between today and a date of `item` at least."""
    return minimum_age() if item.name == "birth_date" else 0


def _dates(mapping, target, column, values, item):
    codes, counts = mapping.codes.get(target, {}), {}
    for cell, rows in values.items():
        kind, text, _ = typed.parts(cell)
        if kind.lower() != "d":
            counts[text.strip()] = counts.get(text.strip(), 0) + rows
        elif text in NO_DAYS:
            counts[text] = counts.get(text, 0) + rows
    reads = {text: _keys_that_read(text, item) for text in counts if text not in codes}
    asked = {text: keys for text, keys in reads.items() if "iso" not in keys}
    fitting = {text for text in reads if _is_no_day(text, item)}
    strange = [text for text, keys in asked.items() if not keys]
    formats = [key for key in DATE_FORMATS if key != "iso" and any(key in keys for keys in asked.values())]
    listed = [text for text in counts if text in strange or text in fitting or text in codes]
    if not formats and not listed and target not in mapping.dates:
        return None
    chosen = mapping.dates.get(target)
    alone = [key for key in formats if any(keys == [key] for keys in asked.values())]
    return _column(
        mapping, target, column, counts, listed,
        fitting=fitting,
        formats=formats,
        unread={key: sum(bool(keys) and key not in keys for keys in asked.values()) for key in formats},
        chosen=alone if chosen is None else chosen,
        said=chosen is not None and all(not keys or set(keys) & set(chosen) for keys in asked.values()),
    )  # fmt: skip


def _keys_that_read(text, item):
    keys = []
    for key in DATE_FORMATS:
        try:
            notations.read_date(text, (key,), adult=adult_of(item))
        except InvalidValue:
            continue
        keys.append(key)
    return ["iso"] if "iso" in keys else keys


def _is_no_day(text, item):
    for key in DATE_FORMATS:
        try:
            if notations.read_date(text, (key,), adult=adult_of(item))[0] in NO_DAYS:
                return True
        except InvalidValue:
            continue
    return False


def taken(column, value, code):
    """What is kept of an answer about a value: the code, or the value itself where it is meant as it stands; None for
    nothing.

    code  of a choice, REASON + a reason, LEFT_OUT for nothing, or None for “as it is”
    """
    if code is None:
        return value if value in column.fitting else None
    allowed = {code for code, _label in column.choices}
    return code if code == LEFT_OUT or code in allowed or (code[1:] in MISSING_REASONS and code[:1] == REASON) else None
