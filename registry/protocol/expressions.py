"""Expression language of show-if, required-if, calculations and checks: REDCap's logic as its surface, one typed tree.

`parse` reads the text with `expressions.lark`; `compiled` gives it types, so that Python (`evaluate`), PostgreSQL
(`sql`) and the browser (static/expressions.js) compute the same from the same tree. A tree is nested tuples that begin
with the name of their operation, and nothing else: it is stored and sent as JSON.

What holds for all three:
- a number is IEEE double, a date its days since 1970-01-01, a time its minutes since midnight; an empty item is null;
- `=` and `<>` treat null as a value (`[x] = ''` asks whether x is empty); an order with null is false;
- arithmetic with null is null, and so is a division by less than 1e-9; `sum`, `mean`, `min`, `max`, `median` and
  `stdev` pass over nulls and are null where nothing is left;
- computed numbers are compared after rounding to nine decimals (`snap`), so that 0.1 + 0.2 = 0.3;
- nothing overflows: `compiled` refuses what could grow beyond 1e300.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from registry.instruments.base import Item, Label

LONGEST = 4000  # characters of an expression
DEEPEST = 60  # levels of its tree
LARGEST = 1e300
EPOCH = date(1970, 1, 1)
UNITS = {"y": 365.2425, "M": 30.44, "d": 1.0, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86400}  # days in each


class InvalidExpression(ValueError):
    """An expression that cannot be used. `column` (from 1) is where, `reason` why and what would fit."""

    def __init__(self, reason: Label, column: int = 1) -> None:
        super().__init__(f"character {column}: {reason.en}")
        self.reason, self.column = reason, column


@dataclass(frozen=True)
class Typed:
    """A typed tree, its type (number, text, date, time, boolean, null) and the largest magnitude it can have."""

    tree: tuple
    type: str
    bound: float = 0.0


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(Path(__file__).with_name("expressions.lark").read_text(), parser="lalr", propagate_positions=True)


def _fail(en: str, ja: str, at: Any = None, **values: Any) -> NoReturn:
    raise InvalidExpression(Label(en, ja).format(**values), getattr(at, "column", None) or 1)


@lru_cache(maxsize=2048)
def parse(text: str) -> Any:
    """The syntax tree (lark's) of an expression. Raises InvalidExpression."""
    if len(text) > LONGEST:
        _fail("is longer than {n} characters", "{n}文字を超えています", n=LONGEST)
    try:
        tree = _parser().parse(_one_line(text))
    except UnexpectedInput as error:
        raise _syntax(text, error) from None
    _refuse_depth(tree)
    return tree


def _refuse_depth(tree: Tree) -> None:
    """Refuse, level by level, what those who walk a tree by calling themselves could not come to the end of."""
    level, depth = [tree], 0
    while level := [child for node in level for child in node.children if isinstance(child, Tree)]:
        depth += 1
        if depth > DEEPEST:
            _fail("is nested more than {n} deep", "入れ子が{n}段を超えています", n=DEEPEST)


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\t]", " ", text)


def _syntax(text: str, error: Any) -> InvalidExpression:
    column = error.column if error.column and error.column > 0 else len(text) + 1
    token = getattr(error, "token", None)
    rest = str(token) if token else text[column - 1 : column + 11]
    if not rest.strip() or (token is not None and token.type == "$END"):
        column = len(text) + 1
        reason = Label("ends too early: a value or “)” is missing", "途中で終わっています（値または「)」が必要です）")
    else:
        reason = Label(
            "“{v}” does not fit here; [item], [item(code)], a number, a text in quotes, an operator or a "
            "function would",
            "「{v}」はここに書けません（[項目]、[項目(コード)]、数値、引用符で囲んだ文字、演算子、関数のいずれか）",
        ).format(v=rest[:20])
    return InvalidExpression(reason, column)


def names(text: str) -> frozenset[str]:
    """Names of the items that an expression uses. Raises InvalidExpression."""
    mentioned = (
        {_name(token) for token in parse(text).scan_values(lambda token: token.type == "ITEM")} if text else set()
    )
    return frozenset(mentioned)


def _name(token: Any) -> str:
    return str(token).removeprefix("[").strip()


def renamed(text: str, new: Mapping[str, str]) -> str:
    """The expression with items under their `new` names; text that is not an item stays as it is."""

    def change(match: Any) -> str:
        return f"[{new.get(match[1].lower(), match[1])}{match[2]}"

    return re.sub(r"\[\s*([A-Za-z][A-Za-z0-9_-]*)(\s*[\](])", change, text)


def compiled(text: str, items: Mapping[str, Item], wanted: str = "") -> Typed:
    """The typed tree of an expression over `items` (name to Item). `wanted` is the type it must have.

    A wanted `boolean` takes a number too: anything but 0 and null is true. Raises InvalidExpression.
    """
    tree = parse(text)
    expression = _Compiler(items, _one_line(text)).typed(tree)
    if wanted == "boolean":
        return Typed(_truth(expression), "boolean")
    if wanted and expression.type not in (wanted, "null"):
        if (wanted, expression.type) == ("number", "boolean"):
            return Typed(("if", expression.tree, ("number", 1.0), ("number", 0.0)), "number", 1.0)
        _fail("is a {t}; a {w} would fit", "{t}型です（{w}型が必要です）", t=expression.type, w=wanted)
    return expression


def _truth(typed: Any) -> Any:
    if typed.type == "boolean":
        return typed.tree
    if typed.type == "null":
        return ("boolean", False)
    if typed.type == "number":
        return ("and", ("not", ("blank", typed.tree)), ("not", ("eq", typed.tree, ("number", 0.0))))
    return ("not", ("blank", typed.tree))


ARITHMETIC = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
COMPUTED = frozenset(
    [*ARITHMETIC.values(), "^", "negative", "sum", "mean", "stdev", "median", "sqrt", "log", "datediff"]
)
ORDERS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def _snapped(typed: Any) -> Any:
    if typed.type == "number" and typed.tree[0] in COMPUTED | {"if", "min", "max", "abs"}:
        return ("snap", typed.tree)
    return typed.tree


class _Compiler:
    """Types for one expression; positions are those of `text`."""

    def __init__(self, items: Any, text: str) -> None:
        self.items, self.text = items, text

    def typed(self, node: Any) -> Any:
        if isinstance(node, Token):  # pragma: no cover - the grammar names each of its atoms
            _fail("cannot be read: “{v}”", "読み取れません：「{v}」", node, v=node)
        children = [child if isinstance(child, Token) else self.typed(child) for child in node.children]
        kind = str(node.data)
        result = (
            getattr(self, f"_{kind}")(node, *children) if kind not in ARITHMETIC else self._sum(node, kind, *children)
        )
        if result.bound > LARGEST:
            _fail("could grow beyond what can be computed", "計算できる大きさを超える可能性があります", node.meta)
        return result

    # Values

    def _number(self, node: Any, token: Any) -> Typed:
        value = float(token)
        if value > 1e15:
            _fail("is too large a number: {v}", "数値が大きすぎます：{v}", token, v=token)
        return Typed(("number", value), "number", value)

    def _text(self, node: Any, token: Any) -> Typed:
        text = str(token)[1:-1]
        if not text:
            return Typed(("null",), "null")
        if text.lower() == "today":
            return Typed(("today",), "date")
        return Typed(("text", text), "text")

    def _true(self, node: Any) -> Typed:
        return Typed(("boolean", True), "boolean")

    def _false(self, node: Any) -> Typed:
        return Typed(("boolean", False), "boolean")

    def _elsewhere(self, node: Any, event: Any, *rest: Any) -> Any:
        _fail(
            "[{e}][{n}] is an item of another visit, which this language does not reach; an item of this form or of "
            "the patient would fit",
            "[{e}][{n}]は別の来院の項目で、使用できません（この調査票または患者の項目が必要です）",
            event,
            e=_name(event),
            n=_name(rest[0]),
        )

    def _item(self, node: Any, token: Any, tick: Any = None) -> Typed:
        name = _name(token)
        item = self.items.get(name)
        if item is None:
            near = closest(name, self.items)
            _fail(
                "there is no item “{n}”{m}",
                "項目「{n}」はありません{o}",
                token,
                n=name,
                m=f"; did you mean “{near}”?" if near else "",
                o=f"（「{near}」ではありませんか）" if near else "",
            )
        if item.kind in ("codes", "levels"):
            return self._ticked(item, token, tick)
        if tick is not None:
            _fail(
                "“{n}” takes one answer; [{n}] would fit", "「{n}」は単一回答です（[{n}]としてください）", token, n=name
            )
        kind = TYPES[item.kind]
        return Typed(("item", name, kind), kind, _largest(item))

    def _ticked(self, item: Any, token: Any, tick: Any) -> Typed:
        if tick is None:
            return Typed(("any", item.name), "ticks")
        code = str(tick).strip("( )")
        known = [str(choice) for choice in item.codes]
        if code not in known:
            _fail(
                "{c} is no code of “{n}”; {k} would fit",
                "{c}は「{n}」のコードではありません（{k}のいずれか）",
                token,
                c=code,
                n=item.name,
                k=", ".join(known[:12]),
            )
        return Typed(("tick", item.name, code), "number", 1.0)

    # Logic

    def _conjunction(self, node: Any, *parts: Any) -> Typed:
        return Typed(("and", *map(self._asked, parts)), "boolean")

    def _disjunction(self, node: Any, *parts: Any) -> Typed:
        return Typed(("or", *map(self._asked, parts)), "boolean")

    def _not_(self, node: Any, part: Any) -> Typed:
        return Typed(("not", self._asked(part)), "boolean")

    def _asked(self, part: Any) -> Any:
        return _truth(part)

    def _comparison(self, node: Any, left: Any, sign: Any, right: Any) -> Typed:
        sign = {"==": "=", "!=": "<>"}.get(str(sign), str(sign))
        if "null" in (left.type, right.type) or "ticks" in (left.type, right.type):
            return self._against_nothing(node, left, sign, right)
        left, right = self._alike(node, left, right)
        if sign not in ORDERS:
            self._known_code(node, left, right)
        if sign in ORDERS:
            if left.type in ("text", "boolean"):
                _fail("texts have no order here; = or <> would fit", "文字には大小がありません（=または<>）", node.meta)
            return Typed((ORDERS[sign], _snapped(left), _snapped(right)), "boolean")
        equal = ("eq", _snapped(left), _snapped(right))
        return Typed(equal if sign == "=" else ("not", equal), "boolean")

    def _against_nothing(self, node: Any, left: Any, sign: Any, right: Any) -> Typed:
        other = right if left.type == "null" else left
        if "null" not in (left.type, right.type):
            _fail(
                "an item with several answers is asked by [item(code)]",
                "複数回答の項目は[項目(コード)]で参照してください",
                node.meta,
            )
        blank = ("not", other.tree) if other.type == "ticks" else ("blank", other.tree)
        if sign in ("=", "<="):
            return Typed(blank, "boolean")
        if sign == "<":
            return Typed(("boolean", False), "boolean")
        return Typed(("boolean", True) if sign == ">=" else ("not", blank), "boolean")

    def _alike(self, node: Any, left: Any, right: Any) -> tuple:
        """Both sides with one type: a literal takes the type of the other side."""
        if left.type == right.type:
            return left, right
        for side, other, swap in ((left, right, False), (right, left, True)):
            if (read := self._read_as(side.type, other)) is not None:
                return (read, side) if swap else (side, read)
        _fail(
            "a {a} is compared with a {b}; two of one type would fit",
            "{a}型と{b}型は比較できません",
            node.meta,
            a=left.type,
            b=right.type,
        )

    def _read_as(self, type_: Any, literal: Any) -> Typed | None:
        kind = literal.tree[0]
        if type_ == "number" and kind == "text" and _is_number(literal.tree[1]):
            return Typed(("number", float(literal.tree[1])), "number", abs(float(literal.tree[1])))
        if type_ == "number" and literal.type == "boolean":
            return Typed(("if", literal.tree, ("number", 1.0), ("number", 0.0)), "number", 1.0)
        if type_ == "text" and kind == "number":
            return Typed(("text", f"{literal.tree[1]:g}"), "text")
        if type_ == "date" and kind == "text" and (day := _day(literal.tree[1])) is not None:
            return Typed(("number", day), "date")
        if type_ == "time" and kind == "text" and (minutes := _minutes(literal.tree[1])) is not None:
            return Typed(("number", minutes), "time")
        return None

    def _known_code(self, node: Any, left: Any, right: Any) -> None:
        for side, other in ((left, right), (right, left)):
            if side.tree[0] != "item" or other.tree[0] not in ("number", "text"):
                continue
            item = self.items[side.tree[1]]
            value = other.tree[1]
            code = int(value) if isinstance(value, float) and value.is_integer() else value
            if item.choices and not item.further_codes and code not in item.codes:
                _fail(
                    "{c} is no code of “{n}”; {k} would fit",
                    "{c}は「{n}」のコードではありません（{k}のいずれか）",
                    node.meta,
                    c=code,
                    n=item.name,
                    k=", ".join(map(str, item.codes[:12])),
                )

    # Arithmetic

    def _as_number(self, node: Any, typed: Any) -> Any:
        if typed.type in ("number", "null"):
            return typed
        if (read := self._read_as("number", typed)) is not None:
            return read
        _fail(
            "a {t} cannot be computed with; a number would fit", "{t}型は計算できません（数値が必要です）", node.meta,
            t=typed.type,
        )  # fmt: skip

    def _sum(self, node: Any, kind: str, left: Any, right: Any) -> Typed:
        if {left.type, right.type} == {"date"} and kind == "subtract":
            return Typed(("-", left.tree, right.tree), "number", 1e7)
        if left.type == "date" and right.type == "number" and kind in ("add", "subtract"):
            return Typed((ARITHMETIC[kind], left.tree, ("round", right.tree, 0)), "date", 1e12)
        left, right = self._as_number(node, left), self._as_number(node, right)
        a, b = left.bound, right.bound
        bound = {"add": a + b, "subtract": a + b, "multiply": a * b, "divide": a * 1e9}[kind]
        return Typed((ARITHMETIC[kind], left.tree, right.tree), "number", bound)

    def _negative(self, node: Any, part: Any) -> Typed:
        part = self._as_number(node, part)
        if part.tree[0] == "number":
            return Typed(("number", -part.tree[1]), "number", part.bound)
        return Typed(("negative", part.tree), "number", part.bound)

    def _power(self, node: Any, base: Any, exponent: Any) -> Typed:
        base = self._as_number(node, base)
        value = _constant(exponent.tree)
        if value is None or abs(value) > 10:
            _fail("the exponent must be a number from -10 to 10", "指数は-10から10までの数値としてください", node.meta)
        largest = max(base.bound, 1.0) if value >= 0 else 1e9
        bound = math.exp(min(abs(value) * math.log(largest), 1000 * math.log(2)))
        return Typed(("^", base.tree, value), "number", bound)

    # Functions

    def _call(self, node: Any, token: Any, *given: Any) -> Any:
        name = FUNCTIONS.get(str(token).lower())
        if name is None:
            near = closest(str(token).lower(), FUNCTIONS)
            _fail(
                "there is no function “{n}”; {m} would fit",
                "関数「{n}」はありません（{m}）",
                token,
                n=token,
                m=f"“{near}”" if near else ", ".join(sorted(FUNCTIONS)),
            )
        special = getattr(self, f"_call_{name}", None)
        return special(token, *given) if special else self._plain(token, name, given)

    def _count(self, token: Any, given: Any, least: Any, most: Any) -> None:
        if not least <= len(given) <= most:
            wanted = str(least) if least == most else f"{least}–{most}"
            _fail("“{n}” takes {w} values; got {g}", "「{n}」の引数は{w}個です（{g}個あります）", token,
                  n=token, w=wanted, g=len(given))  # fmt: skip

    def _plain(self, token: Any, name: str, given: Any) -> Typed:
        """Functions of numbers that give a number: passing over nulls, or null where the number is."""
        several = name in ("sum", "mean", "min", "max", "median", "stdev")
        self._count(token, given, 1, 100 if several else 1)
        given = [self._as_number(_At(token), argument) for argument in given]
        largest = max((argument.bound for argument in given), default=0.0)
        if several and len(given) == 1 and given[0].type == "null":
            return Typed(("null",), "null")
        bound = (
            sum(argument.bound for argument in given) if name == "sum" else 2 * largest if name == "stdev" else largest
        )
        return Typed(
            (name, *(argument.tree for argument in given)), "number", max(bound, 800.0 if name == "log" else 0.0)
        )

    def _rounding(self, name: str, token: Any, given: Any) -> Typed:
        self._count(token, given, 1, 2)
        places = 0.0 if len(given) == 1 else _constant(given[1].tree)
        if places is None or places not in range(10):
            _fail("decimals must be a whole number from 0 to 9", "小数点以下の桁数は0から9の整数としてください", token)
        part = self._as_number(_At(token), given[0])
        return Typed((name, part.tree, int(places)), "number", part.bound + 1)

    def _call_round(self, token: Any, *given: Any) -> Typed:
        return self._rounding("round", token, given)

    def _call_roundup(self, token: Any, *given: Any) -> Typed:
        return self._rounding("roundup", token, given)

    def _call_rounddown(self, token: Any, *given: Any) -> Typed:
        return self._rounding("rounddown", token, given)

    def _call_if(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 3, 3)
        condition, yes, no = given
        if yes.type != no.type:
            if "null" in (yes.type, no.type):
                type_ = no.type if yes.type == "null" else yes.type
            else:
                yes, no = self._alike(_At(token), yes, no)
                type_ = yes.type
        else:
            type_ = yes.type
        return Typed(("if", _truth(condition), yes.tree, no.tree), type_, max(yes.bound, no.bound))

    def _call_datediff(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 3, 5)
        days = [self._as_date(token, argument) for argument in given[:2]]
        unit = given[2].tree[1] if given[2].tree[0] == "text" else ""
        if unit not in UNITS:
            _fail("the unit must be one of {u}", "単位は{u}のいずれかです", token, u=", ".join(f"'{u}'" for u in UNITS))
        signed = any(argument.tree == ("boolean", True) for argument in given[3:])
        return Typed(("datediff", days[0].tree, days[1].tree, UNITS[unit], signed), "number", 1e13)

    def _as_date(self, token: Any, typed: Any) -> Any:
        if typed.type in ("date", "null"):
            return typed
        if (read := self._read_as("date", typed)) is not None:
            return read
        _fail("a {t} is no date; an item with a date, 'today' or a text such as '2026-05-31' would fit",
              "{t}型は日付ではありません（日付の項目、'today'、'2026-05-31'のような文字）", token,
              t=typed.type)  # fmt: skip

    def _part_of_date(self, name: str, token: Any, given: Any) -> Typed:
        self._count(token, given, 1, 1)
        return Typed((name, self._as_date(token, given[0]).tree), "number", 1e4)

    def _call_year(self, token: Any, *given: Any) -> Typed:
        return self._part_of_date("year", token, given)

    def _call_month(self, token: Any, *given: Any) -> Typed:
        return self._part_of_date("month", token, given)

    def _call_day(self, token: Any, *given: Any) -> Typed:
        return self._part_of_date("day", token, given)

    def _call_today(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 0, 0)
        return Typed(("today",), "date")

    def _call_blank(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 1, 1)
        part = given[0]
        return Typed(("not", part.tree) if part.type == "ticks" else ("blank", part.tree), "boolean")

    def _call_isnumber(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 1, 1)
        return Typed(("not", ("blank", self._as_number(_At(token), given[0]).tree)), "boolean")

    def _text_test(self, name: str, token: Any, given: Any) -> Typed:
        self._count(token, given, 2, 2)
        if any(argument.type not in ("text", "null") for argument in given):
            _fail("“{n}” takes two texts", "「{n}」の引数は文字2個です", token, n=token)
        return Typed((name, given[0].tree, given[1].tree), "boolean")

    def _call_contains(self, token: Any, *given: Any) -> Typed:
        return self._text_test("contains", token, given)

    def _call_not_contain(self, token: Any, *given: Any) -> Typed:
        return Typed(("not", self._text_test("contains", token, given).tree), "boolean")

    def _call_starts_with(self, token: Any, *given: Any) -> Typed:
        return self._text_test("starts_with", token, given)

    def _call_ends_with(self, token: Any, *given: Any) -> Typed:
        return self._text_test("ends_with", token, given)

    def _call_length(self, token: Any, *given: Any) -> Typed:
        self._count(token, given, 1, 1)
        if given[0].type not in ("text", "null"):
            _fail("“{n}” takes a text", "「{n}」の引数は文字です", token, n=token)
        return Typed(("length", given[0].tree), "number", 1e6)


class _At:
    """Stands for a node where only a token with its position is at hand."""

    def __init__(self, token: Any) -> None:
        self.meta = token


FUNCTIONS = {
    name: name
    for name in (
        "sum", "mean", "min", "max", "median", "stdev", "abs", "sqrt", "log", "round", "roundup", "rounddown", "if",
        "datediff", "year", "month", "day", "today", "isnumber", "contains", "not_contain", "starts_with", "ends_with",
        "length",
    )
} | {"isblankormissingcode": "blank", "isblank": "blank", "avg": "mean", "average": "mean", "ln": "log"}  # fmt: skip

TYPES = {
    "integer": "number",
    "decimal": "number",
    "code": "text",
    "text": "text",
    "partial_date": "text",
    "date": "date",
    "time": "time",
}


def _largest(item: Any) -> float:
    if TYPES[item.kind] != "number":
        return 1e7
    limits = [abs(float(bound)) for bound in (item.minimum, item.maximum) if bound is not None]
    return max(limits) if len(limits) == 2 else 1e12


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", text))


def _constant(tree: Any) -> Any:
    """The value of a tree of numbers alone; None of any other."""
    if tree[0] == "number":
        return tree[1]
    if tree[0] == "/" and None not in (parts := [_constant(node) for node in tree[1:]]) and parts[1]:
        return parts[0] / parts[1]
    if tree[0] == "^" and (base := _constant(tree[1])) is not None and base > 0:
        return base ** tree[2]
    if tree[0] == "negative" and (value := _constant(tree[1])) is not None:
        return -value
    return None


def _day(text: str) -> float | None:
    try:
        return float((date.fromisoformat(text) - EPOCH).days) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def _minutes(text: str) -> float | None:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text)
    return float(int(match[1]) * 60 + int(match[2])) if match else None


def closest(name: str, known: Any) -> Any:
    """The known name most like `name`, or None."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def items_in(tree: Any) -> frozenset[str]:
    """Names of the items in a typed tree."""
    if tree[0] in ("item", "tick", "any"):
        return frozenset([tree[1]])
    return frozenset().union(*(items_in(node) for node in tree[1:] if isinstance(node, (tuple, list))))
