"""Rows of an endpoint's result: who was followed, rates, restricted means, tests, hazard ratios, curves."""

from dataclasses import dataclass

from registry.analysis.sections.typed import Estimate
from registry.instruments.base import Label


@dataclass(frozen=True)
class Followed:
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
    reason: str = ""


@dataclass(frozen=True)
class Rate:
    """Share free of the event at a time (Kaplan-Meier), or with it (`incidence`: Aalen-Johansen)."""

    group: str
    time: float
    estimator: str
    at_risk: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Restricted:
    """Mean time without the event up to the horizon, of a group or the difference within a pair."""

    group: str
    horizon: float
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    statistic: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Test:
    """A test between groups: all of them, or a pair with P before and after adjustment over the pairs."""

    test: str
    group: str
    statistic: float | None = None
    df: int | None = None
    p: float | None = None
    p_raw: float | None = None
    adjust: str = ""
    n: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Hazard:
    """A hazard ratio of a Cox model: `model` is `group`, `adjusted`, or `subgroup` with the variable and its level."""

    model: str
    variable: str
    level: str
    reference: str
    visit: str = ""
    effect: Estimate = Estimate()
    ph_statistic: float | None = None
    ph_df: int | None = None
    ph_p: float | None = None
    statistic: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Fit:
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
    reason: str = ""


@dataclass(frozen=True)
class Subgroup:
    """The hazard ratio of the second group against the first within a category; P of the interaction on each row."""

    variable: str
    level: str
    group: str
    n: int
    events: int
    effect: Estimate = Estimate()
    p_interaction: float | None = None
    statistic: float | None = None
    statistic_interaction: float | None = None
    df_interaction: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Steps:
    """A curve itself; `estimator` as in Rate."""

    group: str
    estimator: str
    time: list
    at_risk: list
    events: list
    censored: list
    estimate: list
    low: list
    high: list


@dataclass(frozen=True)
class AtRisk:
    group: str
    at_risk: list


@dataclass(frozen=True)
class EndpointResult:
    """What an endpoint comes to. Times are months from `landmark_day` days after surgery."""

    kind: str
    code: str
    title: Label
    definition: dict
    landmark_day: int
    competing: bool
    matched: str
    weighted: bool
    times: list
    horizon: float | None
    ticks: list
    followed: list
    rates: list
    restricted: list
    tests: list
    hazards: list
    fits: list
    subgroups: list
    at_risk: list
    steps: list
