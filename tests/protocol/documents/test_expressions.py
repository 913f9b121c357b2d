"""The expression language: one tree, and the same answer in Python, in PostgreSQL and in the browser's JavaScript."""

# ruff: noqa: E501 - a table of cases reads best with one case a line

import json
import math
import random
import shutil
import subprocess
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache

import pytest
from django.db import connection

from registry.instruments.base import Choice, Item, Label
from registry.protocol import sql
from registry.protocol.evaluate import value
from registry.protocol.expressions import InvalidExpression, compiled, names, renamed
from tests.working import ROOT

SCRIPT = ROOT / "static" / "expressions.js"
TODAY = date(2026, 5, 31)


def _label(text):
    return Label(text, text)


def _codes(*codes):
    return tuple(Choice(code, _label(str(code))) for code in codes)


ITEMS = {
    item.name: item
    for item in (
        Item(name="a", label=_label("a"), minimum=-100, maximum=100),
        Item(name="b", label=_label("b"), kind="decimal", places=2, minimum=-50, maximum=50),
        Item(name="c", label=_label("c"), choices=_codes(0, 1, 2)),
        Item(name="s", label=_label("s"), kind="code", choices=_codes("male", "female")),
        Item(name="t", label=_label("t"), kind="text"),
        Item(name="m", label=_label("m"), kind="codes", choices=_codes("1", "2", "x")),
        Item(name="d", label=_label("d"), kind="date"),
        Item(name="e", label=_label("e"), kind="date"),
        Item(name="w", label=_label("w"), kind="time"),
    )
}


def run(text, wanted="", **answers):
    return value(compiled(text, ITEMS, wanted).tree, answers, TODAY)


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("[a] = 3", {"a": 3}, True),
        ("[a] = '3'", {"a": 3}, True),
        ("[a] > 3", {}, False),
        ("[a] < 3", {}, False),
        ("[a] = ''", {}, True),
        ('[a] <> ""', {"a": 0}, True),
        ("[a] > ''", {"a": 0}, True),
        ("[s] = 'male' and [a] = 1", {"s": "male", "a": 1}, True),
        ("[s] = 'male' AND NOT ([a] = 1 or [c] = 2)", {"s": "male", "a": 5, "c": 1}, True),
        ("[s] == 'male' && [a] != 1 || [c] <> 2", {"c": 2}, False),
        ("[m(1)] = '1' or [m(x)] = 1", {"m": ("2", "x")}, True),
        ("[m(2)]", {"m": ("1",)}, None),
        ("[m] = ''", {"m": ()}, True),
        ("0.1 + 0.2 = 0.3", {}, True),
        ("[a] + [b]", {"a": 1}, None),
        ("sum([a], [b])", {"a": 1}, 1.0),
        ("sum([a], [b])", {}, None),
        ("mean([a], [b], 4)", {"a": 2}, 3.0),
        ("median([a], [b], 4)", {"a": 2, "b": Decimal("3.50")}, 3.5),
        ("[a] / [b]", {"a": 1, "b": Decimal("0.00")}, None),
        ("round([a] / 3, 2)", {"a": 2}, 0.67),
        ("round(-2.5)", {}, -3.0),
        ("rounddown([b])", {"b": Decimal("-2.75")}, -2.0),
        ("roundup([b], 1)", {"b": Decimal("2.71")}, 2.8),
        ("2 ^ 3 ^ 2", {}, 512.0),
        ("round(([a])/(([b])^(2)),1)", {"a": 70, "b": Decimal("1.75")}, 22.9),
        ("-[a]^2", {"a": 3}, -9.0),
        ("if([c] = 1, 'yes', 'no')", {"c": 1}, "yes"),
        ("if([c] = 1, [a], '')", {"c": 0, "a": 4}, None),
        ("datediff([d], [e], 'd')", {"d": date(2026, 3, 1), "e": date(2026, 2, 27)}, 2.0),
        ("datediff([d], [e], 'd', 'ymd', true)", {"d": date(2026, 3, 1), "e": date(2026, 2, 27)}, -2.0),
        ("rounddown(datediff('today', [d], 'y', 'ymd'), 1)", {"d": date(2000, 6, 1)}, 25.9),
        ("[d] < '2026-01-01'", {"d": date(2025, 12, 31)}, True),
        ("[d] + 30 = '2026-01-30'", {"d": date(2025, 12, 31)}, True),
        ("[w] >= '12:30'", {"w": time(12, 29)}, False),
        ("year([d]) * 100 + month([d])", {"d": date(2025, 12, 31)}, 202512.0),
        ("contains([t], 'RIB') and not_contain([t], 'x')", {"t": "left rib"}, True),
        ("starts_with([t], 'le') and ends_with([t], 'ib') and length([t]) = 8", {"t": "left rib"}, True),
        ("isblankormissingcode([t])", {"t": ""}, True),
        ("3+4", {}, 7.0),
    ],
)
def test_values(text, answers, expected):
    if text == "[m(2)]":
        assert run(text, "boolean", **answers) is False
    else:
        assert run(text, **answers) == expected


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("[a] = ", 7, "ends too early"),
        ("([a] = 1", 9, "ends too early"),
        ("[a] = = 1", 7, "“=” does not fit here"),
        ("[a] § 1", 5, "does not fit here"),
        ("[aa] = 1", 1, "there is no item “aa”; did you mean “a”?"),
        ("1 = [c] + [zz]", 11, "there is no item “zz”"),
        ("[c] = 3", 1, "3 is no code of “c”; 0, 1, 2 would fit"),
        ("[m(9)] = 1", 1, "9 is no code of “m”; 1, 2, x would fit"),
        ("[m] = 1", 1, "[item(code)]"),
        ("[a(1)] = 1", 1, "takes one answer; [a] would fit"),
        ("[s] > 'male'", 1, "no order"),
        ("[d] > 'yesterday'", 1, "a date is compared with a text"),
        ("summ([a])", 1, "there is no function “summ”; “sum” would fit"),
        ("datediff([d], [e])", 1, "takes 3–5 values; got 2"),
        ("datediff([d], [e], 'q')", 1, "'y', 'M', 'd'"),
        ("round([a], [b])", 1, "whole number from 0 to 9"),
        ("[a] ^ [b]", 1, "exponent"),
        ("([b]^10)^10^2", 1, "exponent"),
        ("((((([b]^9)^9)^9)^9)^9)", 1, "grow beyond"),
        ("[visit_1][a] = 1", 1, "another visit"),
        ("[t] + 1", 1, "cannot be computed with"),
        ("(" * 100 + "1" + ")" * 100 + "+" * 0, 1, None),
        ("not " * 80 + "[a]", 1, "nested more than"),
        ("1" * 5000, 1, "longer than"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, column, says):
    if says is None:
        assert run(text) == 1.0
        return
    with pytest.raises(InvalidExpression) as caught:
        compiled(text, ITEMS)
    assert says in caught.value.reason.en
    assert caught.value.reason.ja
    assert caught.value.column >= column if column > 1 else caught.value.column >= 1


def test_names_and_renaming():
    assert names("[a] = 1 or [m(2)] = 1 or [t] = '[a]'") == {"a", "m", "t"}
    assert renamed("[a] = 1 or [m(2)] = 1", {"a": "aa", "m": "mm"}) == "[aa] = 1 or [mm(2)] = 1"


# The same in three places

COLUMNS = {"a": "smallint", "b": "numeric(5,2)", "c": "smallint", "s": "varchar(6)", "t": "varchar(200)", "m": "text",
           "d": "date", "e": "date", "w": "time"}  # fmt: skip


class Random:
    """Random well-typed expressions and answers."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def number(self, depth):
        pick = self.dice.choice
        if depth <= 0:
            return pick(["[a]", "[b]", "[c]", "0", "1", "2.5", "0.1", "[m(1)]", "100", "month([d])", "([d] - [e])"])
        n = lambda: self.number(depth - 1)  # noqa: E731 - read in place
        return pick(
            [
                lambda: f"({n()} {pick('+-*/')} {n()})",
                lambda: f"({n()} {pick('+-*/')} {n()})",
                lambda: f"-({n()})",
                lambda: f"({n()})^{pick(['2', '3', '0.5', '(-1)', '(1/3)'])}",
                lambda: f"{pick(['sum', 'mean', 'min', 'max', 'median'])}({n()}, {n()}, {n()})",
                lambda: f"stdev({n()}, {n()})",
                lambda: f"{pick(['round', 'roundup', 'rounddown'])}({n()}, {pick('0123')})",
                lambda: f"{pick(['abs', 'sqrt', 'log'])}({n()})",
                lambda: f"if({self.truth(depth - 1)}, {n()}, {pick([n(), chr(39) * 2])})",
                lambda: (
                    f"datediff([d], {pick(['[e]', chr(39) + 'today' + chr(39)])}, '{pick('yMdhm')}', {pick(['true', 'false'])})"
                ),
                lambda: "length([t])",
            ]
        )()

    def truth(self, depth):
        pick = self.dice.choice
        if depth <= 0:
            return pick(
                ["[s] = 'male'", "[a] = ''", "[d] <= [e]", "[w] > '08:15'", "[t] <> ''", "contains([t], 'é')", "[c] = 1",
                 "[s] <> 'female'", "[m(x)] = 1", "[m] = ''", "starts_with([t], \"o'\")", "true", "[d] = '2024-02-29'"]
            )  # fmt: skip
        t, n = (lambda: self.truth(depth - 1)), (lambda: self.number(depth - 1))
        return pick(
            [
                lambda: f"({t()} and {t()})",
                lambda: f"({t()} or {t()})",
                lambda: f"not ({t()})",
                lambda: f"({n()} {pick(['=', '<>', '<', '<=', '>', '>='])} {n()})",
            ]
        )()

    def answers(self):
        pick, chance = self.dice.choice, self.dice.random

        def day():
            return pick([date(2024, 2, 29), date(1969, 7, 20), date(2000, 1, 1) + timedelta(self.dice.randrange(9999))])

        full = {
            "a": self.dice.randrange(-100, 101), "b": Decimal(self.dice.randrange(-5000, 5001)) / 100,
            "c": pick([0, 1, 2]), "s": pick(["male", "female"]),
            "t": pick(["left rib", "O'Brien", "é", "肋骨", "100%", "a\\b", "😀x"]),
            "m": tuple(answer for answer in ("1", "2", "x") if chance() < 0.5),
            "d": day(), "e": day(), "w": time(self.dice.randrange(24), self.dice.randrange(60)),
        }  # fmt: skip
        return {name: answer for name, answer in full.items() if chance() < 0.75 and answer != ()}


@cache
def cases(number=900, seed=20260531):
    """(Text, tree, answers) of so many expressions; made when first asked for, not by whoever collects the tests."""
    dice = Random(seed)
    rows = []
    while len(rows) < number:
        text = dice.truth(3) if len(rows) % 3 == 0 else dice.number(3)
        try:
            tree = compiled(text, ITEMS).tree
        except InvalidExpression as error:
            assert "grow beyond" in error.reason.en or "is no code of" in error.reason.en, (text, error)
            continue
        rows.append((text, tree, dice.answers()))
    return rows


def _same(left, right):
    if isinstance(left, float) and isinstance(right, (int, float)) and not isinstance(right, bool):
        return math.isclose(left, float(right), rel_tol=1e-9, abs_tol=1e-9)
    return left == right and type(left) is type(right)


@pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node, which runs the browser's script without a browser"
)
def test_javascript_gives_the_same_answers():
    plain = [
        [tree, {name: list(raw) if isinstance(raw, tuple) else str(raw) for name, raw in answers.items()}]
        for _, tree, answers in cases()
    ]
    program = (
        f"const e = require({json.dumps(str(SCRIPT))});"
        "const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"console.log(JSON.stringify(cases.map(([t, a]) => e.value(t, a, {json.dumps(TODAY.isoformat())}))));"
    )
    done = subprocess.run(["node", "-e", program], input=json.dumps(plain), capture_output=True, text=True, check=True)
    for (text, tree, answers), got in zip(cases(), json.loads(done.stdout), strict=True):
        assert _same(value(tree, answers, TODAY), got), (text, answers, value(tree, answers, TODAY), got)


@pytest.mark.django_db
def test_postgresql_gives_the_same_answers():
    def literal(name, raw):
        if raw is None:
            return f"NULL::{COLUMNS[name]}"
        text = ";".join(raw) if isinstance(raw, tuple) else str(raw)
        return f"{sql.quoted(text)}::{COLUMNS[name]}"

    with connection.cursor() as cursor:
        for start in range(0, len(cases()), 50):
            block = cases()[start : start + 50]
            selects = [
                sql.expression(tree, lambda name, answers=answers: literal(name, answers.get(name)), f"DATE '{TODAY}'")
                for _, tree, answers in block
            ]
            cursor.execute("SELECT " + ", ".join(selects).replace("%", "%%"), [])
            for (text, tree, answers), got in zip(block, cursor.fetchone(), strict=True):
                assert _same(value(tree, answers, TODAY), got), (text, answers, value(tree, answers, TODAY), got)
