"""Rows of a model's result: the fit, coefficients, least-squares means, contrasts, tests of terms, covariance."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from registry.analysis.results.sections import SectionResult
from registry.analysis.results.statistics import Estimate, WithError
from registry.analysis.results.written import Row, optional


@dataclass
class Fit(Row):
    """A model as a whole. values: observations at all visits; spread: residual standard deviation of ANCOVA."""

    n: int = 0
    values: int | None = None
    events: int | None = None
    missing: int = 0
    spread: float | None = None
    r_squared: float | None = None
    log_likelihood: float | None = None
    likelihood_ratio: float | None = None
    df: int | None = None
    p: float | None = None
    iterations: int | None = None
    reason: str = optional("")


@dataclass
class Coefficient(Estimate):
    """A term: of ANCOVA in the outcome's unit, of logistic regression an odds ratio."""

    variable: str
    level: str
    reference: str
    visit: str = ""
    _: KW_ONLY
    statistic: float | None = None
    df: float | None = None
    reason: str = optional("")


@dataclass
class Mean(WithError):
    """Least-squares mean of a group at a visit, and how many values stand behind it."""

    group: str
    visit: str
    n: int
    _: KW_ONLY
    reason: str = optional("")


@dataclass
class Contrast(Row):
    """The later group's mean minus the earlier one's at a visit; P and limits adjusted over the pairs there."""

    group: str
    visit: str
    estimate: float | None = None
    standard_error: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p_raw: float | None = None
    p: float | None = None
    statistic: float | None = None
    reason: str = optional("")


@dataclass
class TermTest(Row):
    """F test of a term: the groups, the visits, their interaction, or whether slopes on the baseline differ."""

    term: str
    statistic: float | None = None
    df: float | None = None
    df_residual: float | None = None
    p: float | None = None
    reason: str = optional("")


@dataclass
class Covariance(Row):
    """Covariance of a patient's values at two visits."""

    first: str
    second: str
    covariance: float
    correlation: float


@dataclass
class ModelResult(SectionResult):
    model: str
    outcome: str
    visits: list[str]
    baseline: str
    matched: str
    settings: dict[str, Any]
    fits: list[Fit]
    coefficients: list[Coefficient]
    means: list[Mean]
    contrasts: list[Contrast]
    terms: list[TermTest]
    covariance: list[Covariance]
