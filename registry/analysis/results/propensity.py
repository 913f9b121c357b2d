"""Rows of a propensity section's result: sizes, the score's model, balance, overlap, outcomes of pairs."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from registry.analysis.results.sections import SectionResult
from registry.analysis.results.statistics import Estimate, Interval
from registry.analysis.results.written import Row, optional


@dataclass
class Size(Row):
    """Patients of a group: all, with a score, in the analysis, without a partner; effective where they are weighted."""

    group: str
    n: int
    scored: int
    used: int
    unmatched: int
    effective: float | None


@dataclass
class Score(Estimate):
    """A term of the model of the score."""

    variable: str
    level: str
    reference: str
    visit: str = ""
    _: KW_ONLY
    statistic: float | None = None
    reason: str = optional("")


@dataclass
class Fit(Row):
    """Of the score: its model and its matching; sets found, and the caliper in units of the score or its logit."""

    n: int = 0
    missing: int = 0
    sets: int | None = None
    caliper: float | None = None
    largest_weight: float | None = None
    reason: str = optional("")


@dataclass
class Balanced(Row):
    """A covariate, or one of its categories, before and after: means or shares, standardised difference, variances."""

    variable: str
    level: str
    visit: str
    treated_before: float
    control_before: float
    smd_before: float
    ratio_before: float
    treated_after: float | None = None
    control_after: float | None = None
    smd_after: float | None = None
    ratio_after: float | None = None


@dataclass
class Overlap(Row):
    """Patients whose score lies in an interval; `weight` is their sum of weights afterwards."""

    group: str
    low: float
    high: float
    count: int
    weight: float


@dataclass
class Outcome(Interval):
    """An outcome of matched pairs (or weighted groups): treated minus control, with the test that belongs to it."""

    variable: str
    visit: str
    test: str
    n: int = 0
    missing: int = 0
    treated_mean: float | None = None
    treated_sd: float | None = None
    control_mean: float | None = None
    control_sd: float | None = None
    effect: str = ""
    _: KW_ONLY
    statistic: float | None = None
    df: float | None = None
    p: float | None = None
    reason: str = optional("")


@dataclass
class Category(Row):
    """Of the complete pairs, how many treated patients and controls had a category."""

    variable: str
    visit: str
    level: str
    treated: int
    control: int


@dataclass
class PropensityResult(SectionResult):
    """pairs: places among the patients, treated first: of the run's list of patients, where a run is stored."""

    treated: str
    control: str
    method: str
    settings: dict[str, Any]
    fits: list[Fit]
    sizes: list[Size]
    scores: list[Score]
    balance: list[Balanced]
    overlap: list[Overlap]
    outcomes: list[Outcome]
    categories: list[Category]
    pairs: list[list[int]]
