"""What an instrument is. Pure Python: forms, database columns, constraints, CSV, API and codebook are built from this.

An `Instrument` is an ordered set of `Item`s, one column each, and of `Derived` values that need every item.
`Item.clean` is the only statement of what an item accepts; everything else asks it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any

MISSING_REASONS = ("not_applicable", "not_done", "unknown", "refused", "too_ill", "dead")
LONGEST_SCALE = 1000  # of `Item.plain`
TAGS = dict(zip(MISSING_REASONS, "abcdef", strict=True))  # of missing values in SAS and Stata: .a to .f


@dataclass(frozen=True)
class Label:
    """A short text: English and Japanese stand side by side, any further language is looked up by the English.

    What a text is made of (`format`) is remembered, so that the template and each Label in it are looked up by
    themselves. Two labels are equal where both texts are.
    """

    en: str
    ja: str

    def __str__(self) -> str:
        return self.en

    def format(self, **values: Any) -> "Label":
        """The text with values in its places; a value that is a Label itself is said in each language."""
        made = Label(*(_filled(getattr(self, code), values, code) for code in ("en", "ja")))
        object.__setattr__(
            made, "_made_of", (self, values)
        )  # beside the fields: equality and JSON know the texts alone
        return made

    @property
    def values(self) -> dict:
        """What `format` put into the text, by name; none in a text as it was written."""
        return getattr(self, "_made_of", (self, {}))[1]

    def again(self, **values: Any) -> "Label":
        """The text that `format` made, with some of its values replaced."""
        return getattr(self, "_made_of", (self, {}))[0].format(**self.values | values)

    def in_language(self, code: Any) -> str:
        """The text for a language code such as `en`, `ja` or `de-at`; English where a catalogue lacks it."""
        language = (code or "en")[:2]
        if language in ("en", "ja"):
            return self.ja if language == "ja" else self.en
        template, values = getattr(self, "_made_of", (None, {}))
        if template is not None:
            return _filled(template.in_language(code), values, code)
        return _look_up(code, self.en)


def _filled(template: str, values: Mapping[str, Any], code: str) -> str:
    said = {name: value.in_language(code) if isinstance(value, Label) else value for name, value in values.items()}
    return template.format(**said)


_look_up: Callable[[str, str], str] = lambda code, english: english  # noqa: E731


def provide_catalogues(look_up: Callable[[str, str], str]) -> None:
    """Where the texts of further languages come from: a function of a language's code and the English text.

    Given once at the start, so that declarations stay pure Python.
    """
    global _look_up
    _look_up = look_up


MISSING_LABELS = {
    "not_applicable": Label("Not applicable", "該当なし"),
    "not_done": Label("Not done", "未実施"),
    "unknown": Label("Unknown", "不明"),
    "refused": Label("Refused", "拒否"),
    "too_ill": Label("Too ill", "状態不良のため不可"),
    "dead": Label("Dead", "死亡"),
}


class Explained(Exception):
    """What a person is told why: `reason` in both languages; the error's own text is English."""

    def __init__(self, reason: Label) -> None:
        super().__init__(reason.en)
        self.reason = reason


class InvalidValue(Explained, ValueError):
    """A value that an item does not accept. `reason` says what would be right, in both languages."""


@dataclass(frozen=True)
class Choice:
    """One answer of an item: the stored code, what it is called and, where there is more to say, its meaning."""

    code: int | str
    label: Label
    meaning: Label | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question, stored in one column called `name`.

    `kind` is `integer`, `decimal` (with `places` after the point), `code`, `codes` (several of them), `date`,
    `partial_date` (a day, a month or a year), `time`, `text` or `levels` (a set of vertebral levels). `choices` closes
    the set of values; otherwise `minimum` and `maximum` (inclusive) bound a number and `max_length` a text.
    `low_anchor` and `high_anchor` name the ends of a visual analogue scale.
    """

    name: str
    label: Label
    kind: str = "integer"
    choices: tuple[Choice, ...] = ()
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None
    places: int = 0
    max_length: int = 200
    unit: str = ""
    hint: Label | None = None
    low_anchor: Label | None = None
    high_anchor: Label | None = None
    not_future: bool = True  # for dates: nothing in this registry is recorded before it happens
    required: bool = True  # a complete form needs a value or a reason why there is none
    identifying: bool = False  # stays with the patient's site: in no central page, export or log
    hidden_codes: tuple[int | str, ...] = ()  # valid, yet not offered on a form: something else records them
    further_codes: str = ""  # a pattern of codes that are valid beside those of the choices
    since: str = ""  # the version of its instrument that brought it, where that is not the first: older files lack it
    section: Label | None = None  # the heading that begins with this item
    show_if: str = ""  # an expression of registry.protocol: where it is not true, the item is not asked
    required_if: str = ""  # the same: where it is true, a complete form needs a value or a reason

    @cached_property
    def codes(self) -> tuple[int | str, ...]:
        return tuple(choice.code for choice in self.choices)

    @cached_property
    def plain(self) -> dict[Any, Any]:
        """What most answers are, text or number, and the value that `clean` makes of each: codes, and the whole numbers
        of a scale. Whatever else is sent is looked at."""
        if self.kind == "code":
            return {code: code for code in self.codes if isinstance(code, str)}
        if self.kind != "integer":
            return {}
        numbers = [code for code in self.codes if isinstance(code, int)]
        if not self.choices and self.minimum is not None and self.maximum is not None:
            lowest, highest = int(self.minimum), int(self.maximum)
            scale = range(lowest, highest + 1) if highest - lowest <= LONGEST_SCALE else ()
            numbers = [number for number in scale if within(self, number)]
        return {sent: number for number in numbers for sent in (number, str(number))}

    @property
    def takes_several(self) -> bool:
        """Whether an answer is several codes: a tick box for each choice."""
        return self.kind in ("levels", "codes")

    @property
    def form_choices(self) -> tuple[Choice, ...]:
        """The choices that a form offers."""
        return tuple(choice for choice in self.choices if choice.code not in self.hidden_codes)

    def choice(self, code: Any) -> Choice:
        """The `Choice` with this code; KeyError if there is none."""
        for choice in self.choices:
            if choice.code == code:
                return choice
        raise KeyError(code)

    def clean(self, raw: Any, *, today: date | None = None) -> Any:
        """The value to store for what was typed or read: `None` for an empty one. Idempotent.

        Raises InvalidValue with what would be right.
        """
        if type(raw) in (str, int) and (value := self.plain.get(raw)) is not None:
            return value
        if isinstance(raw, str):
            raw = raw.strip()
        if raw is None or raw in ("", (), []):
            return None
        return _CLEANERS[self.kind](self, raw, today)


# A Japanese keyboard types digits and signs in full width until someone switches it.
_HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


def _half_width(raw: Any) -> Any:
    return raw.translate(_HALF_WIDTH) if isinstance(raw, str) and not raw.isascii() else raw


# Groups of three after a comma are thousands, whatever stands before decimals; “1,20” and “12,00” are none.
IN_THOUSANDS = r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+"


def half_width_number(text: str) -> Any:
    """A typed number in half width and without thousands separators: “１，２００” and “1,200” are “1200”.

    Any other text comes back in half width, for its reader to refuse. 、 is what the key of the comma gives while a
    keyboard writes kana.
    """
    plain = _half_width(text).replace("、", ",")
    return plain.replace(",", "") if re.fullmatch(IN_THOUSANDS + r"(\.[0-9]+)?", plain) else plain


def _typed(raw: Any) -> str:
    """What was typed, short enough to be repeated in a message, and fit to be encoded."""
    text = str(raw).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= 40 else f"{text[:40]}…"


_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")


def _clean_integer(item: Any, raw: Any, today: date | None) -> int:
    if isinstance(raw, float) and raw.is_integer() and abs(raw) < 10**12:
        raw = int(raw)  # R, and whatever knows one kind of number, sends 2.0
    text = half_width_number(raw) if isinstance(raw, str) else raw
    if isinstance(raw, bool) or not (isinstance(raw, int) or (isinstance(raw, str) and _WHOLE.fullmatch(text))):
        raise InvalidValue(_expected(item, raw))
    value = int(text)
    if item.choices:
        if value not in item.codes:
            raise InvalidValue(_expected(item, raw))
    elif not within(item, value):
        raise InvalidValue(_expected(item, raw))
    return value


def _clean_decimal(item: Any, raw: Any, today: date | None) -> Decimal:
    text = half_width_number(raw) if isinstance(raw, str) else str(raw)
    if (
        isinstance(raw, bool)
        or not isinstance(raw, (str, int, float, Decimal))
        or not re.fullmatch(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?", text)
    ):
        raise InvalidValue(_expected_decimal(item, raw))
    value = Decimal(text)
    stored = value.quantize(Decimal(1).scaleb(-item.places))
    if stored != value or not within(item, value):
        raise InvalidValue(_expected_decimal(item, raw))
    return stored


def within(item: Any, value: Any) -> Any:
    """Whether a number is between the item's minimum and maximum, of which either may be open."""
    return (item.minimum is None or item.minimum <= value) and (item.maximum is None or value <= item.maximum)


def _clean_code(item: Any, raw: Any, today: date | None) -> str:
    value = _half_width(raw)
    if not isinstance(value, str) or not (
        value in item.codes or (item.further_codes and re.fullmatch(item.further_codes, value))
    ):
        raise InvalidValue(_expected(item, raw))
    return value


def _clean_date(item: Any, raw: Any, today: date | None) -> date:
    if isinstance(raw, datetime):
        value = raw.date()  # a moment is a date too for Python, yet the two do not compare
    elif isinstance(raw, date):
        value = raw
    else:
        text = str(_half_width(raw))
        try:
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                raise ValueError
            value = date.fromisoformat(text)
        except ValueError:
            raise InvalidValue(
                Label(
                    "must be a date written YYYY-MM-DD; got “{v}”",
                    "日付はYYYY-MM-DDで入力してください（入力値「{v}」）",
                ).format(v=_typed(raw))
            ) from None
    if value.year < 1900:
        raise InvalidValue(Label("is before 1900: {v}", "1900年より前の日付です：{v}").format(v=value.isoformat()))
    if item.not_future and value > (today or date.today()):
        raise InvalidValue(Label("is in the future: {v}", "未来の日付です：{v}").format(v=value.isoformat()))
    return value


# Control characters, and half a surrogate pair, which JSON can spell and UTF-8 cannot.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _clean_text(item: Any, raw: Any, today: date | None) -> str:
    if not isinstance(raw, str):
        raise InvalidValue(
            Label("must be text; got “{v}”", "文字で入力してください（入力値「{v}」）").format(v=_typed(raw))
        )
    value = raw
    if _CONTROL.search(value):
        raise InvalidValue(Label("contains a control character", "制御文字が含まれています"))
    if len(value) > item.max_length:
        raise InvalidValue(
            Label("must be at most {n} characters; got {m}", "{n}文字以内で入力してください（現在{m}文字）").format(
                n=item.max_length, m=len(value)
            )
        )
    return value


def _clean_levels(item: Any, raw: Any, today: date | None) -> tuple[str, ...]:
    codes = item.codes
    if isinstance(raw, str):
        parts = [part.strip() for part in _half_width(raw).split(";")]
    else:
        parts = list(raw) if isinstance(raw, (list, tuple)) else [raw]
    unknown = [part for part in parts if part not in codes]
    if unknown:
        raise InvalidValue(
            Label(
                "must be levels from C1 to S separated by “;”; got “{v}”",
                "C1からSまでの椎体レベルを「;」で区切って入力してください（入力値「{v}」）",
            ).format(v=_typed(";".join(map(str, unknown))))
        )
    if len(set(parts)) != len(parts):
        raise InvalidValue(
            Label("names a level twice: “{v}”", "同じレベルが重複しています：「{v}」").format(v=_typed(";".join(parts)))
        )
    return tuple(sorted(parts, key=codes.index))


def _clean_codes(item: Any, raw: Any, today: date | None) -> tuple[str, ...] | None:
    parts = [part.strip() for part in _half_width(raw).split(";")] if isinstance(raw, str) else list(_listed(raw))
    parts = [str(part) for part in parts if part != ""]
    unknown = [part for part in parts if part not in item.codes]
    if unknown:
        raise InvalidValue(
            Label(
                "must be codes among {c}, separated by “;”; got “{v}”",
                "{c} のうちから「;」で区切って入力してください（入力値「{v}」）",
            ).format(c=", ".join(map(str, item.codes)), v=_typed(";".join(unknown)))
        )
    if len(set(parts)) != len(parts):
        raise InvalidValue(
            Label("names a code twice: “{v}”", "同じコードが重複しています：「{v}」").format(v=_typed(";".join(parts)))
        )
    return tuple(sorted(parts, key=item.codes.index)) or None


def _listed(raw: Any) -> list | tuple:
    return raw if isinstance(raw, (list, tuple)) else [raw]


def _clean_partial_date(item: Any, raw: Any, today: date | None) -> str:
    text = raw.isoformat() if isinstance(raw, date) else str(_half_width(raw)).replace("/", "-")
    try:
        if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", text):
            raise ValueError
        first = date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        raise InvalidValue(
            Label(
                "must be a day, a month or a year, written YYYY-MM-DD, YYYY-MM or YYYY; got “{v}”",
                "YYYY-MM-DD、YYYY-MM、YYYYのいずれかで入力してください（入力値「{v}」）",
            ).format(v=_typed(raw))
        ) from None
    if first.year < 1900:
        raise InvalidValue(Label("is before 1900: {v}", "1900年より前の日付です：{v}").format(v=text))
    if item.not_future and first > (today or date.today()):
        raise InvalidValue(Label("is in the future: {v}", "未来の日付です：{v}").format(v=text))
    return text


def _clean_time(item: Any, raw: Any, today: date | None) -> time:
    match = (
        raw if isinstance(raw, time) else re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:00)?", str(_half_width(raw)))
    )
    if not match:
        raise InvalidValue(
            Label(
                "must be a time from 00:00 to 23:59; got “{v}”",
                "00:00から23:59までの時刻を入力してください（入力値「{v}」）",
            ).format(v=_typed(raw))
        )
    return match.replace(second=0, microsecond=0) if isinstance(match, time) else time(int(match[1]), int(match[2]))


def _expected(item: Any, raw: Any) -> Label:
    """“must be one of A, B, C” or “must be 0 to 100 mm”, with what was typed."""
    unit = f" {item.unit}" if item.unit else ""
    if item.choices:
        codes = ", ".join(str(code) for code in item.codes)
        return Label("must be one of {c}; got “{v}”", "{c} のいずれかを入力してください（入力値「{v}」）").format(
            c=codes, v=_typed(raw)
        )
    if item.minimum is not None and item.maximum is not None:
        return Label(
            "must be a whole number from {a} to {b}{u}; got “{v}”",
            "{a}から{b}{u}までの整数を入力してください（入力値「{v}」）",
        ).format(a=item.minimum, b=item.maximum, u=unit, v=_typed(raw))
    if item.minimum is not None:
        return Label(
            "must be a whole number of at least {a}{u}; got “{v}”",
            "{a}{u}以上の整数を入力してください（入力値「{v}」）",
        ).format(a=item.minimum, u=unit, v=_typed(raw))
    return Label("must be a whole number; got “{v}”", "整数を入力してください（入力値「{v}」）").format(v=_typed(raw))


def _expected_decimal(item: Any, raw: Any) -> Label:
    if item.minimum is None or item.maximum is None:
        least = "" if item.minimum is None else f" ≥ {item.minimum}"
        most = "" if item.maximum is None else f" ≤ {item.maximum}"
        return Label(
            "must be a number{r}{u}, decimal digits at most {p}; got “{v}”",
            "数値{r}{u}（小数点以下{p}桁まで）を入力してください（入力値「{v}」）",
        ).format(r=least + most, u=f" {item.unit}" if item.unit else "", p=item.places, v=_typed(raw))
    return Label(
        "must be a number from {a} to {b}{u}, decimal digits at most {p}; got “{v}”",
        "{a}から{b}{u}までの数値（小数点以下{p}桁まで）を入力してください（入力値「{v}」）",
    ).format(a=item.minimum, b=item.maximum, u=f" {item.unit}" if item.unit else "", p=item.places, v=_typed(raw))


_CLEANERS = {
    "integer": _clean_integer,
    "decimal": _clean_decimal,
    "code": _clean_code,
    "date": _clean_date,
    "text": _clean_text,
    "levels": _clean_levels,
    "codes": _clean_codes,
    "partial_date": _clean_partial_date,
    "time": _clean_time,
}


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A value computed from items, null unless every one of them is there.

    The three shapes below are all that the instruments here need; the database computes the same ones as
    generated columns (`registry.models.columns`), and a test holds the two together.
    """

    name: str
    label: Label
    items: tuple[str, ...]
    minimum: int | None = None
    maximum: int | None = None

    def compute(self, answers: Mapping[str, Any]) -> Any:
        """The value for `answers` (item name to value); None while an item is missing."""
        values = [answers.get(name) for name in self.items]
        return None if None in values else self._compute(values)

    def _compute(self, values: list[Any]) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Total(Derived):
    """The sum of the items, e.g. the Barthel total."""

    def _compute(self, values: Any) -> int:
        return sum(values)


@dataclass(frozen=True, kw_only=True)
class Digits(Derived):
    """The items written one after the other as a number, e.g. the EQ-5D state 21232."""

    def _compute(self, values: Any) -> int:
        return int("".join(str(value) for value in values))


@dataclass(frozen=True, kw_only=True)
class Bands(Derived):
    """The class of a sum: `bands` are (highest sum of the class, Choice), ascending, e.g. the SINS class."""

    bands: tuple[tuple[int, Choice], ...]

    def _compute(self, values: Any) -> int | str:
        total = sum(values)
        return next(choice.code for upper, choice in self.bands if total <= upper)

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(choice for _, choice in self.bands)


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A named, versioned set of items that are answered together. A released version never changes.

    `optional`: an extra, asked only where a registry has switched it on; its columns are in no contract file.
    """

    code: str
    version: str
    title: Label
    items: tuple[Item, ...]
    derived: tuple[Derived, ...] = ()
    how_to: Label | None = None
    higher_is: str = ""  # "better", "worse" or "" where it has no direction
    completed_by: Label | None = None
    citation: str = ""
    licence: str = ""
    optional: bool = False
    own: bool = False  # declared by the study in its protocol, not by the product
    visits: tuple[str, ...] = ()  # of an own one: the visits that ask it; none: all
    checks: tuple = ()  # of an own one: soft checks (registry.protocol.definitions.Check)

    @property
    def parts(self) -> "tuple[Item | Derived, ...]":
        """Its items, then its derived values."""
        return (*self.items, *self.derived)

    @property
    def part_names(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def item(self, name: str) -> Item:
        return next(item for item in self.items if item.name == name)
