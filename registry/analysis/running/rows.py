"""Result of a comparison as typed rows, which write themselves to JSON: names and their order are a contract.

A statistic that the data do not determine is None, and `reason` says why. What does not apply is left out of the JSON.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


def _written(rows):
    """{name: a row as JSON} of a dict of rows."""
    return {name: row.to_json() for name, row in rows.items()}


@dataclass(frozen=True)
class Described:
    """A continuous variable in one group, at one time."""

    n: int
    missing: int
    mean: float | None
    sd: float | None
    median: float | None
    q1: float | None
    q3: float | None
    min: float | None
    max: float | None

    @classmethod
    def of(cls, description, missing=None):
        """From a `stats` Description; `missing` where it is not for the sample to know."""
        quartiles = description.first_quartile, description.third_quartile
        middle = description.mean, description.sd, description.median
        missing = description.missing if missing is None else missing
        return cls(description.n, missing, *middle, *quartiles, description.minimum, description.maximum)

    def to_json(self):
        return dict(self.__dict__)


@dataclass(frozen=True)
class Counted:
    """A categorical variable in one group, at one time. counts: code to number of patients."""

    n: int
    missing: int
    counts: dict[str, int]

    def to_json(self):
        return dict(self.__dict__)


@dataclass(frozen=True)
class Sampled:
    """What a Monte Carlo P is worth."""

    standard_error: float
    resamples: int
    seed: int
    why: str


@dataclass(frozen=True)
class Tested:
    """P of a test with its statistic, or why there is none."""

    p: float | None = None
    reason: str = ""
    statistic: float | None = None
    df: float | list[float] | None = None
    monte_carlo: Sampled | None = None

    def part(self, name):
        """A field as JSON; None where it does not apply."""
        value = getattr(self, name)
        return asdict(value) if isinstance(value, Sampled) else None if value == "" else value

    def to_json(self, suffix=""):
        """suffix  of each name, for a second test in a row: `_fisher`"""
        parts = {part.name: self.part(part.name) for part in fields(self)}
        return {name + suffix: value for name, value in parts.items() if name == "p" or value is not None}


@dataclass(frozen=True)
class Second:
    """Another test of the same counts."""

    code: str
    tested: Tested

    def to_json(self):
        return self.tested.to_json(f"_{self.code}")


@dataclass(frozen=True)
class Pairwise:
    """A test of each pair of groups. adjusted: P over the row's pairs by `adjust`, unless the test does so itself."""

    tested: dict[str, Tested]
    adjust: str = ""
    adjusted: dict[str, float | None] = field(default_factory=dict)

    def to_json(self):
        raw = {pair: tested.p for pair, tested in self.tested.items()}
        parts = {name: self._of_pairs(name) for name in ("statistic", "df", "reason", "monte_carlo")}
        parts = {name: of_pairs for name, of_pairs in parts.items() if of_pairs}
        if not self.adjust:
            return {"p": raw} | parts
        return {"adjust": self.adjust, "p_raw": raw} | parts | {"p": self.adjusted}

    def _of_pairs(self, name):
        parts = {pair: tested.part(name) for pair, tested in self.tested.items()}
        return {pair: part for pair, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Overall:
    """A row of Tables 2 and 5: all groups tested at once."""

    variable: str
    kind: str
    test: str
    tested: Tested
    groups: dict[str, Described | Counted]
    second: Second | None = None

    def to_json(self):
        head = {"variable": self.variable, "kind": self.kind, "test": self.test}
        second = self.second.to_json() if self.second else {}
        return head | second | self.tested.to_json() | {"groups": _written(self.groups)}


@dataclass(frozen=True)
class BeforeAfter:
    """A row of Table 4: one group before and after. pairs: patients with both values."""

    variable: str
    group: str
    timepoint: str
    kind: str
    test: str
    tested: Tested
    second: Second | None
    pairs: int
    baseline: Described | Counted
    followup: Described | Counted

    def to_json(self):
        head = {name: getattr(self, name) for name in ("variable", "group", "timepoint", "kind", "test")}
        second = self.second.to_json() if self.second else {}
        described = {"baseline": self.baseline.to_json(), "followup": self.followup.to_json()}
        return head | self.tested.to_json() | second | {"pairs": self.pairs} | described


@dataclass(frozen=True)
class Between:
    """A row of Table 6 or of Figure 5: each pair of groups at one time. followup: of changes (`delta`)."""

    variable: str
    timepoint: str
    kind: str
    test: str
    pairwise: Pairwise
    groups: dict[str, Described | Counted]
    followup: str = ""

    def to_json(self):
        head = {"variable": self.variable, "timepoint": self.timepoint}
        head |= ({"followup": self.followup} if self.followup else {}) | {"kind": self.kind, "test": self.test}
        return head | self.pairwise.to_json() | {"groups": _written(self.groups)}


@dataclass(frozen=True)
class ByValueSet:
    """The HSUV rows by another value set."""

    value_set: str
    recovery: list[BeforeAfter]
    between_groups: list[Between]

    def to_json(self):
        tables = {"recovery": self.recovery, "between_groups": self.between_groups}
        written = {name: [row.to_json() for row in table] for name, table in tables.items()}
        return {"value_set": self.value_set} | written


@dataclass(frozen=True)
class Analysed:
    """Who was analysed: the cohort as data, its flow, and how many are in each group and at each site."""

    cohort: dict[str, Any]
    flow: list[dict]
    n: int
    groups: dict[str, int]
    by_site: dict[str, Any]

    def to_json(self):
        counted = {"flow": self.flow, "n": self.n, "groups": self.groups}
        outside = {"in_no_group": self.n - sum(self.groups.values()), "by_site": self.by_site}
        return self.cohort | counted | outside


@dataclass(frozen=True)
class Method:
    """How it was computed. Those that are None do not apply: `named`, `arms` make groups, `sections` and what follows
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
    software: dict[str, str]
    synthetic: bool
    tests: dict[str, Any]
    alpha: float
    named: Any = None
    arms: Any = None
    sections: list[str] | None = None
    variables: list[dict] | None = None
    visits: list[dict] | None = None
    as_of: str | None = None
    deaths_without_a_day: int | None = None
    locked_plan: Any = None
    frozen: dict[str, str] | None = None

    def to_json(self):
        optional = {part.name for part in fields(self) if part.default is None}
        return {name: value for name, value in self.__dict__.items() if name not in optional or value is not None}


@dataclass(frozen=True)
class Result:
    """A comparison's result: tables of rows; reports, the counts that figures are made of; sections as written."""

    cohort: Analysed
    method: Method
    tables: dict[str, list]
    reports: dict[str, Any]
    sections: dict[str, list]

    def to_json(self):
        tables = {name: [row.to_json() for row in table] for name, table in self.tables.items()}
        return (
            {"cohort": self.cohort.to_json(), "method": self.method.to_json()} | tables | self.reports | self.sections
        )
