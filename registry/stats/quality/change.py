"""Responders by a minimal important difference, transitions of a grade, and worst ranks for the dead."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, rounded
from registry.stats.categorical import TableTest
from registry.stats.effects.proportions import Estimate, wilson
from registry.stats.ordered.symmetry import bowker, marginal_homogeneity


@dataclass(frozen=True)
class Responders:
    """How many changed by the threshold or more for the better or the worse, or by less; share of the first."""

    improved: int
    same: int
    worse: int
    n: int
    missing: int
    threshold: float
    share: Estimate
    method: str = "responders"


@dataclass(frozen=True, eq=False)
class Transitions:
    """table (k, k): pairs, rows before, columns after. up counts those whose code rose, down those whose code fell.

    symmetry, homogeneity  Bowker's and Stuart-Maxwell's tests, None where nobody changed
    """

    table: np.ndarray
    n: int
    missing: int
    up: int
    same: int
    down: int
    symmetry: TableTest | None
    homogeneity: TableTest | None
    method: str = "transitions"


def responders(
    changes: Any, threshold: Any, higher_is_better: bool = True, confidence: float = 0.95, decimals: int = 9
) -> Responders:
    """Patients whose change reaches the minimal important difference.

    changes    sample of after - before, complete pairs (`arrays.differences`)
    threshold  above zero, in the unit of the score; a change of exactly that much counts
    Raises NotEstimable(`empty`).
    R: mean(round(d, 9) >= threshold); prop.test(x, n, correct = FALSE)$conf.int
    """
    if not threshold > 0:
        raise ValueError("a minimal important difference is above zero")
    sample = rounded(changes, decimals)
    if sample.n == 0:
        raise NotEstimable("empty")
    better = sample.values if higher_is_better else -sample.values
    limit = round(threshold, decimals) if decimals is not None else threshold
    improved, worse = (int(sample.counts[side].sum()) for side in (better >= limit, better <= -limit))
    share = wilson(improved, sample.n, confidence)
    return Responders(improved, sample.n - improved - worse, worse, sample.n, sample.missing, threshold, share)


def transitions(before: Any, after: Any, grades: Any) -> Transitions:
    """Table of a grade before and after in the same patients, with the tests of its margins.

    before, after  (n,) whole numbers 0 to grades - 1, anything else unknown: such patients are missing
    R: table(before, after)
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        raise ValueError("before and after must have the same length")
    known = np.isin(before, np.arange(grades)) & np.isin(after, np.arange(grades))
    first, second = before[known].astype(int), after[known].astype(int)
    table = np.bincount(first * grades + second, minlength=grades * grades).reshape(grades, grades)
    up, down = int(np.triu(table, 1).sum()), int(np.tril(table, -1).sum())
    n = int(table.sum())
    tests = (bowker(table), marginal_homogeneity(table)) if up + down else (None, None)
    return Transitions(table, n, int(before.size - n), up, n - up - down, down, *tests)


def worst_rank(values: Any, died: Any, died_on: Any = None, higher_is_better: bool = True) -> Any:
    """Values as ranks in which the dead stand below all survivors, for rank tests that leave nobody out.

    values   (n,) of the survivors, NaN where unknown; died (n,) bool, dead before the value was due
    died_on  (n,) day of death: earlier deaths rank lower; without it, or for an unknown day, all dead are equal
    Returns (n,) numbers of which only the order tells: higher is better; NaN for survivors without a value.
    R: ifelse(dead, min(y) - 1 - (max(day) - day), y), for rank(…) and wilcox.test
    Source: Lachin 1999, doi:10.1016/S0197-2456(99)00022-6.
    """
    values, died = np.asarray(values, float), np.asarray(died).astype(bool)
    scored = np.where(died, np.nan, values if higher_is_better else -values)
    place = np.unique(scored[~np.isnan(scored)], return_inverse=True)[1]
    ranks = np.full(values.size, np.nan)
    ranks[~np.isnan(scored)] = place + 1.0
    day = np.full(values.size, np.nan) if died_on is None else np.asarray(died_on, float)
    if died.any():
        known = died & ~np.isnan(day) if not np.isnan(day[died]).any() else np.zeros_like(died)
        later = np.unique(day[known], return_inverse=True)[1] if known.any() else 0
        ranks[died] = 0.0
        if known.any():
            ranks[known] = later - float(np.max(later))
    return ranks
