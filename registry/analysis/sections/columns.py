"""Columns of an analysis data set: what a section reads of its patients, as plain arrays."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from registry.instruments.base import Label


@dataclass(frozen=True, eq=False)
class Column:
    """One variable of n patients, at one visit where it has visits.

    values      (n,) numbers, or places in `categories`; NaN where unknown
    categories  (code, Label) pairs of a categorical variable in their order; () of a number
    higher_is   `better`, `worse` or ""
    dead        (n,) bool, unknown because the patient died before the visit's window ended; None where nobody says
    """

    name: str
    label: Label
    values: np.ndarray
    categories: tuple = ()
    kind: str = ""
    unit: str = ""
    decimals: int = 1
    higher_is: str = ""
    visit: str = ""
    dead: np.ndarray | None = None

    @property
    def known(self):
        return np.isfinite(self.values)

    @property
    def codes(self):
        """(n,) places in the categories, -1 for unknown."""
        return np.where(self.known, self.values, -1).astype(np.int64)

    def taken(self, rows):
        return replace(self, values=self.values[rows], dead=None if self.dead is None else self.dead[rows])


@dataclass(frozen=True, eq=False)
class Event:
    """Days (n,) from surgery to the first event, NaN without one; whether (n,) it happened on a day not known."""

    day: np.ndarray
    undated: np.ndarray


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of a run, as every section reads them.

    groups     (code, Label) of each group, in the order of print; group (n,): places in them, -1 for none
    column     (variable, visit or "") -> Column; ValueError for what there is not
    event      (declared event) -> Event; what `events` names
    visit_day  (visit) -> (n,) days from surgery to the visit, NaN where it did not take place
    planned_day  (visit) -> its day by the schedule or the plan's rule, None where there is none
    followed   (n,) days from surgery to the end of follow-up, NaN where not known
    died       (n,) 1, 0, NaN where not known; death_day (n,) days from surgery, NaN where none or not known
    landmark   day until which everybody lived because the cohort asks for that much follow-up, or 0
    sets, weights  (n,) matched set (-1 for none) and weight of each patient, where they were matched or weighted
    """

    groups: tuple
    group: np.ndarray
    column: Callable
    event: Callable | None = None
    visit_day: Callable | None = None
    followed: np.ndarray | None = None
    died: np.ndarray | None = None
    death_day: np.ndarray | None = None
    planned_day: Callable = field(default=lambda _visit: None)
    landmark: int = 0
    alpha: float = 0.05
    adjust: str = "none"
    sets: np.ndarray | None = None
    weights: np.ndarray | None = None
    matched: dict = field(default_factory=dict)

    @property
    def n(self):
        return self.group.size

    @property
    def codes(self):
        return tuple(code for code, _ in self.groups)

    def members(self, place):
        return self.group == place

    def pairs(self):
        """(code of the pair, first place, second place), neighbours first as the tables print them."""
        size = len(self.groups)
        places = sorted(((a, b) for a in range(size) for b in range(a + 1, size)), key=lambda p: (p[1] - p[0], p))
        return [(f"{self.codes[a]}_vs_{self.codes[b]}", a, b) for a, b in places]

    def taken(self, rows, **changes):
        """These patients alone: rows (n,) bool."""
        parts = {
            name: getattr(self, name)[rows]
            for name in ("group", "followed", "died", "death_day", "sets", "weights")
            if getattr(self, name) is not None
        }
        return replace(
            self,
            column=lambda variable, visit="": self.column(variable, visit).taken(rows),
            event=lambda event: Event(*(part[rows] for part in (self.event(event).day, self.event(event).undated))),
            visit_day=lambda visit: self.visit_day(visit)[rows],
            **(parts | changes),
        )

    def of(self, code):
        """The matched patients of a propensity section, or all where no section is named."""
        if not code:
            return self
        return self.matched[code](self)
