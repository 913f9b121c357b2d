"""Rows of a propensity section's result: sizes, the score's model, balance, overlap, outcomes of pairs."""

from dataclasses import dataclass

from registry.analysis.sections.typed import Estimate
from registry.instruments.base import Label


@dataclass(frozen=True)
class Size:
    """Patients of a group: all, with a score, in the analysis, without a partner; effective where they are weighted."""

    group: str
    n: int
    scored: int
    used: int
    unmatched: int
    effective: float | None


@dataclass(frozen=True)
class Score:
    """A term of the model of the score."""

    variable: str
    level: str
    reference: str
    visit: str = ""
    effect: Estimate = Estimate()
    statistic: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Fit:
    """Of the score: its model and its matching; sets found, and the caliper in units of the score or its logit."""

    n: int = 0
    missing: int = 0
    sets: int | None = None
    caliper: float | None = None
    largest_weight: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Balanced:
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


@dataclass(frozen=True)
class Overlap:
    """Patients whose score lies in an interval; `weight` is their sum of weights afterwards."""

    group: str
    low: float
    high: float
    count: int
    weight: float


@dataclass(frozen=True)
class Outcome:
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
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    df: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Category:
    """Of the complete pairs, how many treated patients and controls had a category."""

    variable: str
    visit: str
    level: str
    treated: int
    control: int


@dataclass(frozen=True)
class PropensityResult:
    """pairs: places among the patients, treated first: of the run's list of patients, where a run is stored."""

    kind: str
    code: str
    title: Label
    treated: str
    control: str
    method: str
    settings: dict
    fits: list
    sizes: list
    scores: list
    balance: list
    overlap: list
    outcomes: list
    categories: list
    pairs: list
