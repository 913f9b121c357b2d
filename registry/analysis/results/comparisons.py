"""Rows of a result of comparisons: what is known of each group, the test, effects of pairs, and sensitivity."""

from dataclasses import dataclass, field

from registry.analysis.results.statistics import Interval, Tested
from registry.analysis.results.written import Row, optional
from registry.instruments.base import Label


@dataclass
class Category(Row):
    code: str
    en: str
    ja: str

    @property
    def label(self) -> Label:
        return Label(self.en, self.ja)


@dataclass
class Size(Row):
    """Patients of a group in matched sets, or with weights, which are worth `effective` equal ones."""

    group: str
    n: int
    sets: int | None = optional()
    effective: float | None = optional()


@dataclass
class Brief(Row):
    """Patients whose value is known, and their distribution: counts and (weighted) shares, or a number's."""

    n: int
    counts: dict[str, int] | None = optional()
    weighted: dict[str, float | None] | None = optional()
    mean: float | None = optional()
    sd: float | None = optional()
    median: float | None = optional()
    q1: float | None = optional()
    q3: float | None = optional()
    min: float | None = optional()
    max: float | None = optional()


@dataclass
class Changed(Row):
    """Patients whose grade rose, fell and stayed."""

    up: int
    down: int
    same: int


@dataclass
class Group(Brief):
    """What is said of a group. why: reason to the number of whom a value lacks.

    Of a share or an effect, `low` and `high` are its limits. What begins with the baseline is of a comparison within
    groups, as are the test and `changed`.
    """

    missing: int = 0
    why: dict[str, int] = field(default_factory=dict)
    share: float | None = optional()
    low: float | None = optional()
    high: float | None = optional()
    baseline_of_compared: Brief | None = optional()
    baseline_of_all: Brief | None = optional()
    followup: Brief | None = optional()
    test: str | None = optional()
    p: float | None = optional()
    reason: str = optional("")
    statistic: float | None = optional()
    df: float | list[float] | None = optional()
    measure: str = optional("")
    estimate: float | None = optional()
    effect_reason: str = optional("")
    changed: Changed | None = optional()


@dataclass
class Effect(Tested, Interval):
    """A pair of groups: the effect with its interval, standardised difference, and P before and after adjustment.

    n     patients of the first group and of the second whose value is known; of matched ones in complete `sets`
    """

    n: list[int]
    sets: int | None = optional()
    measure: str = optional("")
    confidence: float | None = optional()
    effect_reason: str = optional("")
    smd: float | None = optional()
    test: str = optional("")
    p_raw: float | None = optional()


@dataclass
class Sensitivity(Tested):
    """The test again. n: patients of each group; died: of whom so many rank below all others. Of matched pairs in how
    many the first group fares better (`wins`)."""

    test: str = optional("")
    n: list[int] | None = optional()
    died: list[int] | None = optional()
    wins: int | None = optional()
    losses: int | None = optional()
    ties: int | None = optional()


@dataclass
class Compared(Tested):
    """A variable at a visit: what is known of each group, the test of all of them, and the effect in each pair.

    start  the earlier visit of a comparison within groups
    """

    variable: str
    timepoint: str
    kind: str
    label: Label
    unit: str
    decimals: int
    higher_is: str
    categories: list[Category]
    start: str = optional("", called="from")
    groups: dict[str, Group] = optional()
    test: str = ""
    small_expected: int | None = optional()
    cells: int | None = optional()
    effects: dict[str, Effect] = optional(dict)
    baseline_of_compared: dict[str, Brief] | None = optional()
    baseline_of_all: dict[str, Brief] | None = optional()
    worst_rank: Sensitivity | None = optional()
    complete_cases: Sensitivity | None = optional()


@dataclass
class ComparisonResult(Row):
    """The result of a comparison between or within groups; of a matched cohort where `matched` names its section."""

    code: str
    title: Label
    comparison: str
    adjust: str
    family: str
    confidence: float
    interval: str
    exploratory: bool
    matched: str = optional("")
    matched_title: Label | None = optional()
    sets_are: str = optional("")
    sizes: list[Size] = optional(list)
    reason: str = optional("")
    rows: list[Compared] = optional()
