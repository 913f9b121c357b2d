"""Rows of a result of transitions: who went from which grade to which, grades before and after, tests."""

from dataclasses import dataclass

from registry.analysis.results.sections import SectionResult
from registry.analysis.results.written import Row, optional
from registry.instruments.base import Label


@dataclass
class Grade(Row):
    """A category of the variable."""

    code: str
    label: Label


@dataclass
class Cell(Row):
    """Patients of a group with a grade before who had another after; percent of those with that grade before."""

    group: str
    before: str
    after: str
    count: int
    percent: float | None


@dataclass
class Margin(Row):
    """Patients of a group with a grade before and after, of those known at both."""

    group: str
    grade: str
    before: int
    after: int


@dataclass
class Moved(Row):
    """Of a group: complete pairs, incomplete ones, and how many rose, stayed and fell in the order of the grades."""

    group: str
    n: int
    missing: int
    up: int
    same: int
    down: int
    reason: str = optional("")


@dataclass
class Test(Row):
    test: str
    group: str
    statistic: float | None = None
    df: int | None = None
    p: float | None = None
    n: int | None = None
    reason: str = optional("")


@dataclass
class TransitionResult(SectionResult):
    variable: str
    before: str
    after: str
    matched: str
    grades: list[Grade]
    moved: list[Moved]
    cells: list[Cell]
    margins: list[Margin]
    tests: list[Test]
