"""Rows of the segment study's tables."""

from dataclasses import KW_ONLY, dataclass

from registry.analysis.results.statistics import Counted, Described, Pairwise, Second, Tested
from registry.analysis.results.written import Row, optional, within


@dataclass
class Overall(Tested):
    """A row of Tables 2 and 5: all groups tested at once."""

    variable: str
    kind: str
    test: str
    second: Second | None = within(Second.among)
    _: KW_ONLY
    groups: dict[str, Described | Counted]


@dataclass
class BeforeAfter(Tested):
    """A row of Table 4: one group before and after. pairs: patients with both values."""

    variable: str
    group: str
    timepoint: str
    kind: str
    test: str
    _: KW_ONLY
    second: Second | None = within(Second.among)
    pairs: int
    baseline: Described | Counted
    followup: Described | Counted


@dataclass
class Between(Pairwise):
    """A row of Table 6 or of Figure 5: each pair of groups at one time. followup: of changes (`delta`)."""

    variable: str
    timepoint: str
    followup: str = optional("")
    kind: str = ""
    test: str = ""
    _: KW_ONLY
    groups: dict[str, Described | Counted]

    @property
    def when(self) -> str:
        """The visit that it is about, of changes the later one."""
        return self.followup or self.timepoint


@dataclass
class ByValueSet(Row):
    """The HSUV rows by another value set."""

    value_set: str
    recovery: list[BeforeAfter]
    between_groups: list[Between]
