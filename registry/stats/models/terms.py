"""Terms of a model: factors and numbers made into columns, as R's model.matrix with treatment contrasts does it.

    design = Design({"arm": Factor(codes, 2), "baseline": Number(score)}, [("arm",), ("baseline",)])

The first term of all is the intercept. An interaction such as ("visit", "arm") has the products of its parts' columns,
the first part's varying fastest, and follows the terms of its parts.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable


@dataclass(frozen=True, eq=False)
class Number:
    """A covariate (n,), NaN where unknown. Least-squares means hold it at its mean over the people of the model."""

    values: np.ndarray

    def columns(self, rows: Any) -> np.ndarray:
        return np.asarray(self.values, float)[rows][:, None]

    def known(self) -> np.ndarray:
        return np.isfinite(np.asarray(self.values, float))

    def names(self) -> tuple[str]:
        return ("",)


@dataclass(frozen=True, eq=False)
class Factor:
    """Categories (n,) as whole numbers 0 to levels - 1, anything else unknown; the first level is the reference."""

    codes: np.ndarray
    levels: int

    def columns(self, rows: Any) -> Any:
        return (np.asarray(self.codes)[rows][:, None] == np.arange(1, self.levels)).astype(float)

    def known(self) -> np.ndarray:
        codes = np.asarray(self.codes)
        return np.isin(codes, np.arange(self.levels))

    def names(self) -> tuple[str, ...]:
        return tuple(str(level) for level in range(1, self.levels))

    def at(self, level: Any) -> Any:
        return (np.arange(1, self.levels) == level).astype(float)

    def average(self) -> Any:
        return np.full(self.levels - 1, 1 / self.levels)


class Design:
    """Columns of a model and how least-squares means combine them.

    variables  name -> Number or Factor, of n people (or n rows)
    terms      tuples of names, main effects before the interactions that hold them
    rows       (n,) bool: who is in the model; all who are known in every variable unless given
    """

    def __init__(self, variables: Any, terms: Any, rows: Any = None) -> None:
        self.variables, self.terms = dict(variables), [tuple(term) for term in terms]
        known = np.logical_and.reduce([variable.known() for variable in self.variables.values()])
        self.rows = known if rows is None else known & np.asarray(rows, bool)
        if not self.rows.any():
            raise NotEstimable("empty")
        parts = {name: variable.columns(self.rows) for name, variable in self.variables.items()}
        self.means = {name: part.mean(axis=0) for name, part in parts.items()}
        blocks = [np.ones((int(self.rows.sum()), 1))]
        self.names, self.of_term = ["intercept"], [()]
        for term in self.terms:
            blocks.append(self._crossed([parts[name] for name in term]))
            for chosen in product(*[self.variables[name].names() for name in reversed(term)]):
                self.names.append(":".join(f"{n}{label}" for n, label in zip(term, reversed(chosen), strict=True)))
                self.of_term.append(term)
        self.matrix = np.concatenate(blocks, axis=1)

    @staticmethod
    def _crossed(parts: Any) -> Any:
        """Products of columns (n, a), (n, b), …: (n, a b …), the first part's varying fastest."""
        crossed = parts[0]
        for part in parts[1:]:
            crossed = (part[:, :, None] * crossed[:, None, :]).reshape(len(crossed), -1)
        return crossed

    def reference_row(self, settings: Any) -> np.ndarray:
        """The row (p,) of a least-squares mean: factors at their settings, else averaged evenly; numbers at their mean.

        settings  name -> level of a factor, or value of a number
        """
        parts = {}
        for name, variable in self.variables.items():
            if isinstance(variable, Factor):
                parts[name] = variable.at(settings[name]) if name in settings else variable.average()
            else:
                parts[name] = np.array([settings[name]], float) if name in settings else self.means[name]
        crossed = [self._crossed([parts[name][None] for name in term])[0] for term in self.terms]
        return np.concatenate([[1.0], *crossed])

    def columns_of(self, term: Any) -> list[int]:
        """Positions of a term's columns."""
        return [place for place, name in enumerate(self.of_term) if name == tuple(term)]
