"""Rows of an endpoint's result: who was followed, rates, restricted means, tests, hazard ratios, curves."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from registry.analysis.results.sections import SectionResult
from registry.analysis.results.statistics import Estimate, Interval, WithError
from registry.analysis.results.written import Row, optional


@dataclass
class Followed(Row):
    """Who of a group is in the curve. undated: had the event on a day not known, and count at their last contact."""

    group: str
    n: int
    missing: int
    events: int
    competing: int
    censored: int
    undated: int
    before_landmark: int
    before_start: int
    median: float | None = None
    median_low: float | None = None
    median_high: float | None = None
    follow_up: float | None = None
    follow_up_low: float | None = None
    follow_up_high: float | None = None
    withheld: bool = optional(default=False)
    reason: str = optional("")


@dataclass
class Rate(Interval):
    """Share free of the event at a time (Kaplan-Meier), or with it (`incidence`: Aalen-Johansen)."""

    group: str
    time: float
    estimator: str
    at_risk: int | None = None
    _: KW_ONLY
    reason: str = optional("")


@dataclass
class Restricted(WithError):
    """Mean time without the event up to the horizon, of a group or the difference within a pair."""

    group: str
    horizon: float
    _: KW_ONLY
    p: float | None = None
    statistic: float | None = None
    reason: str = optional("")


@dataclass
class Test(Row):
    """A test between groups: all of them, or a pair with P before and after adjustment over the pairs."""

    test: str
    group: str
    statistic: float | None = None
    df: int | None = None
    p: float | None = None
    p_raw: float | None = None
    adjust: str = ""
    n: int | None = None
    reason: str = optional("")


@dataclass
class Hazard(Estimate):
    """A hazard ratio of a Cox model: `model` is `group`, `adjusted`, or `subgroup` with the variable and its level."""

    model: str
    variable: str
    level: str
    reference: str
    visit: str = ""
    _: KW_ONLY
    ph_statistic: float | None = None
    ph_df: int | None = None
    ph_p: float | None = None
    statistic: float | None = None
    reason: str = optional("")


@dataclass
class Fit(Row):
    """A Cox model as a whole; ph: its assumption, tested over all terms."""

    model: str
    n: int = 0
    events: int = 0
    missing: int = 0
    likelihood_ratio: float | None = None
    df: int | None = None
    p: float | None = None
    ph_statistic: float | None = None
    ph_p: float | None = None
    robust: bool = False
    reason: str = optional("")


@dataclass
class Subgroup(Estimate):
    """The hazard ratio of the second group against the first within a category; P of the interaction on each row."""

    variable: str
    level: str
    group: str
    n: int
    events: int
    _: KW_ONLY
    p_interaction: float | None = None
    statistic: float | None = None
    statistic_interaction: float | None = None
    df_interaction: int | None = None
    reason: str = optional("")


@dataclass
class Steps(Row):
    """A curve itself; `estimator` as in Rate."""

    group: str
    estimator: str
    time: list[float]
    at_risk: list[int]
    events: list[int]
    censored: list[int]
    estimate: list[float]
    low: list[float | None]
    high: list[float | None]


@dataclass
class AtRisk(Row):
    group: str
    at_risk: list[int]


@dataclass
class EndpointResult(SectionResult):
    """What an endpoint comes to. Times are months from `landmark_day` days after surgery."""

    definition: dict[str, Any]
    landmark_day: int
    competing: bool
    matched: str
    weighted: bool
    times: list[float]
    horizon: float | None
    ticks: list[int]
    followed: list[Followed]
    rates: list[Rate]
    restricted: list[Restricted]
    tests: list[Test]
    hazards: list[Hazard]
    fits: list[Fit]
    subgroups: list[Subgroup]
    at_risk: list[AtRisk]
    steps: list[Steps]
    least_at_risk: str = optional("")
