"""Matched cohorts in comparisons: a run's patients narrowed to the sets of a propensity section, and paired tests of
the sets. Differences are the first group of the plan less the second; of a set with several controls, their mean.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from registry.analysis.design.errors import refusal
from registry.analysis.design.variables.sources import BINARY
from registry.analysis.sections import propensity, reading
from registry.analysis.sections.comparing import comparison_tests as tests
from registry.stats.arrays import NotEstimable
from registry.stats.effects.shift import pseudomedian
from registry.stats.matching.paired import (
    pair_differences,
    pair_odds_ratio,
    pair_risk_difference,
    pair_signs,
    pair_table,
)
from registry.stats.ttest import paired_t


def declared(code):
    """The name that an entry gives as `matched`, "" for none. Refused where it is no name."""
    if not isinstance(code, str):
        raise refusal(
            "matched: the code of a propensity section, such as ps",
            "matched：傾向スコアのセクションのコード（psなど）を指定してください",
        )
    return code


@dataclass(frozen=True, eq=False)
class MatchedData:
    """A `running.runner.Data` narrowed to the two groups of a propensity section and to their matched patients.

    groups  group code to the places (k,) of its matched patients, in the order of the plan's groups
    pairs   the one pair of them, as `Data.pairs` has it
    made    `propensity.Made`: sets, and why there are none
    """

    kind = tests.MATCHED
    sets_are = "pairs"

    data: Any
    section: propensity.Propensity
    made: propensity.Made

    @classmethod
    def of(cls, data, code):
        section = reading.propensity_of(code, data.plan)
        return cls(data, section, reading.read_of(data).patients.matched.made(section))

    @property
    def plan(self):
        return self.data.plan

    @property
    def frame(self):
        return self.data.frame

    def column(self, variable, visit=""):
        return self.data.column(variable, visit)

    @cached_property
    def groups(self):
        places = np.arange(self.data.frame.n)
        used = self.made.weights > 0
        two = (self.section.treated, self.section.control)
        return {code: places[chosen][used[chosen]] for code, chosen in self.data.groups.items() if code in two}

    @cached_property
    def pairs(self):
        return {"_vs_".join(self.groups): (0, 1)}

    @property
    def sets(self):
        return 0 if self.made.matched is None else int(self.made.matched.n_treated)

    @property
    def sign(self):
        """1 where the treated are the first group, -1 where they are the second."""
        return 1 if next(iter(self.groups)) == self.section.treated else -1

    def differences(self, columns):
        """Counts of the sets' differences. NotEstimable where nobody was matched."""
        return pair_differences(self.sign * columns.values[self.made.inside], self._matched)

    def table(self, columns):
        """(k, k) counts of pairs, the first group's category in rows. NotEstimable for sets of several controls."""
        matched = self._matched
        if matched.ratio != 1:
            raise NotEstimable("one_control")
        table = pair_table(columns.codes[self.made.inside], len(columns.variable.categories), matched)
        return table if self.sign > 0 else table.T

    def signs(self, ranked):
        """SignTest of values of which only the order tells: wins are the first group's. NotEstimable."""
        matched = self._matched
        if matched.ratio != 1:
            raise NotEstimable("one_control")
        return pair_signs(self.sign * ranked[self.made.inside], matched)

    @property
    def _matched(self):
        if self.made.matched is None:
            raise NotEstimable("no_match")
        return self.made.matched

    def complete(self, columns):
        """(n,) bool: in a set of whom every value is known."""
        inside = np.zeros(self.data.frame.n, bool)
        if self.made.matched is not None:
            pairs = np.flatnonzero(self.made.inside)[self.made.matched.pairs]
            broken = self.made.sets[pairs[~columns.known[pairs].all(axis=1), 0]]
            inside = (self.made.sets >= 0) & ~np.isin(self.made.sets, broken)
        return inside

    def sizes(self):
        """Rows of how many patients of each group are in how many sets."""
        return [{"group": code, "n": int(places.size), "sets": self.sets} for code, places in self.groups.items()]


def run_test(data, test, columns):
    """The answer of a paired Test of the sets' values. NotEstimable."""
    return test.run(data.table(columns) if test.code in tests.OF_PAIRED_TABLES else data.differences(columns))


def estimate(data, measure, columns, confidence):
    """The effect in the sets with estimate, low and high. NotEstimable."""
    if columns.variable.kind == BINARY:
        of_pairs = pair_odds_ratio if measure == "odds_ratio" else pair_risk_difference
        return of_pairs(data.table(columns), confidence)
    if measure == "mean_difference":
        return paired_t(data.differences(columns), confidence)
    return pseudomedian(data.differences(columns), confidence)
