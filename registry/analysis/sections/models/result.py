"""Rows of a model's result: the fit, coefficients, least-squares means, contrasts, tests of terms, covariance."""

from dataclasses import dataclass

from registry.analysis.sections.typed import Estimate
from registry.instruments.base import Label


@dataclass(frozen=True)
class Fit:
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
    reason: str = ""


@dataclass(frozen=True)
class Coefficient:
    """A term: of ANCOVA in the outcome's unit, of logistic regression an odds ratio."""

    variable: str
    level: str
    reference: str
    visit: str = ""
    effect: Estimate = Estimate()
    statistic: float | None = None
    df: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Mean:
    """Least-squares mean of a group at a visit, and how many values stand behind it."""

    group: str
    visit: str
    n: int
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Contrast:
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
    reason: str = ""


@dataclass(frozen=True)
class TermTest:
    """F test of a term: the groups, the visits, their interaction, or whether slopes on the baseline differ."""

    term: str
    statistic: float | None = None
    df: float | None = None
    df_residual: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Covariance:
    """Covariance of a patient's values at two visits."""

    first: str
    second: str
    covariance: float
    correlation: float


@dataclass(frozen=True)
class ModelResult:
    kind: str
    code: str
    title: Label
    model: str
    outcome: str
    visits: list
    baseline: str
    matched: str
    settings: dict
    fits: list
    coefficients: list
    means: list
    contrasts: list
    terms: list
    covariance: list
