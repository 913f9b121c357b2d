"""A comparison's result as a whole: whom it is of, how it was computed, tables, reports, and what sections came to."""

from dataclasses import dataclass, field
from typing import Any

from registry.analysis.results.comparisons import ComparisonResult
from registry.analysis.results.endpoints import EndpointResult
from registry.analysis.results.models import ModelResult
from registry.analysis.results.propensity import PropensityResult
from registry.analysis.results.quality import QualityResult
from registry.analysis.results.reports import EQ5DReport, Figures, LesionReport, SinsReport, Survival
from registry.analysis.results.tables import BeforeAfter, Between, ByValueSet, Overall
from registry.analysis.results.transitions import TransitionResult
from registry.analysis.results.written import Row, optional


@dataclass
class Screened(Row):
    """A step before enrolment, which the screening log counts. why: reason to number of those who left."""

    step: str
    n: int | None = optional()
    excluded: int | None = optional()
    why: dict[str, int] | None = optional()


@dataclass
class Counted(Row):
    """A step of the flow: who was left after it. in_error: patients beside the enrolled who were entered in error."""

    step: str
    label: str
    n: int
    excluded: int | None = optional()
    reason: str = optional("")
    in_error: int | None = optional()
    screening: list[Screened] | None = optional()


@dataclass
class OfSite(Row):
    """The flow of a site; `excluded` at each step in their order."""

    site: str
    enrolled: int
    excluded: list[int]
    analysed: int


@dataclass
class Analysed(Row):
    """Who was analysed: the cohort as data, its flow, and how many are in each group and at each site."""

    name: str
    version: str
    steps: list[dict[str, Any]]
    flow: list[Counted]
    n: int
    groups: dict[str, int]
    in_no_group: int
    by_site: list[OfSite] | None = optional()


@dataclass
class LockedPlan(Row):
    """The locked plan of a run's name. before: whether the data were frozen after it; None where they were not."""

    name: str
    version: int
    locked_at: str
    locked_by: str
    last_snapshot: str
    follows: bool
    before: bool | None


@dataclass
class Method(Row):
    """How it was computed. What is left out does not apply: `named`, `arms` make groups, `sections` and what follows
    is declared by a plan with sections, and a run adds `locked_plan` and the snapshot that it read (`frozen`)."""

    plan: str
    plan_version: str
    value_set: str
    value_set_version: str
    segment_rule: str
    grouping: str
    groups: list[str]
    pairs: list[str]
    baseline: str
    followups: list[str]
    snapshot: Any
    software: str
    synthetic: bool
    tests: dict[str, Any]
    alpha: float
    named: Any = optional()
    arms: Any = optional()
    sections: list[str] | None = optional()
    variables: list[dict[str, Any]] | None = optional()
    visits: list[dict[str, Any]] | None = optional()
    as_of: str | None = optional()
    deaths_without_a_day: int | None = optional()
    locked_plan: LockedPlan | None = optional()
    frozen: dict[str, str] | None = optional()


@dataclass
class Result(Row):
    """A comparison's result. Reports are None where the plan has none, or a release did not make them yet."""

    cohort: Analysed
    method: Method
    characteristics: list[Overall] = field(default_factory=list)
    recovery: list[BeforeAfter] = field(default_factory=list)
    adverse_events: list[Overall] = field(default_factory=list)
    between_groups: list[Between] = field(default_factory=list)
    eq5d_domains: list[Between] = field(default_factory=list)
    sensitivity: list[ByValueSet] = optional(list)
    figures: Figures | None = optional()
    survival: Survival | None = optional()
    eq5d_report: EQ5DReport | None = optional()
    lesion_levels: LesionReport | None = optional()
    sins_by_procedure: SinsReport | None = optional()
    comparisons: list[ComparisonResult] = optional(list)
    propensity: list[PropensityResult] = optional(list)
    endpoints: list[EndpointResult] = optional(list)
    models: list[ModelResult] = optional(list)
    qol: list[QualityResult] = optional(list)
    transitions: list[TransitionResult] = optional(list)
