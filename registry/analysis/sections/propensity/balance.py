"""Balance of the covariates before and after, and the overlap of the scores."""

import numpy as np

from registry.analysis.results.propensity import Balanced, Overlap
from registry.analysis.sections import declared
from registry.stats.matching.balance import balance

BINS = 20  # of the histogram of scores


def balances(section, patients, done):
    """A row for each number and each category, of the patients with a score; standardised by the spread before."""
    asked, columns = [], []
    rows = done.ready.rows
    for name in section.covariates:
        column = patients.column(*declared.reference(name))
        held = set(column.codes[rows].tolist())
        places = [(place, code) for place, (code, _) in enumerate(column.categories) if place in held]
        levels = [(str(code), column.values == place) for place, code in places]
        for level, values in levels or [("", column.values)]:
            asked.append((column.name, level, column.visit))
            columns.append(np.where(column.known, values, np.nan))
    if not rows.any():
        return []
    x, treated = np.column_stack(columns)[rows], done.treated[rows]
    before = balance(x, treated, None, section.denominator)
    after = balance(x, treated, done.weights[rows], section.denominator) if (done.weights > 0).any() else None
    balanced = []
    for place, at in enumerate(asked):
        parts = [getattr(before, part)[place] for part in PARTS]
        balanced.append(
            Balanced(*at, *parts, *([getattr(after, part)[place] for part in PARTS] if after else [None] * 4))
        )
    return balanced


PARTS = ("mean_treated", "mean_control", "difference", "variance_ratio")


def overlap(section, done):
    edges = np.arange(BINS + 1) / BINS
    rows = []
    for code, side in ((section.treated, done.treated), (section.control, done.inside & ~done.treated)):
        score, weights = done.score[side], done.weights[side]
        known = np.isfinite(score)
        # A score of 0.5 that was computed as 0.4999999999999999 lies where it says, not where rounding left it.
        place = np.minimum(np.round(score[known] * BINS, 9).astype(int), BINS - 1)
        counts = np.bincount(place, minlength=BINS)
        sums = np.bincount(place, weights[known], minlength=BINS)
        rows += [Overlap(code, *map(float, edges[k : k + 2]), int(counts[k]), float(sums[k])) for k in range(BINS)]
    return rows
