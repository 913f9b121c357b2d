"""Evaluation of a typed expression in Python: the reference for the browser's and PostgreSQL's (`expressions`)."""

import math
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from registry.protocol.expressions import EPOCH

SMALLEST = 1e-9  # a division by less is none


def value(tree: Any, answers: Mapping[str, Any], today: Any = None) -> Any:
    """The value of a typed tree: float, text, bool or None; a date is its days since 1970-01-01.

    answers  item name to clean value; what is not there is null
    """
    return _Run(answers, today or date.today()).value(tree)


def as_number(raw: Any) -> Any:
    """An answer as the language sees it: numbers as float, dates as days, times as minutes, text as it is."""
    if raw is None or raw == "":
        return None
    if isinstance(raw, date):
        return float((raw - EPOCH).days)
    if isinstance(raw, time):
        return float(raw.hour * 60 + raw.minute)
    return float(raw) if isinstance(raw, (int, float, Decimal)) else raw


def as_date(days: Any) -> Any:
    """The date of a number of days since 1970-01-01; None of None."""
    return None if days is None else EPOCH + timedelta(days=int(days))


def snap(number: Any) -> Any:
    """The number to nine decimals."""
    return None if number is None else math.floor(number * 1e9 + 0.5) / 1e9


def _ascii_lower(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


class _Run:
    def __init__(self, answers: Mapping[str, Any], today: Any) -> None:
        self.answers, self.today = answers, today

    def value(self, tree: Any) -> Any:
        name = tree[0]
        if name in _WITH_TREE:
            return _WITH_TREE[name](self, tree)
        values = [self.value(node) for node in tree[1:]]
        if name in _PASSING:
            known = [value for value in values if value is not None]
            return _PASSING[name](known) if known else None
        if name in _TOTAL:
            return _TOTAL[name](*values)
        return None if None in values else _STRICT[name](*values)

    def truth(self, tree: Any) -> bool:
        return self.value(tree) is True

    def rounded(self, tree: Any) -> float | None:
        number, scale = self.value(tree[1]), 10.0 ** tree[2]
        if number is None:
            return None
        size = abs(number) * scale
        whole = {
            "round": math.floor(size + 0.5),
            "roundup": math.ceil(size - SMALLEST),
            "rounddown": math.floor(size + SMALLEST),
        }[tree[0]]
        return math.copysign(whole / scale, number) if whole else 0.0

    def power(self, tree: Any) -> float | None:
        base, exponent = self.value(tree[1]), tree[2]
        if base is None or (exponent < 0 and abs(base) < SMALLEST) or (exponent % 1 and base < 0):
            return None
        return math.pow(base, exponent)

    def difference(self, tree: Any) -> Any:
        first, second = self.value(tree[1]), self.value(tree[2])
        if first is None or second is None:
            return None
        days = second - first
        return (days if tree[4] else abs(days)) / tree[3]

    def ticked(self, tree: Any) -> float:
        return 1.0 if tree[2] in [str(code) for code in self.answers.get(tree[1]) or ()] else 0.0


_WITH_TREE: dict[str, Callable[[_Run, tuple], Any]] = {
    "number": lambda run, tree: float(tree[1]),
    "text": lambda run, tree: tree[1],
    "boolean": lambda run, tree: tree[1],
    "null": lambda run, tree: None,
    "today": lambda run, tree: as_number(run.today),
    "item": lambda run, tree: as_number(run.answers.get(tree[1])),
    "tick": _Run.ticked,
    "any": lambda run, tree: bool(run.answers.get(tree[1])),
    "and": lambda run, tree: all(run.truth(node) for node in tree[1:]),
    "or": lambda run, tree: any(run.truth(node) for node in tree[1:]),
    "not": lambda run, tree: not run.truth(tree[1]),
    "blank": lambda run, tree: run.value(tree[1]) is None,
    "if": lambda run, tree: run.value(tree[2] if run.truth(tree[1]) else tree[3]),
    "^": _Run.power,
    "round": _Run.rounded,
    "roundup": _Run.rounded,
    "rounddown": _Run.rounded,
    "datediff": _Run.difference,
}


def _stdev(known: Any) -> float | None:
    if len(known) < 2:
        return None
    mean = _sum(known) / len(known)
    return math.sqrt(_sum([(value - mean) * (value - mean) for value in known]) / (len(known) - 1))


def _sum(known: Any) -> Any:
    total = 0.0
    for value in known:
        total += value
    return total


_PASSING: dict[str, Callable[[list], Any]] = {
    "sum": _sum,
    "mean": lambda known: _sum(known) / len(known),
    "min": min,
    "max": max,
    "median": median,
    "stdev": _stdev,
}
_TOTAL = {
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a is not None and b is not None and a < b,
    "le": lambda a, b: a is not None and b is not None and a <= b,
    "gt": lambda a, b: a is not None and b is not None and a > b,
    "ge": lambda a, b: a is not None and b is not None and a >= b,
    "contains": lambda a, b: a is not None and b is not None and _ascii_lower(b) in _ascii_lower(a),
    "starts_with": lambda a, b: a is not None and b is not None and _ascii_lower(a).startswith(_ascii_lower(b)),
    "ends_with": lambda a, b: a is not None and b is not None and _ascii_lower(a).endswith(_ascii_lower(b)),
}
_STRICT: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if abs(b) >= SMALLEST else None,
    "negative": lambda a: -a,
    "abs": abs,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else None,
    "log": lambda a: math.log(a) if a > 0 else None,
    "snap": snap,
    "length": lambda a: float(len(a)),
    "year": lambda a: float(as_date(a).year),
    "month": lambda a: float(as_date(a).month),
    "day": lambda a: float(as_date(a).day),
}
