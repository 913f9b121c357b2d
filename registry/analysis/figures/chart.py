"""Numbers as a table and as CSV; a chart: numbers, words for those who cannot see it, and how it is drawn."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from registry.analysis.disclosure.small_cells import Few
from registry.analysis.presentation.numbers import count_percent, number, p_value
from registry.analysis.presentation.tables import Row, Table
from registry.instruments import variables
from registry.instruments.base import Label


@dataclass(frozen=True)
class Column:
    """One column of a chart's numbers: its name in CSV, its label, and how a value is shown on a page."""

    name: str
    label: Label
    show: Callable = lambda value, words: str(value)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A table as plain values: `rows` are tuples, one value for each column."""

    code: str
    title: str
    columns: tuple
    rows: tuple

    def table(self, words):
        """The numbers as a Table, rounded for reading."""
        lines = [
            [column.show(value, words) for column, value in zip(self.columns, row, strict=True)] for row in self.rows
        ]
        header = tuple(words(column.label) for column in self.columns)
        return Table(self.code, self.title, header, tuple(Row(line[0], tuple(line[1:])) for line in lines))

    def csv(self):
        """The numbers as CSV at full precision, with codes instead of labels."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return out.getvalue().encode()


@dataclass(frozen=True, kw_only=True)
class Chart(Numbers):
    """Numbers with `alt`, a text for those who cannot see the drawing, and `draw` (words) -> matplotlib Figure."""

    alt: str
    draw: Callable


class Part(NamedTuple):
    """A count out of n: on a page with its percentage, in CSV alone."""

    count: int  # type: ignore[assignment] # a tuple has a method of this name, which nobody asks a Part for
    n: int


def part(name, label):
    return Column(name, label, lambda cell, words: count_percent(*cell))


def _cell(value):
    """None as an empty cell; a text that a spreadsheet would take for a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, Part):
        return value.count
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _decimals(decimals):
    return lambda value, words: number(value, decimals)


def numeric(name, label, decimals):
    return Column(name, label, _decimals(decimals))


ALL = Label("All", "全体")
GROUP = Column("group", Label("Group", "群"), lambda code, words: words.groups.get(code) or words(ALL))
TIMEPOINT = Column("timepoint", Label("Time", "時期"), lambda code, words: words.timepoint(code))
VARIABLE = Column("variable", Label("Outcome", "アウトカム"), lambda name, words: words.label(variables.get(name)))
DIMENSION = Column("dimension", Label("Dimension", "項目"), lambda name, words: words(variables.get(name).label))
N = Column("n", Label("n", "n"))
MISSING = Column("missing", Label("Unknown", "不明"))
COUNT = Column("count", Label("Patients", "患者数"))
PERCENT = numeric("percent", Label("%", "%"), 1)
P = Column("p", Label("P", "P値"), lambda p, words: p_value(p))


def share(count, n):
    """Percent of n; None of nobody, and of a count that is hidden."""
    return 100 * count / n if n and not isinstance(count, Few) and not isinstance(n, Few) else None


def sentence(parts, words):
    """Parts of an alternative text as one text."""
    stop = "。" if words.language.startswith("ja") else "."
    return (stop + ("" if stop == "。" else " ")).join(part for part in parts if part) + stop
