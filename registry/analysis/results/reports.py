"""Rows of the reports: survival, the EQ-5D report, lesions, and what the figures need beyond the tables."""

from dataclasses import dataclass

from registry.analysis.results.written import Row, optional
from registry.instruments.base import Label

# Figures


@dataclass
class OfOutcome(Row):
    """What is said of an outcome in a group at a timepoint."""

    variable: str
    group: str
    timepoint: str
    n: int
    missing: int


@dataclass
class Levels(Row):
    """How many have a lesion of each level."""

    group: str
    n: int
    missing: int
    counts: dict[str, int]


@dataclass
class Distribution(OfOutcome):
    """A box with its whiskers `low` and `high`, and [value rounded to `step`, patients]."""

    mean: float | None
    median: float | None
    q1: float | None
    q3: float | None
    low: float | None
    high: float | None
    min: float | None
    max: float | None
    step: float
    counts: list[list[float]]


@dataclass
class Trajectories(OfOutcome):
    """[rounded value before, after, patients]."""

    step: float
    counts: list[list[float]]


@dataclass
class MeanChange(OfOutcome):
    """The mean change with its 95 % interval."""

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


@dataclass
class Responders(Row):
    """How many changed by a threshold or more, for the better and for the worse."""

    variable: str
    group: str
    timepoint: str
    threshold: float
    n: int
    missing: int
    responders: int
    worsened: int


@dataclass
class MatteringChange(Row):
    """A threshold as it stood when the result was made, with its source."""

    variable: str
    value: float
    setting: Label
    source: str
    doi: str
    value_set: str


@dataclass
class Figures(Row):
    levels: list[Levels]
    distributions: list[Distribution]
    trajectories: list[Trajectories]
    changes: list[MeanChange]
    responders: list[Responders]
    thresholds: list[MatteringChange]


# Survival


@dataclass
class AtLandmark(Row):
    time: float
    at_risk: int
    survival: float | None
    low: float | None
    high: float | None


@dataclass
class Course(Row):
    """A Kaplan-Meier curve, a column a list."""

    time: list[float]
    at_risk: list[int]
    died: list[int]
    censored: list[int]
    survival: list[float]
    low: list[float | None]
    high: list[float | None]


@dataclass
class Curve(Row):
    """Survival of a group. withheld: its curve is not shown, as it would tell a hidden number."""

    group: str
    n: int
    missing: int
    events: int
    median: float | None
    median_low: float | None = optional()
    median_high: float | None = optional()
    at_risk_at_ticks: list[int] = optional()
    landmarks: list[AtLandmark] = optional()
    steps: Course = optional()
    withheld: bool = optional(default=False)


@dataclass
class LogRank(Row):
    statistic: float | None = optional()
    df: int | None = optional()
    p: float | None = None
    observed: dict[str, float] | None = optional()
    expected: dict[str, float] | None = optional()
    reason: str = optional("")


@dataclass
class FollowUp(Row):
    """Median follow-up by the reverse Kaplan-Meier estimate."""

    median: float | None = None
    median_low: float | None = None
    median_high: float | None = None


@dataclass
class Survival(Row):
    """Survival after surgery. Results of before there was a landmark have neither its day nor the follow-up."""

    unit: str
    days_in_unit: float
    landmark_day: int = 0
    follow_up: FollowUp | None = None
    log_rank: LogRank = optional()
    ticks: list[int] = optional()
    curves: list[Curve] = optional()
    least_at_risk: str = optional("")


# EQ-5D


@dataclass
class OfGroup(Row):
    group: str
    timepoint: str
    n: int
    missing: int


@dataclass
class OfDimension(Row):
    dimension: str
    group: str
    timepoint: str
    n: int
    missing: int


@dataclass
class DimensionLevels(OfDimension):
    counts: dict[str, int]
    any_problem: int


@dataclass
class Profile(Row):
    state: int
    count: int


@dataclass
class Profiles(OfGroup):
    """The most frequent profiles, and the worst of all."""

    different: int
    most_frequent: list[Profile]
    worst: Profile


@dataclass
class LevelSums(OfGroup):
    mean: float | None
    sd: float | None
    median: float | None
    q1: float | None
    q3: float | None
    counts: dict[str, int]


@dataclass
class FrequencyScore(Row):
    score: str
    count: int
    mean_value: float


@dataclass
class FrequencyScores(OfGroup):
    scores: list[FrequencyScore]


@dataclass
class ProfileChange(OfGroup):
    """The Paretian classification of health change; `no_problems` of no change were at 11111 twice."""

    classes: dict[str, int]
    no_problems: int


@dataclass
class DimensionChange(OfDimension):
    improve: int
    no_change: int
    worsen: int


@dataclass
class Values(Row):
    """HSUV or EQ VAS of a group at a timepoint."""

    group: str
    timepoint: str
    mean: float | None
    standard_error: float | None
    median: float | None
    q1: float | None
    q3: float | None
    mode: float | None
    sd: float | None
    kurtosis: float | None
    skewness: float | None
    min: float | None
    max: float | None
    range: float | None
    n: int
    missing: int


@dataclass
class Grid(OfGroup):
    """Ranks of profiles before and after, joined to cells of `step` ranks: [cell before, cell after, patients]."""

    better: int
    same: int
    worse: int
    step: int
    counts: list[list[int]]


@dataclass
class EQ5DReport(Row):
    value_set: str
    levels: list[DimensionLevels]
    profiles: list[Profiles]
    level_sum_scores: list[LevelSums]
    level_frequency_scores: list[FrequencyScores]
    profile_change: list[ProfileChange]
    dimension_change: list[DimensionChange]
    values: list[Values]
    eq_vas: list[Values]
    grid: list[Grid]


# Lesions


@dataclass
class LesionLevels(Row):
    """How many of a group have a lesion of each level; `involved`: their sum."""

    group: str
    n: int
    missing: int
    involved: int
    per_patient: float | None
    counts: dict[str, int]


@dataclass
class LesionReport(Row):
    groups: list[LesionLevels]


@dataclass
class SinsByProcedure(Row):
    """SINS of a procedure in a group: patients by total (`counts`) and by class of stability (`classes`)."""

    group: str
    procedure: str
    n: int
    missing: int
    mean: float | None
    sd: float | None
    classes: dict[str, int]
    counts: dict[str, int]


@dataclass
class SinsReport(Row):
    rows: list[SinsByProcedure]
