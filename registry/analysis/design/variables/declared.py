"""A variable as a plan declares it: what it is of, how it is cut, and what it is called.

    {"name": "frankel_low", "label": {"en": "Frankel A–C", "ja": "Frankel A〜C"}, "of": {"item": "frankel"},
     "categories": [{"code": "abc", "label": {…}, "holds": ["A", "B", "C"]}, {"code": "de", "holds": ["D", "E"]}]}

`of` is one of
    {"item": name}                                      an item, a derived value, an own item, a variable of the product
    {"events": [kinds], "grade": "IIIa", "first_day": 0, "last_day": 30, "give": "any" | "count" | "day"}
    {"repeat": form, "item": name, "give": "any" | "count" | "day" | "first" | "last" | "sum" | "least" | "most",
     "dated": item}
    {"days": {"from": date item, "to": date item}, "unit": "days" | "months" | "years"}
    {"change": name of a continuous variable, "from": visit}

A category `holds` codes, or is a range: `from` (inclusive) to `below` (exclusive). A value that no category holds is
unknown for a reason of its own. A name alone in a list of variables stands for the item of that name as it is declared.
"""

import itertools
import json
import re
from dataclasses import dataclass
from functools import cached_property

from registry.analysis.data import item_columns
from registry.analysis.design.errors import listed, named, refusal
from registry.analysis.design.variables import sources, visits
from registry.analysis.design.variables.sources import BINARY, CONTINUOUS, DATE, KINDS, NOMINAL, ORDINAL, YES_NO
from registry.instruments import catalogue
from registry.instruments.base import Choice, Label
from registry.instruments.core import adverse_events

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(:[A-Za-z0-9_.-]{1,20})?")
UNITS = {"days": 1.0, "months": 30.4375, "years": 365.25}
UNIT_LABELS = {"days": Label("days", "日"), "months": Label("months", "か月"), "years": Label("years", "年")}
_NUMBERS = ("sum", "least", "most")
GIVEN_OF_EVENTS = ("any", "count", "day")
GIVEN_OF_REPEATS = ("any", "count", "day", "first", "last", "sum", "least", "most")
_PARTS = {"name", "label", "of", "categories", "kind", "unit", "decimals", "higher_is"}


@dataclass(frozen=True)
class Category:
    """One category of a cut: the codes it holds, or numbers from `low` on (inclusive) below `high` (None: no end)."""

    code: str
    label: Label
    holds: tuple = ()
    low: float | None = None
    high: float | None = None

    @property
    def is_range(self):
        return not self.holds

    def to_json(self):
        document = {"code": self.code, "label": _both(self.label)}
        if self.holds:
            return document | {"holds": list(self.holds)}
        ends = {"from": self.low, "below": self.high}
        return document | {name: end for name, end in ends.items() if end is not None}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a plan, with the interface of `instruments.variables.Variable` beside its origin.

    kind        one of `sources.KINDS`
    categories  Choices in the order of print; empty for a number or a date
    of          what it is made from, as in the plan's JSON
    cut         Categories, where the plan cuts it
    record      `visit` where its value is one of a visit, else `patient`
    declared    whether the plan declares it, and not the registry alone
    """

    name: str
    label: Label
    kind: str
    of: str  # JSON
    record: str
    unit: str = ""
    decimals: int = 1
    higher_is: str = ""
    categories: tuple[Choice, ...] = ()
    cut: tuple[Category, ...] = ()
    declared: bool = True

    @cached_property
    def origin(self):
        return json.loads(self.of)

    @property
    def at_visit(self):
        return self.record == sources.VISIT

    @property
    def is_number(self):
        return self.kind == CONTINUOUS

    @property
    def is_categorical(self):
        return self.kind in (ORDINAL, NOMINAL, BINARY)

    def to_json(self):
        document = {"name": self.name, "label": _both(self.label), "of": self.origin, "kind": self.kind}
        if self.cut:
            document["categories"] = [category.to_json() for category in self.cut]
        more = {"unit": self.unit, "decimals": self.decimals, "higher_is": self.higher_is}
        return document | {name: value for name, value in more.items() if value != ""}


def _both(label):
    return {"en": label.en, "ja": label.ja}


def label_of(data, otherwise):
    """The Label of a plan's JSON: a text, or one in each language."""
    if isinstance(data, str) and data.strip():
        return Label(data, data)
    if isinstance(data, dict) and isinstance(data.get("en"), str) and data["en"].strip():
        return Label(data["en"], str(data.get("ja") or data["en"]))
    return otherwise


class Variables:
    """The variables that a plan may name: those it declares, then everything that the registry collects."""

    def __init__(self, declared=(), visits_of_plan=()):
        self.declared = tuple(declared)
        self.visits = tuple(visits_of_plan)
        self._by_name = {category.name: category for category in self.declared}

    def get(self, name, kinds=KINDS):
        """The Variable of this name. Refused where there is none, or it is of no kind in `kinds`."""
        if not isinstance(name, str):
            raise refusal("a variable is named; got {name}", "変数名が必要です（入力：{name}）", name=repr(name))
        if name not in self._by_name:
            self._by_name[name] = of_source(sources.get(name))
        variable = self._by_name[name]
        if variable.kind not in kinds:
            raise refusal(
                "“{name}” is {kind}; what fits is {fits}",
                "「{name}」は{kind}変数です。使えるのは：{fits}",
                name=name,
                kind=sources.KIND_LABELS[variable.kind],
                fits=Label(
                    ", ".join(sources.KIND_LABELS[kind].en for kind in kinds),
                    "、".join(sources.KIND_LABELS[kind].ja for kind in kinds),
                ),
            )
        return variable

    def visit(self, code, variable=None):
        """Check a visit's code where one is needed; returns it, or "" for what is of the patient. Refused."""
        if variable is not None and not variable.at_visit:
            return ""
        visits.require(code, self.visits)
        return code


def of_source(source):
    """The Variable that stands for a Source as it is."""
    return Variable(
        name=source.name,
        label=source.label,
        kind=source.kind,
        of=json.dumps({"item": source.name}),
        record=source.record,
        unit=source.unit,
        decimals=source.decimals,
        higher_is=source.higher_is,
        categories=source.categories,
        declared=False,
    )


def from_json(data, known):
    """The Variable that a plan declares. `known` are the Variables before it. Refused says what fits."""
    try:
        name, of = data["name"], dict(data["of"])
    except (KeyError, TypeError, ValueError):
        raise refusal(
            "variables: a variable has a name and says what it is `of`",
            "変数：名前（name）と元の項目（of）が必要です",
        ) from None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise refusal(
            "variables: “{name}” is no name; small letters, digits and underscores, such as frankel_low",
            "変数：名前「{name}」は使えません。frankel_lowのように英小文字・数字・下線で指定してください。",
            name=name,
        )
    if unknown := sorted(data.keys() - _PARTS):
        raise refusal(
            "variables: {name} has no part {unknown}; it may have {fits}",
            "変数：{name}に使えない項目があります：{unknown}。使えるもの：{fits}",
            name=name,
            unknown=listed(unknown),
            fits=listed(sorted(_PARTS)),
        )
    base = _base(name, of, known)
    return _worded(_cut(base, data.get("categories"), data.get("kind")), data)


def _worded(base, data):
    from dataclasses import replace

    if (higher_is := data.get("higher_is", base.higher_is)) not in ("", "better", "worse"):
        raise refusal(
            "variables: {name}: higher_is “{value}”; better, worse or nothing fits",
            "変数：{name}のhigher_is「{value}」は使えません。betterかworseか空にしてください。",
            name=base.name,
            value=higher_is,
        )
    decimals = data.get("decimals", base.decimals)
    if not isinstance(decimals, int) or not 0 <= decimals <= 6:
        raise refusal(
            "variables: {name}: decimals from 0 to 6",
            "変数：{name}のdecimalsは0〜6で指定してください",
            name=base.name,
        )
    return replace(
        base,
        label=label_of(data.get("label"), base.label),
        unit=str(data.get("unit", base.unit)),
        decimals=decimals,
        higher_is=higher_is,
    )


# What a variable is of


def _base(name, of, known):
    for origin, read in _ORIGINS.items():
        if origin in of:
            return read(name, of, known)
    raise refusal(
        "variables: {name} is of nothing that is known; `of` has one of {fits}",
        "変数：{name}のofには次のいずれかが必要です：{fits}",
        name=name,
        fits=listed(_ORIGINS),
    )


def _made(name, of, **about):
    return Variable(name=name, of=json.dumps(of, sort_keys=True), **about)


def _of_item(name, of, known):
    inner = known.get(of["item"])
    if inner.declared:
        raise refusal(
            "variables: {name} is of “{item}”, which the plan declares itself; name an item of the registry",
            "変数：{name}の元の項目「{item}」は計画内の変数です。登録の項目を指定してください。",
            name=name,
            item=of["item"],
        )
    about = ("label", "kind", "record", "unit", "decimals", "higher_is", "categories")
    return _made(name, {"item": of["item"]}, **{part: getattr(inner, part) for part in about})


def _of_events(name, of, known):
    kinds = of["events"] or []
    codes = [choice.code for choice in adverse_events.KINDS]
    if not isinstance(kinds, (list, tuple)) or any(kind not in codes for kind in kinds):
        raise refusal(
            "variables: {name}: events are kinds of adverse events, all where the list is empty; from {fits}",
            "変数：{name}のeventsは有害事象の種類の一覧です（空なら全種類）。使えるもの：{fits}",
            name=name,
            fits=listed(codes),
        )
    grade = of.get("grade") or ""
    if grade and grade not in item_columns.GRADES:
        raise refusal(
            "variables: {name}: grade “{grade}”; one of {fits}",
            "変数：{name}のgrade「{grade}」は使えません。使えるもの：{fits}",
            name=name,
            grade=grade,
            fits=listed(item_columns.GRADES),
        )
    give = _given(name, of, GIVEN_OF_EVENTS)
    days = {end: of[end] for end in ("first_day", "last_day") if of.get(end) is not None}
    if any(not isinstance(day, int) or isinstance(day, bool) for day in days.values()):
        raise refusal(
            "variables: {name}: first_day and last_day are whole numbers of days from surgery",
            "変数：{name}のfirst_dayとlast_dayは手術からの日数（整数）です",
            name=name,
        )
    spec = {"events": list(kinds), "give": give} | ({"grade": grade} if grade else {}) | days
    labels = {choice.code: choice.label for choice in adverse_events.KINDS}
    label = (
        Label(
            " or ".join(labels[kind].en for kind in kinds),
            "・".join(labels[kind].ja for kind in kinds),
        )
        if kinds
        else Label("any complication", "合併症")
    )
    return _made(name, spec, **_several(give, label))


def _several(give, label, record=sources.PATIENT):
    """What is said of several rows: whether there is any, how many there are, or the day of the first."""
    if give == "any":
        return {"label": label, "kind": BINARY, "categories": YES_NO, "record": record, "higher_is": "worse"}
    if give == "count":
        both = Label("{label}, number per patient", "{label}（1例あたりの数）").format(label=label)
        return {"label": both, "kind": CONTINUOUS, "record": record, "higher_is": "worse"}
    both = Label("{label}, days from surgery to the first", "{label}（手術から初回までの日数）").format(label=label)
    return {"label": both, "kind": CONTINUOUS, "record": record, "unit": "days"}


def _of_repeat(name, of, known):
    form = next((repeat for repeat in catalogue.current().repeats if repeat.code == of["repeat"]), None)
    if form is None:
        raise refusal(
            "variables: {name}: no repeating form “{form}” in this registry; it has {fits}",
            "変数：{name}：繰り返し調査票「{form}」はこの登録にありません。使えるもの：{fits}",
            name=name,
            form=of["repeat"],
            fits=listed(repeat.code for repeat in catalogue.current().repeats) or "–",
        )
    give = _given(name, of, GIVEN_OF_REPEATS)
    if give in ("any", "count"):
        return _made(name, {"repeat": form.code, "give": give}, **_several(give, form.title))
    parts = {part.name: part for part in form.items}
    for place in ("item", "dated"):
        if (place == "item" or of.get(place)) and of.get(place) not in parts:
            raise refusal(
                "variables: {name}: {place} is one of {fits}",
                "変数：{name}の{place}は次のいずれかです：{fits}",
                name=name,
                place=place,
                fits=listed(parts),
            )
    spec = {"repeat": form.code, "item": of["item"], "give": give} | ({"dated": of["dated"]} if of.get("dated") else {})
    item, source = parts[of["item"]], gathered_source(spec)
    dated = item.kind == "date"
    if source is None or (give == "day") != dated or (give in _NUMBERS and source.kind != CONTINUOUS):
        raise refusal(
            "variables: {name}: “{give}” of {item} does not fit its kind",
            "変数：{name}：{item}に「{give}」は使えません",
            name=name,
            give=give,
            item=of["item"],
        )
    if give == "day":
        return _made(name, spec, **_several("day", item.label))
    about = ("label", "kind", "record", "unit", "decimals", "higher_is", "categories")
    return _made(name, spec, **{part: getattr(source, part) for part in about})


def is_gathered(origin):
    """Whether a variable is made of several rows of a patient."""
    return "events" in origin or "repeat" in origin


def gathered_source(origin):
    """The Source of the single rows that a variable gathers the values of; a bare number for how many there are.

    None for an item whose values cannot be gathered.
    """
    if "repeat" in origin and origin.get("item") and origin["give"] not in ("any", "count", "day"):
        form = next(repeat for repeat in catalogue.current().repeats if repeat.code == origin["repeat"])
        item = next(field for field in form.items if field.name == origin["item"])
        return next(iter(sources.of_part(item, form, sources.PATIENT)), None) if item.kind != "codes" else None
    return _NUMBER


_NUMBER = sources.Source(name="", label=Label("", ""), kind=CONTINUOUS, record=sources.PATIENT)


def _given(name, of, fits):
    give = of.get("give", "any")
    if give not in fits:
        raise refusal(
            "variables: {name} gives “{give}”; one of {fits}",
            "変数：{name}のgive「{give}」は使えません。使えるもの：{fits}",
            name=name,
            give=give,
            fits=listed(fits),
        )
    return give


def _of_days(name, of, known):
    span = of["days"] if isinstance(of["days"], dict) else {}
    first, last = (known.get(span.get(end), (DATE,)) for end in ("from", "to"))
    unit = of.get("unit", "days")
    if unit not in UNITS:
        raise refusal(
            "variables: {name}: unit “{unit}”; one of {fits}",
            "変数：{name}のunit「{unit}」は使えません。使えるもの：{fits}",
            name=name,
            unit=unit,
            fits=listed(UNITS),
        )
    return _made(
        name,
        {"days": {"from": span["from"], "to": span["to"]}, "unit": unit},
        label=Label("{first} to {last}", "{first}～{last}").format(first=first.label, last=last.label),
        kind=CONTINUOUS,
        record=sources.VISIT if first.at_visit or last.at_visit else sources.PATIENT,
        unit=unit,
    )


def _of_change(name, of, known):
    inner = known.get(of["change"], (CONTINUOUS,))
    if not inner.at_visit:
        raise refusal(
            "variables: {name}: “{item}” is not assessed at visits, so it has no change",
            "変数：{name}：「{item}」は来院時の項目ではないため変化量がありません",
            name=name,
            item=of["change"],
        )
    start = known.visit(of.get("from", "preop"))
    return _made(
        name,
        {"change": of["change"], "from": start},
        label=Label("Δ {inner}", "{inner} 変化量").format(inner=inner.label),
        kind=CONTINUOUS,
        record=sources.VISIT,
        unit=inner.unit,
        decimals=inner.decimals,
        higher_is=inner.higher_is,
    )


_ORIGINS = {
    "events": _of_events,
    "repeat": _of_repeat,
    "days": _of_days,
    "change": _of_change,
    "item": _of_item,  # which a repeating form names too
}


# How it is cut


def _cut(base, categories, kind):
    from dataclasses import replace

    if kind is not None and kind not in KINDS:
        raise refusal(
            "variables: {name}: kind “{kind}”; one of {fits}",
            "変数：{name}のkind「{kind}」は使えません。使えるもの：{fits}",
            name=base.name,
            kind=kind,
            fits=listed(KINDS),
        )
    if not categories:
        return _as_kind(base, kind)
    cut = tuple(_category(base, category) for category in categories)
    codes = [part.code for part in cut]
    held = [code for part in cut for code in part.holds]
    if len(cut) < 2 or len(set(codes)) != len(codes) or len(set(held)) != len(held) or _overlap(cut):
        raise refusal(
            "variables: {name}: two or more categories, each with a code of its own, and no value in two of them",
            "変数：{name}：互いに異なるコードで2つ以上のカテゴリを指定し、同じ値を複数に含めないでください",
            name=base.name,
        )
    ordered = base.kind in (ORDINAL, CONTINUOUS)
    made = BINARY if len(cut) == 2 else ORDINAL if ordered else NOMINAL
    if kind in (CONTINUOUS, DATE) or ((kind == BINARY) != (len(cut) == 2) and kind is not None):
        raise refusal(
            "variables: {name}: {n} categories are not {kind}",
            "変数：{name}：{n}個のカテゴリは{kind}ではありません",
            name=base.name,
            n=len(cut),
            kind=kind,
        )
    choices = tuple(Choice(part.code, part.label) for part in cut)
    return replace(base, kind=kind or made, categories=choices, cut=cut, unit="", higher_is=base.higher_is)


def _as_kind(base, kind):
    from dataclasses import replace

    if kind is None or kind == base.kind:
        return base
    numeric = base.categories and all(re.fullmatch(r"-?\d+", str(category.code)) for category in base.categories)
    if kind == CONTINUOUS and numeric:
        return replace(base, kind=CONTINUOUS, categories=())
    if {kind, base.kind} <= {ORDINAL, NOMINAL}:
        return replace(base, kind=kind)
    raise refusal(
        "variables: {name} is {is_kind} as it is declared; {kind} needs categories",
        "変数：{name}は{is_kind}として宣言されています。{kind}にするにはカテゴリが必要です。",
        name=base.name,
        is_kind=sources.KIND_LABELS[base.kind],
        kind=sources.KIND_LABELS[kind],
    )


def _category(base, data):
    try:
        code, holds = str(data["code"]), tuple(str(hold) for hold in data.get("holds") or ())
        low, high = data.get("from"), data.get("below")
    except (KeyError, TypeError, AttributeError):
        raise refusal(
            "variables: {name}: a category has a code and what it `holds`, or `from` and `below`",
            "変数：{name}：カテゴリにはコード（code）と、holdsまたはfrom・belowが必要です",
            name=base.name,
        ) from None
    label = label_of(data.get("label"), Label(code, code))
    if base.categories:
        known = [str(category.code) for category in base.categories]
        if not holds or any(hold not in known for hold in holds):
            raise refusal(
                "variables: {name}: category {code} holds some of {fits}",
                "変数：{name}：カテゴリ{code}のholdsは次から選んでください：{fits}",
                name=base.name,
                code=code,
                fits=named(base.categories),
            )
        return Category(code, label, holds)
    if holds or (low is None and high is None) or any(not _number(end) for end in (low, high) if end is not None):
        raise refusal(
            "variables: {name}: category {code} of a number has `from` (inclusive) or `below` (exclusive), or both",
            "変数：{name}：数値のカテゴリ{code}にはfrom（以上）かbelow（未満）が必要です",
            name=base.name,
            code=code,
        )
    return Category(code, label, (), low, high)


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _overlap(cut):
    ranges = sorted(
        (
            -float("inf") if category.low is None else category.low,
            float("inf") if category.high is None else category.high,
        )
        for category in cut
        if category.is_range
    )
    empty = any(low >= high for low, high in ranges)
    return empty or any(later < high for (_, high), (later, _) in itertools.pairwise(ranges))
