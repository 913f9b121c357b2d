"""What an import found and did, for a terminal and for a page."""

from dataclasses import dataclass, field

from registry.instruments.base import Label

SHOWN = 100  # of each kind, on a page and in a terminal
LISTED = 5000  # of each kind, in the file; the rest is counted


@dataclass(frozen=True)
class Finding:
    """One thing about one cell. `row` is the line of the file, 1 for the header; None for the file as a whole."""

    file: str
    row: int | None
    column: str
    value: str
    reason: Label


@dataclass
class Findings:
    """The first findings of a kind, and how many there are."""

    listed: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, finding, count=1):
        """One finding that stands for `count`."""
        self.total += count
        if len(self.listed) < LISTED:
            self.listed.append(finding)

    def extend(self, findings, total):
        """The first findings of `total` that there are."""
        self.total += total
        self.listed.extend(findings[: LISTED - len(self.listed)])

    def __bool__(self):
        return self.total > 0

    @property
    def shown(self):
        return self.listed[:SHOWN]

    @property
    def not_shown(self):
        return self.total - len(self.shown)


@dataclass
class Counts:
    """Rows of one file: new to the registry, changed by it, equal to what is stored."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass
class Report:
    """The outcome of an import. `differences.total` counts rows, its list names cells."""

    errors: Findings = field(default_factory=Findings)
    differences: Findings = field(default_factory=Findings)
    warnings: Findings = field(default_factory=Findings)
    alike: Findings = field(default_factory=Findings)  # new patients who may be the same person as another in the file
    counts: dict[str, Counts] = field(default_factory=dict)  # by name of file
    sites_created: list[str] = field(default_factory=list)
    update: bool = False
    stored: bool = False
    seen: str = ""  # hash over the rows that are new or differ, and over what they replace
    trail: tuple = ()  # where the audit trail tells of it: (transaction, after this event, up to this one)

    @property
    def acceptable(self):
        """Whether nothing stands against storing the files."""
        return not self.errors and (self.update or not self.differences)
