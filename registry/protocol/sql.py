"""SQL of a typed expression (`expressions`): the same answer as `evaluate`, computed by PostgreSQL.

Names and texts come from a checked definition; names are quoted and texts escaped all the same.
"""

from collections.abc import Callable
from typing import Any

from registry.protocol.evaluate import SMALLEST


def expression(tree: Any, column: Any, today: str = "current_date") -> Any:
    """SQL of a typed tree. `column` gives the SQL of an item by its name; `today` is the SQL of today's date."""
    return _Writer(column, today).sql(tree)


def quoted(text: str) -> Any:
    """A text as an SQL literal."""
    return (
        "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
        if "\\" in text
        else "'" + text.replace("'", "''") + "'"
    )


class _Writer:
    def __init__(self, column: Any, today: Any) -> None:
        self.column, self.today = column, today

    def sql(self, tree: Any) -> Any:
        name = tree[0]
        if name in _WITH_TREE:
            return _WITH_TREE[name](self, tree)
        return _PLAIN[name](*(self.sql(node) for node in tree[1:]))

    def item(self, tree: Any) -> str:
        column = self.column(tree[1])
        return {
            "number": f"({column})::float8",
            "text": f"nullif(({column})::text, '')",
            "date": f"(({column})::date - DATE '1970-01-01')::float8",
            "time": f"(extract(epoch from ({column})::time) / 60)::float8",
        }[tree[2]]

    def ticked(self, tree: Any) -> str:
        has = f"{quoted(tree[2])} = ANY (string_to_array({self.column(tree[1])}, ';'))"
        return f"(CASE WHEN {has} THEN 1 ELSE 0 END)::float8"

    def joined(self, tree: Any) -> str:
        return "(" + f" {tree[0].upper()} ".join(self.sql(node) for node in tree[1:]) + ")"

    def power(self, tree: Any) -> str:
        base, exponent = self.sql(tree[1]), float(tree[2])
        guard = []
        if exponent < 0:
            guard.append(f"abs({base}) >= {SMALLEST!r}")
        if exponent % 1:
            guard.append(f"{base} >= 0")
        power = f"power({base}, {exponent!r}::float8)"
        return f"(CASE WHEN {' AND '.join(guard)} THEN {power} END)" if guard else power

    def rounded(self, tree: Any) -> str:
        number, scale = self.sql(tree[1]), f"{10.0 ** tree[2]!r}::float8"
        whole = {
            "round": "floor(abs({x}) * {s} + 0.5)",
            "roundup": "ceil(abs({x}) * {s} - 1e-9)",
            "rounddown": "floor(abs({x}) * {s} + 1e-9)",
        }[tree[0]].format(x=number, s=scale)
        return f"(sign({number}) * {whole} / {scale})"

    def difference(self, tree: Any) -> str:
        days = f"({self.sql(tree[2])} - {self.sql(tree[1])})"
        return f"({days if tree[4] else f'abs{days}'} / {float(tree[3])!r}::float8)"

    def test(self, tree: Any) -> str:
        a, b = (f'lower(({self.sql(node)}) COLLATE "C")' for node in tree[1:])
        conditions = {
            "contains": f"strpos({a}, {b}) > 0",
            "starts_with": f"left({a}, length({b})) = {b}",
            "ends_with": f"right({a}, length({b})) = {b}",
        }[tree[0]]
        return f"coalesce({conditions}, false)"

    def branch(self, tree: Any, other: Any) -> Any:
        """One side of an `if`: a null takes the type of the other side."""
        return "NULL" if tree[0] == "null" and other[0] != "null" else self.sql(tree)

    def parts(self, tree: Any) -> list:
        return [self.sql(node) for node in tree[1:]]

    def total(self, tree: Any) -> str:
        parts = self.parts(tree)
        added = " + ".join(f"coalesce({part}, 0)" for part in parts)
        return f"(CASE WHEN num_nonnulls({', '.join(parts)}) > 0 THEN 0::float8 + {added} END)"

    def mean(self, tree: Any) -> str:
        return f"({self.total(tree)} / nullif(num_nonnulls({', '.join(self.parts(tree))}), 0))"

    def of_values(self, tree: Any) -> str:
        how = {"median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY v)", "stdev": "stddev_samp(v)"}[tree[0]]
        return f"(SELECT {how} FROM unnest(ARRAY[{', '.join(self.parts(tree))}]::float8[]) AS v)"


_WITH_TREE: dict[str, Callable[[_Writer, Any], str]] = {
    "number": lambda w, tree: f"{float(tree[1])!r}::float8",
    "text": lambda w, tree: f"{quoted(tree[1])}::text",
    "boolean": lambda w, tree: "true" if tree[1] else "false",
    "null": lambda w, tree: "NULL::float8",
    "today": lambda w, tree: f"({w.today} - DATE '1970-01-01')::float8",
    "item": _Writer.item,
    "tick": _Writer.ticked,
    "any": lambda w, tree: f"(coalesce({w.column(tree[1])}, '') <> '')",
    "and": _Writer.joined,
    "or": _Writer.joined,
    "^": _Writer.power,
    "round": _Writer.rounded,
    "roundup": _Writer.rounded,
    "rounddown": _Writer.rounded,
    "datediff": _Writer.difference,
    "contains": _Writer.test,
    "starts_with": _Writer.test,
    "ends_with": _Writer.test,
    "sum": _Writer.total,
    "mean": _Writer.mean,
    "median": _Writer.of_values,
    "stdev": _Writer.of_values,
    "min": lambda w, tree: f"least({', '.join(w.parts(tree))})",
    "max": lambda w, tree: f"greatest({', '.join(w.parts(tree))})",
    "if": lambda w, tree: (
        f"(CASE WHEN {w.sql(tree[1])} THEN {w.branch(tree[2], tree[3])} ELSE {w.branch(tree[3], tree[2])} END)"
    ),
}


def _date_part(part: Any) -> Callable[..., str]:
    return lambda a: f"(extract({part} from DATE '1970-01-01' + ({a})::int))::float8"


_PLAIN: dict[str, Callable[..., str]] = {
    "not": lambda a: f"(NOT {a})",
    "blank": lambda a: f"({a} IS NULL)",
    "eq": lambda a, b: f"({a} IS NOT DISTINCT FROM {b})",
    "lt": lambda a, b: f"coalesce({a} < {b}, false)",
    "le": lambda a, b: f"coalesce({a} <= {b}, false)",
    "gt": lambda a, b: f"coalesce({a} > {b}, false)",
    "ge": lambda a, b: f"coalesce({a} >= {b}, false)",
    "+": lambda a, b: f"({a} + {b})",
    "-": lambda a, b: f"({a} - {b})",
    "*": lambda a, b: f"({a} * {b})",
    "/": lambda a, b: f"({a} / CASE WHEN abs({b}) >= {SMALLEST!r} THEN {b} END)",
    "negative": lambda a: f"(- {a})",
    "abs": lambda a: f"abs({a})",
    "sqrt": lambda a: f"(CASE WHEN {a} >= 0 THEN sqrt({a}) END)",
    "log": lambda a: f"(CASE WHEN {a} > 0 THEN ln({a}) END)",
    "snap": lambda a: f"(floor({a} * 1e9::float8 + 0.5) / 1e9::float8)",
    "length": lambda a: f"length({a})::float8",
    "year": _date_part("year"),
    "month": _date_part("month"),
    "day": _date_part("day"),
}
