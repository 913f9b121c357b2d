"""Columns of a repeating form side by side in one row: `rtc_dose_gy_1`, `Dose (2)`, `照射3 線量`.

A target says which record a column is of by a number behind it (`rtc_dose_gy#2`): the patient's second of this form, in
the order in which they were entered.
"""

import re
import unicodedata

from registry.imports.files import redcap
from registry.imports.files.redcap import plain
from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.services.files.file_formats import MISSING_SUFFIX, reason_item

NTH = "#"  # before the number of a record, in a target
MOST = 99

NO_COLUMNS = Label(
    "The file has no columns for record {v} of “{form}”. Those behind it keep their numbers: record {n} is the "
    "patient's record {n}, or a new one where there are fewer",
    "「{form}」の{v}件目の列がありません。それより後の列の番号は変わりません"
    "（{n}件目は登録済みの{n}件目、なければ新しい記録とします）。",
)
LEFT_EMPTY = Label(
    "Record {v} of “{form}” is empty in this row and record {n} is not: that one is the patient's record {n}, or a new "
    "one where there are fewer",
    "この行では「{form}」の{v}件目が空欄で{n}件目に値があります（登録済みの{n}件目、なければ新しい記録とします）",
)

_NUMBER = re.compile(r"(?<!\d)0*([1-9]\d?)(?!\d)")
_COUNTER = r"st|nd|rd|th|course|record|no|nr|number|回目|回|件目|件|番目|コース目|コース|クール目|クール|目|第"
_BEHIND = re.compile(f"^(?:{_COUNTER})+")
_BEFORE = re.compile(f"(?:{_COUNTER})+$")


def number_of(target):
    """The number of the record that a target is of; 0 where it says none, or one that cannot be."""
    base, sign, number = target.partition(NTH)
    fits = sign and re.fullmatch(r"[1-9]\d?", number, re.ASCII) and int(number) <= MOST
    return int(number) if fits and form_of(base) else 0


def form_of(target):
    """The repeating form (Instrument) that a target without its number is of; None of others."""
    name = target.split(":")[0].removesuffix(MISSING_SUFFIX)
    return next((form for form in catalogue.current().repeats if any(item.name == name for item in form.items)), None)


def splitter():
    """A function that splits a column's name into a target and the number of a record, (None, 0) for others."""
    known = [(_spellings(form), _words(form)) for form in catalogue.current().repeats]

    def split(column):
        name, choice = redcap.tick_of(column)
        if name:  # a tick box of one of several codes
            base, number = split(name) if known else (None, 0)
            return (_tick(base, choice), number) if base else (None, 0)
        text = unicodedata.normalize("NFKC", column)
        for match in reversed([*_NUMBER.finditer(text)]):
            around = plain(text[: match.start()]), plain(text[match.end() :])
            if len(targets := {target for form in known if (target := _read(*around, *form))}) == 1:
                return targets.pop(), int(match[1])
        return None, 0

    return split if known else lambda column: (None, 0)


def _read(before, after, spellings, words):
    """The target of a form that the texts around a number name, or ""."""
    if after.endswith("missing") and (target := _read(before, after.removesuffix("missing"), spellings, words)):
        return target + MISSING_SUFFIX if MISSING_SUFFIX not in target else ""
    bare = _BEFORE.sub("", before), _BEHIND.sub("", after)  # of “No. 3”, “3rd” and `3回目`
    for text in (before + after, "".join(bare), bare[0] + after, before + bare[1]):
        if text in spellings:
            return spellings[text]
    for item, group in ((after, before), (bare[1], before), (before, after), (bare[0], after)):
        if item and group and _tells(group, words) and (target := spellings.get(item) or _partly(item, spellings)):
            return target
    return ""


def _partly(text, spellings):
    """The one item of whose label a text is a part, as `線量` is of 総線量: enough beside a word of the form."""
    values = [(spelling, target) for spelling, target in spellings.items() if not target.endswith(MISSING_SUFFIX)]
    matches = {target for spelling, target in values if len(text) > 1 and text in spelling}
    return matches.pop() if len(matches) == 1 else ""


def _tells(group, words):
    """Whether a text is a word of the form: `照射` of “通常照射”, `RT` of `rt_courses`."""
    group = _BEFORE.sub("", _BEHIND.sub("", group))
    return any(word.startswith(group) if group.isascii() else group in word for word in words) and len(group) > 1


def _spellings(form):
    known = {}
    for item in form.items:
        label = reason_item(item.name, item.label).label
        known |= {plain(label.en): item.name + MISSING_SUFFIX, plain(label.ja): item.name + MISSING_SUFFIX}
    for item in form.items:
        known |= {plain(item.label.en): item.name, plain(item.label.ja): item.name}
    return known | {plain(item.name): item.name for item in form.items}


def _words(form):
    labels = [form.title, *(item.label for item in form.items)]
    labels += [choice.label for item in form.items for choice in item.choices]
    texts = [form.code.replace("_", " "), form.code, *(text for label in labels for text in (label.en, label.ja))]
    return {plain(word) for text in texts for word in (*text.split(), text)} - {""}


def _tick(name, choice):
    item = next(item for item in form_of(name).items if item.name == name.removesuffix(MISSING_SUFFIX))
    choices = item.choices if item.takes_several else ()
    for known in choices:
        if redcap.tick_column("", known.code) == f"___{choice.strip().lower()}":
            return f"{name}:{known.code}"
    for known in choices:
        if plain(choice) in map(plain, (str(known.code), known.label.en, known.label.ja)):
            return f"{name}:{known.code}"
    return None


def begun_at_first(suggestions):
    """Suggestions in which `Dose` beside `Dose 2` is the first of them, as people and programs number columns."""
    numbered = {target.partition(NTH)[0] for target in suggestions.values() if NTH in target}
    taken = set(suggestions.values())
    return {
        column: f"{target}{NTH}1" if target in numbered and f"{target}{NTH}1" not in taken else target
        for column, target in suggestions.items()
    }


def skipped(columns):
    """[(column, Label)] of what must be known of numbers that skip: `columns` are {column: target} of a file."""
    by_form = {}
    for column, target in columns.items():
        if number := number_of(target):
            by_form.setdefault(form_of(target.partition(NTH)[0]), {}).setdefault(number, column)
    for form, numbers in by_form.items():
        for number, column in sorted(numbers.items()):
            if number > 1 and number - 1 not in numbers:
                lacking = next(lower for lower in range(number - 1, -1, -1) if lower in numbers or not lower) + 1
                between = str(lacking) if lacking == number - 1 else f"{lacking}–{number - 1}"
                yield column, NO_COLUMNS.format(v=between, n=number, form=form.title)
