"""Own instruments: the declaration of a study's own form as a document (JSON), its checks, and the Instrument it gives.

A document is what a browser edits, a file holds and the database keeps. `read` is the only way from a document to an
`Instrument`: it finds every fault at once, each with row (of the item, from 1; 0 for the form itself), column, the
reason and what would fit.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from registry.instruments.base import Choice, Derived, Instrument, Item, Label
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.protocol import evaluate, naming, sql
from registry.protocol.expressions import InvalidExpression, Typed, closest, compiled, items_in, names

FORMAT = 1
RECORDS = (*PATIENT_FORMS, "assessment", "repeat")  # what an own instrument is asked with
KINDS = {
    "whole": "integer",
    "decimal": "decimal",
    "code": "code",
    "codes": "codes",
    "yes_no": "integer",
    "date": "date",
    "partial_date": "partial_date",
    "time": "time",
    "text": "text",
    "calculated": "",
}
MOST_ITEMS = 300
MOST_CODES = 100
LONGEST_SQL = 100_000
NO_YES = (Choice(0, Label("No", "いいえ")), Choice(1, Label("Yes", "はい")))
CODE = re.compile(r"[a-z][a-z0-9_]{0,19}")  # of an instrument
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,19}")  # of a choice
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?", re.ASCII)
_CHECK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a document: the item's row (0: the form), the column, what stands there and the reason."""

    row: int
    column: str
    value: str
    reason: Label

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason.en}"


@dataclass(frozen=True, kw_only=True)
class Calculated(Derived):
    """A value that an expression computes from the answers of its record. Never stored, so it is never stale.

    `kind` is number, text, boolean or date; a number is rounded to `places`.
    """

    formula: str
    tree: tuple
    kind: str = "number"
    places: int = 2
    unit: str = ""
    section: Label | None = None
    show_if: str = ""

    def compute(self, answers: Mapping[str, Any]) -> Any:
        return self._shown(evaluate.value(self.tree, answers))

    def _shown(self, match: Any) -> Any:
        if match is None or self.kind == "text":
            return match
        if self.kind == "date":
            return evaluate.as_date(match)
        if self.kind == "boolean":
            return int(match)
        rounded = evaluate.value(("round", ("number", match), self.places), {})
        return int(rounded) if self.places == 0 else Decimal(f"{rounded:.{self.places}f}")

    def sql(self, column: Any) -> Any:
        """SQL of the value; `column` gives the SQL of an item by name."""
        expression = sql.expression(self.tree, column)
        if self.kind == "date":
            return f"(DATE '1970-01-01' + ({expression})::int)"
        if self.kind == "boolean":
            return f"({expression})::int"
        if self.kind == "number":
            return f"round(({sql.expression(('round', self.tree, self.places), column)})::numeric, {self.places})"
        return expression


@dataclass(frozen=True)
class Check:
    """A soft check of an own instrument: where `when` is true, the answers are doubted."""

    name: str
    when: str
    tree: tuple
    says: Label

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(sorted(items_in(self.tree)))


@dataclass
class Reading:
    """What became of a document: the instrument, or the faults that keep it from being one."""

    instrument: Instrument | None = None
    faults: list[Fault] = field(default_factory=list)


def read(
    document: Mapping,
    *,
    version: str = "1",
    taken: Collection[str] = (),
    known: Mapping[str, Item] | None = None,
    stored: bool = False,
) -> Reading:
    """The Instrument of a document.

    taken   names of columns that exist already and are not this instrument's own
    known   items beside its own that an expression may name: those of the patient
    stored  the document is published: what was accepted then is, whatever is asked of new ones since
    """
    return _Reader(document, version, frozenset(taken), dict(known or {}), is_new=not stored).read()


def _mappings(raw: Any) -> list[Mapping]:
    """The mappings of what should be a list of them."""
    return [member for member in raw if isinstance(member, Mapping)] if isinstance(raw, (list, tuple)) else []


def _label(raw: Any, fallback: str = "") -> Label:
    """A Label of {"en": …, "ja": …} or of a plain text; what a language lacks is taken from the other."""
    if isinstance(raw, str):
        raw = {"en": raw}
    raw = raw if isinstance(raw, Mapping) else {}
    en, ja = (str(raw.get(code) or "").strip() for code in ("en", "ja"))
    return Label(en or ja or fallback, ja or en or fallback)


class _Reader:
    def __init__(self, document: Mapping, version: str, taken: Any, known: Any, *, is_new: bool) -> None:
        self.document, self.version, self.taken, self.known, self.is_new = document, version, taken, known, is_new
        self.faults: list[Fault] = []
        self.items: dict[str, tuple[int, Item]] = {}
        self.calculated: dict[str, tuple[int, Any]] = {}
        self.trees: dict[str, Typed | None] = {}  # name of a calculation to its Typed, None where it has a fault

    def fault(self, row: Any, column: Any, value: Any, en: str, ja: str, **values: Any) -> None:
        text = str(value if value is not None else "")[:80]
        self.faults.append(Fault(row, column, text, Label(en, ja).format(v=text, **values)))

    def read(self) -> Reading:
        if not isinstance(self.document, Mapping):
            self.fault(0, "", "", "is no declaration of an instrument", "尺度の定義ではありません")
            return Reading(None, self.faults)
        self._head()
        rows = self.document.get("items")
        if not isinstance(rows, list) or not rows:
            self.fault(0, "items", "", "has no item; at least one is needed", "項目がありません（1つ以上必要です）")
            rows = []
        if len(rows) > MOST_ITEMS:
            self.fault(0, "items", len(rows), "has more than {n} items", "項目が{n}を超えています", n=MOST_ITEMS)
        for row, raw in enumerate(rows[:MOST_ITEMS], start=1):
            self._row(row, raw if isinstance(raw, Mapping) else {})
        derived = self._calculations()
        items = tuple(self._with_expressions(row, item) for row, item in self.items.values())
        checks = tuple(filter(None, map(self._check, range(1, 1000), _mappings(self.document.get("checks")))))
        if self.is_new:
            self._later(items)
        if self.faults:
            return Reading(None, sorted(self.faults, key=lambda fault: fault.row))
        return Reading(self._instrument(items, derived, checks), [])

    def _instrument(self, items: Any, derived: Any, checks: Any) -> Instrument:
        document = self.document
        by = {"patient": Label("Patient", "患者"), "staff": Label("Site staff", "施設スタッフ")}
        return Instrument(
            code=document["code"],
            version=self.version,
            title=_label(document.get("title")),
            items=items,
            derived=derived,
            how_to=_label(document["how_to"]) if document.get("how_to") else None,
            higher_is=document.get("higher_is") or "",
            completed_by=by.get(str(document.get("completed_by"))),
            citation=str(document.get("citation") or ""),
            licence=str(document.get("licence") or ""),
            optional=True,
            own=True,
            visits=tuple(map(str, document.get("visits") or ())),
            checks=checks,
        )

    # The form itself

    def _head(self) -> None:
        document = self.document
        code = str(document.get("code") or "")
        if not CODE.fullmatch(code):
            self.fault(
                0, "code", code,
                "must be 1 to 20 small letters, digits or “_”, beginning with a letter; “{f}” would fit",
                "英小文字で始まる20文字以内の英小文字・数字・「_」としてください（例：「{f}」）",
                f=naming.fitting(code, (), 20),
            )  # fmt: skip
        if not _label(document.get("title")).en:
            self.fault(0, "title", "", "must not be empty", "空欄にできません")
        self._among(0, "record", document.get("record"), RECORDS)
        self._among(0, "higher_is", document.get("higher_is") or "", ("", "better", "worse"))
        self._among(0, "completed_by", document.get("completed_by") or "", ("", "staff", "patient"))
        if self.is_new and not isinstance(document.get("visits") or [], (list, tuple)):
            self.fault(0, "visits", document["visits"], "must be a list of visits", "来院の一覧としてください")

    def _among(self, row: Any, column: Any, value: Any, known: Any) -> bool:
        if value in known:
            return True
        near = closest(str(value), [code for code in known if code])
        self.fault(
            row, column, value, "must be one of {k}; got “{v}”{m}", "{k} のいずれかとしてください（入力値「{v}」）",
            k=", ".join(code or "(empty)" for code in known), m=f"; did you mean “{near}”?" if near else "",
        )  # fmt: skip
        return False

    # Items

    def _row(self, row: Any, raw: Any) -> None:
        name = str(raw.get("name") or "")
        if not self._name(row, name) or not self._among(row, "kind", raw.get("kind"), tuple(KINDS)):
            return
        if not _label(raw.get("label")).en:
            self.fault(row, "label", "", "must not be empty", "空欄にできません")
        if raw["kind"] == "calculated":
            self.calculated[name] = (row, raw)
        else:
            self.items[name] = (row, self._item(row, name, raw))

    def _name(self, row: Any, name: Any) -> bool:
        before = self.items.get(name) or self.calculated.get(name)
        others = self.taken | self.items.keys() | self.calculated.keys()
        if before:
            self.fault(
                row, "name", name,
                "is the name of row {r} too; “{f}” would fit", "{r}行目と同じ名前です（例：「{f}」）",
                r=before[0], f=naming.fitting(name, others),
            )  # fmt: skip
        elif reason := naming.reason_against(name, self.taken):
            suffix = Label("; “{f}” would fit", "（例：「{f}」）").format(f=naming.fitting(name, others))
            self.faults.append(Fault(row, "name", name[:80], Label(reason.en + suffix.en, reason.ja + suffix.ja)))
        else:
            return True
        return False

    def _item(self, row: Any, name: Any, raw: Any) -> Item:
        kind = raw["kind"]
        choices = NO_YES if kind == "yes_no" else self._choices(row, raw) if kind in ("code", "codes") else ()
        stored = KINDS[kind]
        if kind == "code" and choices and all(isinstance(choice.code, int) for choice in choices):
            stored = "integer"
        elif kind in ("code", "codes"):
            choices = tuple(replace(choice, code=str(choice.code)) for choice in choices)
        minimum, maximum = self._range(row, raw, kind)
        if raw.get("identifying"):
            self.fault(
                row, "identifying", name, "own instruments hold no direct identifiers; leave this item out",
                "独自の調査票に個人を特定する項目は置けません",
            )  # fmt: skip
        return Item(
            name=name,
            label=_label(raw.get("label"), name),
            kind=stored,
            choices=choices,
            minimum=minimum,
            maximum=maximum,
            places=self._places(row, raw, kind, 1) if kind == "decimal" else 0,
            max_length=self._max_length(row, raw),
            unit=str(raw.get("unit") or "")[:30],
            hint=_label(raw["help"]) if raw.get("help") else None,
            required=bool(raw.get("required", True)),
            not_future=bool(raw.get("not_future", True)),
            section=_label(raw["section"]) if raw.get("section") else None,
            show_if=str(raw.get("show_if") or "").strip(),
            required_if=str(raw.get("required_if") or "").strip(),
        )

    def _choices(self, row: Any, raw: Any) -> tuple[Choice, ...]:
        given = _mappings(raw.get("choices"))
        choices: dict[str, Choice] = {}
        if not given:
            self.fault(row, "choices", "", "has no code; at least one is needed", "コードがありません")
        if len(given) > MOST_CODES:
            self.fault(row, "choices", len(given), "has more than {n} codes", "コードが{n}を超えています", n=MOST_CODES)
        whole = all(_WHOLE.fullmatch(str(choice.get("code"))) for choice in given)
        for choice in given[:MOST_CODES]:
            is_none = self.is_new and choice.get("code") is None
            code = "" if is_none else str(choice.get("code", "")).strip()
            if not (_CODE.fullmatch(code) or _WHOLE.fullmatch(code)):
                self.fault(
                    row, "choices", code,
                    "“{v}” is no code; up to 20 letters, digits, “_”, “.” or “-” would fit",
                    "「{v}」はコードに使えません（英数字・「_」「.」「-」の20文字以内）",
                )  # fmt: skip
            elif code in choices:
                self.fault(
                    row, "choices", code,
                    "uses the code {v} twice; “{f}” is free", "コード{v}が重複しています（「{f}」は未使用）",
                    f=_free_code(choices, whole),
                )  # fmt: skip
            else:
                choices[code] = Choice(int(code) if whole else code, _label(choice.get("label"), code))
        return tuple(choices.values())

    def _range(self, row: Any, raw: Any, kind: str) -> tuple[None, None] | list[int | Decimal | None]:
        if kind not in ("whole", "decimal"):
            for column in ("minimum", "maximum"):
                if raw.get(column) not in (None, ""):
                    self.fault(
                        row, column, raw[column], "has no meaning for this kind; leave it empty",
                        "この種類では使いません（空欄にしてください）",
                    )  # fmt: skip
            return None, None
        limits: list[Any] = [self._limit(row, raw, column, kind) for column in ("minimum", "maximum")]
        if None not in limits and limits[0] > limits[1]:
            self.fault(
                row, "minimum", limits[0], "is above the maximum {m}; {m} to {v} would fit",
                "最大値{m}を超えています（{m}から{v}まで）", m=limits[1],
            )  # fmt: skip
        return limits

    def _limit(self, row: Any, raw: Any, column: Any, kind: str) -> int | Decimal | None:
        value = raw.get(column)
        if value in (None, ""):
            return None
        try:
            if self.is_new and not _NUMBER.fullmatch(str(value).strip()):
                raise ValueError
            number = Decimal(str(value))
            if not number.is_finite() or abs(number) >= 10**12:
                raise ValueError
            if kind == "whole" and (number != number.to_integral_value() or abs(number) > 2**31 - 2):
                raise ValueError
        except (InvalidOperation, ValueError):
            en = "must be a whole number" if kind == "whole" else "must be a number"
            self.fault(row, column, value, f"{en}; got “{{v}}”", "数値を入力してください（入力値「{v}」）")
            return None
        return int(number) if number == number.to_integral_value() else number

    def _is_whole(self, value: Any) -> bool:
        if isinstance(value, bool):
            return not self.is_new
        return str(value).isdecimal() and len(str(value)) < 100

    def _places(self, row: Any, raw: Any, kind: str, default: Any) -> Any:
        value = raw.get("places")
        value = default if value in (None, "") else value
        if not self._is_whole(value) or not 0 <= int(str(int(value))[:9]) <= 6:
            self.fault(row, "places", value, "must be 0 to 6", "0から6までとしてください")
            return default
        return int(value)

    def _max_length(self, row: Any, raw: Any) -> int:
        value = raw.get("max_length")
        value = 200 if value in (None, "") else value
        if not self._is_whole(value) or not 1 <= int(str(int(value))[:9]) <= 5000:
            self.fault(row, "max_length", value, "must be 1 to 5000", "1から5000までとしてください")
            return 200
        return int(value)

    # Expressions

    @cached_property
    def scope(self) -> Any:
        """Items that an expression may name: the form's own before those of the patient."""
        return self.known | {name: item for name, (_, item) in self.items.items()}

    def _compiled(self, row: Any, column: Any, text: str, wanted: Any, scope: Any = None) -> Typed | None:
        try:
            if scope is None:
                expression = compiled_over(text, self.scope, self.trees, wanted)
            else:
                expression = compiled(text, scope, wanted)
        except InvalidExpression as error:
            if scope is None and any(self.trees.get(name, 1) is None for name in _names(text)):
                return None  # what it names has a fault of its own
            reason = Label("character {column}: {reason}", "{column}文字目：{reason}").format(
                column=error.column, reason=error.reason
            )
            self.faults.append(Fault(row, column, text[:80], reason))
            return None
        if len(sql.expression(expression.tree, lambda name: f't."{name}"')) > LONGEST_SQL:
            self.fault(row, column, text, "is too complicated", "複雑すぎます")
            return None
        return expression

    def _with_expressions(self, row: Any, item: Any) -> Any:
        for column in ("show_if", "required_if"):
            text = getattr(item, column)
            if text:
                if item.name in _names(text):
                    self.fault(row, column, text, "asks about the item itself", "項目自身を参照しています")
                self._compiled(row, column, text, "boolean")
        return item

    def _check(self, number: Any, raw: Any) -> Check | None:
        row, name = number, str(raw.get("name") or f"check_{number}")
        if not _label(raw.get("says")).en:
            self.fault(row, "checks", name, "says nothing; a sentence for the reader is needed", "説明文がありません")
        expression = self._compiled(row, "checks", str(raw.get("when") or ""), "boolean")
        return Check(name, raw["when"], expression.tree, _label(raw["says"])) if expression else None

    # What is asked of new documents alone: one that was published before it was asked goes on

    def _later(self, items: Any) -> None:
        self._circles()
        self._checks_by_name()
        for row, raw in enumerate(self.document.get("items") or () if self.items else (), start=1):
            if isinstance(raw, Mapping) and not isinstance(raw.get("required", True), bool):
                self.fault(row, "required", raw["required"], "must be true or false", "trueまたはfalseとしてください")
        for name, (row, item) in self.items.items():
            if item.kind == "codes":
                self._boxes(row, name, item)

    def _boxes(self, row: int, name: str, item: Item) -> None:
        """Several codes, each of which files of others give a column: small letters, and “_” for every sign."""
        boxes: dict[str, Any] = {}
        for choice in item.choices:
            other = boxes.setdefault(re.sub(r"[^a-z0-9_]", "_", str(choice.code).lower()), choice.code)
            if other != choice.code:
                self.fault(
                    row, "choices", choice.code,
                    "differs from the code {c} only in case or signs, and files have one column for both",
                    "コード{c}と大文字・小文字または記号しか違わず、ファイルで同じ列になります", c=other,
                )  # fmt: skip

    def _checks_by_name(self) -> None:
        given = self.document.get("checks") or []
        if not isinstance(given, (list, tuple)) or len(_mappings(given)) != len(given):
            self.fault(0, "checks", given, "must be a list of checks", "確認ルールの一覧としてください")
            return
        rows: dict[str, int] = {}
        for row, raw in enumerate(given, start=1):
            name = str(raw.get("name") or f"check_{row}")
            if not _CHECK.fullmatch(name):
                self.fault(
                    row, "checks", name, "must be up to 40 letters, digits, “_” or “-”; “{f}” would fit",
                    "40文字以内の英数字・「_」「-」としてください（例：「{f}」）", f=f"check_{row}",
                )  # fmt: skip
            elif rows.setdefault(name, row) != row:
                self.fault(
                    row, "checks", name, "is the name of check {r} too; “{f}” would fit",
                    "{r}番目の確認ルールと同じ名前です（例：「{f}」）", r=rows[name], f=f"{name[:36]}_{row}",
                )  # fmt: skip

    def _circles(self) -> None:
        """Items that are shown by answers that are given only where they are shown themselves, by calculations too."""
        shown_by = {name: self._asked_by(item.show_if) for name, (_, item) in self.items.items() if item.show_if}
        names_told: set[str] = set()
        for name in shown_by:
            if name not in names_told and (circle := _circle(name, shown_by)):
                names_told |= set(circle)
                row, item = self.items[name]
                if item.name not in _names(item.show_if):  # that is told already
                    self.fault(
                        row, "show_if", item.show_if,
                        "is circular: {c}; what shows an item may not hang on that item",
                        "循環しています：{c}", c=" → ".join(circle),
                    )  # fmt: skip

    def _asked_by(self, text: str) -> set[str]:
        """The items that an expression hangs on; none where it has a fault of its own."""
        try:
            return set(items_in(compiled_over(text, self.scope, self.trees).tree))
        except InvalidExpression:
            return set()

    def _calculations(self) -> tuple[Calculated, ...]:
        """The calculated values, each with the calculations that it names put in their place."""
        trees: dict[str, Typed | None] = self.trees
        states: dict[str, str] = {}
        for name in self.calculated:
            self._calculation(name, trees, states, [])
        return tuple(
            self._derived(name, row, raw, trees[name])
            for name, (row, raw) in self.calculated.items()
            if trees.get(name)
        )

    def _calculation(self, name: Any, trees: Any, states: Any, path: Any) -> None:
        """Fill `trees[name]` (Typed, or None where there is a fault)."""
        row, raw = self.calculated[name]
        if states.get(name) == "open":
            circle = " → ".join([*path[path.index(name) :], name])
            self.fault(
                row, "formula", raw.get("formula"),
                "is circular: {c}; a calculation may name only what does not depend on it",
                "循環しています：{c}", c=circle,
            )  # fmt: skip
            trees[name] = None
            return
        if name in states:
            return
        states[name] = "open"
        text = str(raw.get("formula") or "")
        used = sorted(name for name in _names(text) if name in self.calculated)
        for other in used:
            self._calculation(other, trees, states, [*path, name])
        states[name] = "done"
        if name in trees:  # circular
            return
        if any(trees.get(other) is None for other in used):
            trees[name] = None
            return
        scope = self.scope | {other: _stand_in(other, trees[other]) for other in used}
        if not text:
            self.fault(row, "formula", "", "must not be empty", "空欄にできません")
        expression = self._compiled(row, "formula", text, "", scope) if text else None
        trees[name] = expression and replace(expression, tree=_put(expression.tree, trees))
        if trees[name] and len(sql.expression(trees[name].tree, lambda name: name)) > LONGEST_SQL:
            self.fault(row, "formula", text, "is too complicated", "複雑すぎます")
            trees[name] = None

    def _derived(self, name: Any, row: Any, raw: Any, typed: Any) -> Calculated:
        kind = {"null": "text", "time": "number"}.get(typed.type, typed.type)
        show_if = str(raw.get("show_if") or "").strip()
        tree = typed.tree
        if show_if and (condition := self._compiled(row, "show_if", show_if, "boolean")):
            tree = ("if", condition.tree, tree, ("null",))
        return Calculated(
            name=name,
            label=_label(raw.get("label"), name),
            items=tuple(sorted(items_in(tree))),
            formula=str(raw["formula"]),
            tree=tree,
            kind=kind,
            places=self._places(row, raw, "calculated", 2),
            unit=str(raw.get("unit") or "")[:30],
            section=_label(raw["section"]) if raw.get("section") else None,
            show_if=show_if,
        )


def _circle(name: str, shown_by: Mapping[str, set[str]]) -> list[str]:
    """The way from a name back to itself; empty where there is none."""
    ways = [[name]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for other in sorted(shown_by.get(way[-1], ())):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _names(text: str) -> frozenset[str] | frozenset:
    try:
        return names(text) if text else frozenset()
    except InvalidExpression:
        return frozenset()


def _stand_in(name: Any, typed: Typed) -> Item:
    """An item of the type of a calculation, for what names it."""
    kind = {"number": "decimal", "boolean": "integer", "null": "text"}.get(typed.type, typed.type)
    return Item(name=name, label=Label(name, name), kind=kind)


def _put(tree: Any, trees: Any) -> Any:
    """The tree with each calculation that it names in the place of its name."""
    if tree[0] == "item" and tree[1] in trees and trees[tree[1]]:
        typed = trees[tree[1]]
        return ("if", typed.tree, ("number", 1.0), ("number", 0.0)) if typed.type == "boolean" else typed.tree
    return tuple(_put(node, trees) if isinstance(node, tuple) else node for node in tree)


def compiled_over(text: str, items: Any, trees: Any, wanted: str = "") -> Typed:
    """The Typed of an expression that may name calculations beside items. `trees`: their names to Typed."""
    known = {name: typed for name, typed in trees.items() if typed}
    expression = compiled(text, dict(items) | {name: _stand_in(name, typed) for name, typed in known.items()}, wanted)
    return replace(expression, tree=_put(expression.tree, known))


def _free_code(codes: Any, whole: Any) -> str:
    numbers = [int(code) for code in codes if _WHOLE.fullmatch(code)]
    return str(max(numbers, default=0) + 1) if whole else f"{next(reversed(codes))}2"


# What is asked


def items_of(document: Mapping) -> tuple:
    """The stored items of a document as far as they can be read: what expressions of other forms may name."""
    bare = [
        {key: value for key, value in item.items() if key not in ("show_if", "required_if")}
        for item in document["items"]
        if item.get("kind") != "calculated"
    ]
    reading = read({**document, "items": bare, "checks": []})
    return reading.instrument.items if reading.instrument else ()


def expressions_of(instruments: Iterable[Instrument], known: Mapping[str, Item] | None = None) -> dict[str, dict]:
    """Item name to its typed trees, {"show_if": tree, "required_if": tree}, of items that have any."""
    expressions = {}
    for instrument in instruments:
        scope = dict(known or {}) | {item.name: item for item in instrument.items}
        kinds = {"boolean": "boolean", "date": "date", "text": "text"}
        calculated = {
            derived.name: Typed(derived.tree, kinds.get(derived.kind, "number"))
            for derived in instrument.derived
            if isinstance(derived, Calculated)
        }
        for item in instrument.items:
            trees = {
                column: compiled_over(getattr(item, column), scope, calculated, "boolean").tree
                for column in ("show_if", "required_if")
                if getattr(item, column)
            }
            if trees:
                expressions[item.name] = trees
    return expressions
