"""Weighted patients in comparisons: a run's patients with the weights of a propensity section (inverse probability,
overlap, controls that are used again), their weighted means and shares, and robust tests and effects of the two groups.
Differences are the first group of the plan less (or over) the second.
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.design.variables.sources import BINARY
from registry.analysis.sections import propensity, reading
from registry.analysis.sections.comparing import comparison_tests as tests
from registry.analysis.sections.comparing import matched
from registry.stats.arrays import NotEstimable
from registry.stats.matching.balance import balance, effective
from registry.stats.matching.weighted_groups import weighted_moments, weighted_ratio, weighted_shares, weighted_wald
from registry.stats.matching.weights import weighted_difference


@dataclass(frozen=True, eq=False)
class WeightedData(matched.MatchedData):
    """A `running.runner.Data` narrowed to the two groups of a propensity section and to whoever has a weight."""

    kind = tests.WEIGHTED
    sets_are = "weights"

    @property
    def weights(self):
        return self.made.weights

    @property
    def first(self):
        """(n,) bool: in the first of the two groups."""
        return self.made.treated if self.sign > 0 else self.made.inside & ~self.made.treated

    def complete(self, columns):
        return columns.known & (self.weights > 0)

    def sizes(self):
        """Rows of how many patients of each group have a weight, and how many equal ones they are worth."""
        return [
            {"group": code, "n": int(places.size), "effective": effective(self.weights[places])}
            for code, places in self.groups.items()
        ]

    def values(self, columns):
        """(n,) of whoever has a weight: numbers, or 1 and 0 for the first of two categories; NaN where unknown."""
        values = (
            np.where(columns.known, columns.values == 0, np.nan) if columns.variable.is_categorical else columns.values
        )
        return np.where(self.weights > 0, values, np.nan)


def narrowed(data, code):
    """The MatchedData, or WeightedData, of a propensity section of the run."""
    section = reading.propensity_of(code, data.plan)
    return (WeightedData if propensity.is_weighted(section) else matched.MatchedData).of(data, code)


def columns(data, entry):
    """For data.csv of the bundle: who is in which matched set, or has which weight."""
    if not entry.matched:
        return
    sets = narrowed(data, entry.matched)
    if isinstance(sets, WeightedData):
        yield f"plan.weight.{entry.matched}", np.where(sets.weights > 0, sets.weights, np.nan)
    else:
        yield f"plan.set.{entry.matched}", np.where(sets.made.sets >= 0, sets.made.sets, np.nan)


def distribution(data, columns, places):
    """Weighted mean and standard deviation of a group, or the weighted share of each category."""
    weights = data.weights[places]
    if not columns.variable.is_categorical:
        return dict(zip(("mean", "sd"), weighted_moments(columns.values[places], weights), strict=True))
    choices = columns.variable.categories
    shares = weighted_shares(columns.codes[places], len(choices), weights)
    return {"weighted": {str(choice.code): share for choice, share in zip(choices, map(_finite, shares), strict=True)}}


def _finite(number):
    return float(number) if np.isfinite(number) else None


def run_test(data, test, columns):
    """The answer of a robust test of the two groups. NotEstimable."""
    if test.code == "weighted_wald":
        codes = np.where(data.weights > 0, columns.codes, -1)
        return weighted_wald(codes, len(columns.variable.categories), data.first, data.weights)
    return weighted_difference(*_of_used(data, columns))


def estimate(data, measure, columns, confidence):
    """The effect of the two groups with estimate, low and high. NotEstimable."""
    if measure in tests.RATIOS:
        return weighted_ratio(*_of_used(data, columns), measure, confidence)
    return weighted_difference(*_of_used(data, columns), confidence)


def _of_used(data, columns):
    used = data.weights > 0
    return data.values(columns)[used], data.first[used], data.weights[used]


def smd(data, columns):
    """Standardised difference of the weighted groups over the spread before weighting; None for several categories."""
    variable = columns.variable
    if variable.is_categorical and variable.kind != BINARY:
        return None
    values, first, weights = _of_used(data, columns)
    try:
        return _finite(balance(values[:, None], first, weights).difference[0])
    except NotEstimable:
        return None
