"""Field and Kind: a declared field of a plan's page, and a kind of entry that has such fields.

A Kind is declared once: its fields make the form, the JSON of an entry, and the choices of that JSON again. A field
that is as by default is left out of the JSON, as the plan itself leaves it out.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from registry.analysis.design.errors import one_of, refusal
from registry.instruments.base import Label, half_width_number

MOST = 12  # of a kind of entry, on the page
NUMBERED = "([1-9][0-9]{0,2})"  # what ends the name of a repeated field
CHOICE, SEVERAL, NUMBER, NUMBERS, CODES, TICK, TEXT, LINES = (
    "choice", "several", "number", "numbers", "codes", "tick", "text", "lines",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of an entry: `options` are (code, Label or lazy text) pairs, or what the page offers under that name.

    key      its name in the JSON, `name` where it is the same
    default  what the plan takes where the JSON has nothing
    of       the kinds of entry that have it; () for all
    """

    name: str
    label: object
    kind: str
    options: tuple | str = ()
    default: object = ""
    of: tuple = ()
    key: str = ""

    @property
    def part(self):
        return self.key or self.name

    def taken(self, given, kind):
        """(whether it stands in the JSON, value) of what was typed."""
        if self.of and kind not in self.of:  # hidden: what was typed before another kind was chosen is not read
            return False, None
        value = READ[self.kind](given)
        return value not in ("", []) and value is not False and value != self.default, value

    def typed(self, value):
        """What is typed to have a value of the JSON."""
        return WRITTEN[self.kind](value)


def number(text):
    """12 or 0.2 as typed. Refused says what is no number."""
    text = half_width_number(unicodedata.normalize("NFKC", text).replace("−", "-").strip())
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,15})?", text):
        raise refusal(
            "“{text}” is no number; such as 12 or 0.2",
            "「{text}」は数値ではありません。12や0.2のように入力してください。",
            text=text,
        )
    return float(text) if "." in text else int(text)


def whole(text):
    """A whole number as typed. Refused says what is none."""
    value = number(text)
    if value != int(value):
        raise refusal(
            "“{text}” is no whole number; such as 30",
            "「{text}」は整数ではありません。30のように入力してください。",
            text=text,
        )
    return int(value)


def numbers(text):
    return [number(part) for part in _parts(text)]


def _parts(text):
    return [part for part in re.split(r"[,\s、]+", text.strip()) if part]


def reference(text):
    """The JSON of a variable, perhaps at a visit: `kps`, or {"variable": "kps", "visit": "1m"} for `kps@1m`."""
    name, _at, visit = text.partition("@")
    return {"variable": name, "visit": visit} if visit else name


def written(reference):
    if isinstance(reference, str):
        return reference
    return f"{reference['variable']}@{reference['visit']}" if reference.get("visit") else reference["variable"]


READ = {
    CHOICE: str,
    TEXT: lambda text: text.strip(),
    LINES: lambda text: text.strip(),
    SEVERAL: lambda values: [reference(value) for value in values],
    NUMBER: lambda text: number(text) if text.strip() else "",
    NUMBERS: numbers,
    CODES: _parts,
    TICK: bool,
}
WRITTEN = {
    CHOICE: str,
    TEXT: str,
    LINES: str,
    SEVERAL: lambda values: [written(value) for value in values],
    NUMBER: lambda value: f"{value:.15g}",
    NUMBERS: lambda values: ", ".join(f"{value:.15g}" for value in values),
    CODES: lambda values: ", ".join(map(str, values)),
    TICK: lambda value: "1" if value else "",
}
EMPTY: dict[str, list] = {SEVERAL: []}


def taken(fields, given, kind=""):
    """The JSON of fields without a number, without what is as by default."""
    values = {}
    for field in fields:
        stands, value = field.taken(given.get(field.name, EMPTY.get(field.kind, "")), kind)
        if stands:
            values[field.part] = value
    return values


def is_filled(fields, given):
    """Whether anything of fields without a number was typed, be it what is no number: that is shown too."""
    try:
        return bool(taken(fields, given))
    except ValueError:
        return True


@dataclass(frozen=True)
class Kind:
    """A kind of entry on the page: `part` of the plan, `prefix` of its fields, and the field that says what it is.

    chosen    the field without which there is no entry; its name in the JSON
    title     (entry's JSON as typed) -> the Label that it has by itself, None where the plan finds it; None: no titles
    nested    (entry's JSON as typed) -> the plan's, and back, where these differ
    code_key, title_key  under what names the JSON has code and title; "" for none
    hint      what is to be known, above the entries; short: what one entry is called, `label` where it has none
    """

    part: str
    prefix: str
    label: object
    another: object
    chosen: Field
    fields: tuple
    title: Callable | None
    nested: Callable = lambda entry: entry
    flat: Callable = lambda entry: entry
    code_key: str = "code"
    title_key: str = "title"
    hint: object = ""
    short: object = ""
    most: int = MOST

    @property
    def all(self):
        return (self.chosen, *self.fields)

    def name(self, field, number):
        return f"{self.prefix}_{field}_{number}"

    def entries(self, given):
        """The JSON of every entry that was filled in, in its order."""
        return list(self.numbered(given).values())

    def numbered(self, given):
        """{number on the page: the JSON of the entry} of those that were filled in."""
        return {number: self._entry(given, number, code) for number, code in self.codes(given).items()}

    def codes(self, given):
        """{number: code} of entries: that which is given, or the prefix with the first number from its own that no
        other entry has."""
        matches = (re.fullmatch(rf"{self.prefix}_what_{NUMBERED}", name) for name in given)
        numbers = sorted(int(match[1]) for match in matches if match and given[match[0]])
        codes = {number: given.get(self.name("code", number), "") for number in numbers}
        for number in numbers:
            if not codes[number]:
                free = (f"{self.prefix}_{other}" for other in count(number))
                codes[number] = next(code for code in free if code not in codes.values())
        return codes

    def _entry(self, given, number, code):
        kind, entry = given[self.name("what", number)], {self.code_key: code} if self.code_key else {}
        if isinstance(self.chosen.options, tuple):
            one_of(self.name("what", number), kind, [option for option, _label in self.chosen.options])
        typed = {field.name: self.name(field.name, number) for field in self.fields}
        typed = {name: given[numbered] for name, numbered in typed.items() if numbered in given}
        values = {self.chosen.part: kind} | taken(self.fields, typed, kind)
        if self.title_key and (title := self._titled(given, number, values)):
            entry[self.title_key] = title
        return self.nested(entry | values)

    def _titled(self, given, number, values):
        title = {end: given.get(self.name(f"title_{end}", number), "").strip() for end in ("en", "ja")}
        by_itself = self.title(values)
        if by_itself is None:
            if not any(title.values()):
                return None
            by_itself = Label(title["ja"], title["ja"])
        return {"en": title["en"] or by_itself.en, "ja": title["ja"] or title["en"] or by_itself.ja}

    def used(self, entry):
        """An entry of the plan's JSON without the parts that its kind has no use for."""
        kind = entry.get(self.chosen.part, self.chosen.options[0][0])
        idle = {field.part for field in self.fields if field.of and kind not in field.of}
        return {name: part for name, part in entry.items() if name not in idle}

    def choices(self, entries):
        """The fields that make these entries. KeyError for one that has more than the page asks."""
        given = {}
        for number, entry in enumerate(entries, 1):
            flat = dict(self.flat(dict(entry)))
            if self.code_key:
                given[self.name("code", number)] = flat.pop(self.code_key)
            title = flat.pop(self.title_key, None) if self.title_key else None
            by_itself = self.title(flat) if title else None
            if title and (by_itself is None or title != {"en": by_itself.en, "ja": by_itself.ja}):
                given |= {self.name(f"title_{end}", number): title[end] for end in ("en", "ja")}
            given[self.name("what", number)] = flat.pop(self.chosen.part)
            for field in self.fields:
                if field.part in flat:
                    given[self.name(field.name, number)] = field.typed(flat.pop(field.part))
            if flat:
                raise KeyError(*flat)
        return given
