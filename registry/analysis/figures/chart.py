"""A chart: its numbers as a table, its words for those who cannot see it, and how it is drawn."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

from registry.analysis.formats import number, p_value
from registry.analysis.presentation import Row, Table
from registry.instruments import variables
from registry.instruments.base import Label


@dataclass(frozen=True)
class Column:
    """One column of a chart's numbers: its name in CSV, its label, and how a value is shown on a page."""

    name: str
    label: Label
    show: Callable = lambda value, words: str(value)

    @property
    def is_text(self):
        return self.name in {"group", "timepoint", "variable", "dimension", "level", "step", "reason", "class"}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`rows` are tuples of plain values, one for each column; `draw` (words) -> matplotlib Figure."""

    code: str
    title: str
    alt: str
    columns: tuple
    rows: tuple
    draw: Callable

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


def _cell(value):
    """None as an empty cell; a text that a spreadsheet would take for a formula behind an apostrophe."""
    if value is None:
        return ""
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
    """Percent of n; None of nobody."""
    return 100 * count / n if n else None


def sentence(parts, words):
    """Parts of an alternative text as one text."""
    return ("。" if words.language.startswith("ja") else ". ").join(part for part in parts if part) + (
        "。" if words.language.startswith("ja") else "."
    )


def n_of(n, words):
    return f"n = {n}"
