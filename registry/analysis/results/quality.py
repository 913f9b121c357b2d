"""Rows of a result of quality of life: QALYs, the course, responders, differences, the dead ranked worst."""

from dataclasses import KW_ONLY, dataclass

from registry.analysis.results.sections import SectionResult
from registry.analysis.results.statistics import Estimate
from registry.analysis.results.written import Row, optional


@dataclass
class Years(Row):
    """QALYs of a group up to the horizon; unknown: whom the rule for gaps leaves without; died before the horizon."""

    group: str
    n: int
    unknown: int
    died: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    median: float | None = None
    q1: float | None = None
    q3: float | None = None
    reason: str = optional("")


@dataclass
class Difference(Estimate):
    """A pair of groups, later minus earlier: of mean QALYs, of means with the dead, of shares of responders."""

    group: str
    visit: str
    _: KW_ONLY
    test: str = ""
    n: int = 0
    statistic: float | None = None
    df: float | None = None
    reason: str = optional("")


@dataclass
class At(Row):
    """A visit of a group: who has a value, lacks one, or died before it; the mean without and with the dead."""

    group: str
    visit: str
    n: int
    missing: int
    died: int
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    mean_with_dead: float | None = None
    low_with_dead: float | None = None
    high_with_dead: float | None = None
    reason: str = optional("")

    @property
    def estimate(self) -> float | None:
        return self.mean


@dataclass
class Responder(Row):
    """Of a group at a visit: improved, same, worse by the threshold; the share improved with Wilson's interval."""

    group: str
    visit: str
    n: int
    missing: int
    improved: int
    same: int
    worse: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = optional("")


@dataclass
class WorstRank(Row):
    """Test of all groups at a visit in which the dead rank below everybody alive, the earlier dead the lower."""

    visit: str
    test: str
    n: int
    dead: int
    p: float | None = None
    statistic: float | None = None
    df: float | None = None
    reason: str = optional("")


@dataclass
class QualityResult(SectionResult):
    measure: str
    variable: str
    visits: list[str]
    horizon: float | None
    gaps: str
    threshold: float | None
    dead_at: float
    higher_is: str
    matched: str
    years: list[Years]
    course: list[At]
    responders: list[Responder]
    differences: list[Difference]
    worst_rank: list[WorstRank]
