"""Covariates as a model's columns: numbers as they are, categories against the first that somebody has.

What cannot be in a model (known for nobody, the same in everybody) is left out with its reason, and the rest is fitted.
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.sections.columns import Column
from registry.analysis.sections.estimable import NOT_ESTIMABLE
from registry.instruments.base import Label
from registry.stats.arrays import REASONS
from registry.stats.models.terms import Factor, Number

UNKNOWN = NOT_ESTIMABLE.format(REASONS["empty"])
GROUP = Label("Group", "群")
CONSTANT = NOT_ESTIMABLE.format(REASONS["constant_covariate"])


@dataclass(frozen=True)
class Term:
    """One column of a model: of a number (level ""), or of a category against the reference."""

    variable: str
    visit: str = ""
    level: str = ""
    reference: str = ""


@dataclass(frozen=True, eq=False)
class Covariates:
    """Those that can be in a model of some patients.

    rows     (n,) bool: everything known, among those asked for
    terms    a Term for each of columns (n, p)
    dropped  {(variable, visit): reason} of those left out
    used     Columns in their order; levels: places of the categories of each that somebody has, () of numbers
    """

    rows: np.ndarray
    terms: tuple
    columns: np.ndarray
    dropped: dict
    used: tuple
    levels: tuple

    def variables(self):
        """Numbers and Factors as the linear models take them; categories that nobody has are gone."""
        variables = []
        for column, levels in zip(self.used, self.levels, strict=True):
            if not levels:
                variables.append(Number(np.where(self.rows, column.values, np.nan)))
                continue
            place = np.full(len(column.categories) + 1, -1)  # the last stands for unknown
            place[list(levels)] = range(len(levels))
            variables.append(Factor(np.where(self.rows, place[column.codes], -1), len(levels)))
        return tuple(variables)

    def places_of(self, column):
        """Positions of the columns of one covariate."""
        return [
            place for place, term in enumerate(self.terms) if (term.variable, term.visit) == (column.name, column.visit)
        ]


def covariates(asked, rows):
    """Covariates of Columns among the patients rows (n,) bool, of whom all else is known."""
    rows, dropped, used = np.array(rows, bool), {}, []
    for column in asked:
        if (column.known & rows).any():
            used.append(column)
        else:
            dropped[column.name, column.visit] = UNKNOWN
    for column in used:
        rows &= column.known
    varying, levels, terms, parts = [], [], [], []
    for column in used:
        values = column.values[rows]
        if not values.size or (values == values[0]).all():
            dropped[column.name, column.visit] = CONSTANT if values.size else UNKNOWN
            continue
        varying.append(column)
        if not column.categories:
            levels.append(())
            terms.append(Term(column.name, column.visit))
            parts.append(column.values)
            continue
        present = tuple(int(place) for place in np.unique(values))
        levels.append(present)
        reference, *others = present
        for place in others:
            codes = [column.categories[level][0] for level in (place, reference)]
            terms.append(Term(column.name, column.visit, *map(str, codes)))
            parts.append(np.where(column.known, column.values == place, np.nan))
    columns = np.column_stack(parts) if parts else np.empty((rows.size, 0))
    return Covariates(rows, tuple(terms), columns, dropped, tuple(varying), tuple(levels))


def group_column(patients, places=None):
    """The groups as a Column, the first (or that of `places`) the reference."""
    places = range(len(patients.groups)) if places is None else places
    values = np.full(patients.n, np.nan)
    for number, place in enumerate(places):
        values[patients.group == place] = number
    return Column("group", GROUP, values, tuple(patients.groups[place] for place in places), "nominal")


def named(where, terms):
    """“age_at_surgery, sex” of the positions that a NotEstimable names."""
    names = dict.fromkeys(terms[place].variable for place in where if place < len(terms))
    return ", ".join(names)
