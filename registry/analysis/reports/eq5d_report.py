"""The EQ-5D report: profiles, change of profiles, values and EQ VAS, as Devlin 2020 describes them.

Devlin N, Parkin D, Janssen B. Methods for Analysing and Reporting EQ-5D Data. Springer 2020,
doi:10.1007/978-3-030-47622-9. A profile needs all five answers; a level table counts each answer that there is.
"""

from dataclasses import dataclass, fields

import numpy as np

from registry.analysis.data.frame import EQ5D_BASE, EQ5D_CODES, MISSING
from registry.instruments import value_sets
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.stats.arrays import Counts
from registry.stats.describe import describe

ALL = "all"  # every group of the plan together
LEVELS = (1, 2, 3, 4, 5)
MOST_FREQUENT = 10
BEST, WORST = 11111, 55555
CLASSES = ("no_change", "improve", "worsen", "mixed_change")  # in the order of print
PROFILES = tuple(value_sets.get(value_sets.DEFAULT).table())  # 11111 … 55555
GRID_STEP = 125  # ranks of 3125 that one cell of the health profile grid joins


def eq5d_report(data):
    """The key `eq5d_report` of a result, of the runner's view of the data: lists of plain dicts, one a row."""
    groups, times, followups = data.groups, data.plan.timepoints, data.plan.followups
    profiles = {(g, t): _profiles(data.frame, groups[g], t) for g in groups for t in times}
    profiles = _with_all(groups, times, profiles, np.zeros(EQ5D_CODES, np.int64))
    pairs = {(g, t): _pairs(data.frame, groups[g], data.plan.baseline, t) for g in groups for t in followups}
    changes = {key: _Changes.of(*pair) for key, pair in pairs.items()}
    changes = _with_all(groups, followups, changes, _Changes())
    values = value_sets.get(data.plan.value_sets[0]).table()
    worth = np.array([values[state] for state in PROFILES])
    ranked = ranks(worth)[PLACES]
    return {
        "value_set": data.plan.value_sets[0],
        "levels": [
            row
            for dimension in range(len(DIMENSIONS))
            for group in (ALL, *groups)
            for timepoint in times
            for row in [_levels(profiles, dimension, group, timepoint)]
        ],
        "profiles": [_most_frequent(*key, *_complete(counts)) for key, counts in profiles.items()],
        "level_sum_scores": [_level_sum_scores(*key, *_complete(counts)) for key, counts in profiles.items()],
        "level_frequency_scores": [
            _level_frequency_scores(*key, *_complete(counts), worth) for key, counts in profiles.items()
        ],
        "profile_change": [_change(*key, counts) for key, counts in changes.items()],
        "dimension_change": [
            _dimension_change(place, *key, counts)
            for place in range(len(DIMENSIONS))
            for key, counts in changes.items()
        ],
        "values": [_summary(data, "hsuv", *key) for key in profiles],
        "eq_vas": [_summary(data, "eq_vas", *key) for key in profiles],
        "grid": [_grid(*key, *pair, ranked) for key, pair in pairs.items()],
    }


def _with_all(groups, times, counted, nothing):
    """What was counted by (group, timepoint), with that of every group together before it."""
    return {(ALL, when): sum((counted[group, when] for group in groups), nothing) for when in times} | counted


# What a packed answer of the frame says


def _digits():
    """(EQ5D_CODES, 5) levels of each packed state, 0 for no answer."""
    powers = EQ5D_BASE ** np.arange(len(DIMENSIONS))[::-1]
    return ((np.arange(EQ5D_CODES)[:, None] // powers) % EQ5D_BASE).astype(np.int8)


DIGITS = _digits()
COMPLETE = (DIGITS > 0).all(axis=1)
STATES = DIGITS @ 10 ** np.arange(len(DIMENSIONS))[::-1]  # of each packed state, such as 21232; 0 digits where missing
UNTROUBLED = int(np.flatnonzero(STATES == BEST)[0])
PLACES = np.where(COMPLETE, np.cumsum(COMPLETE) - 1, -1)  # of each packed state in PROFILES


BY_DIMENSION = np.ascontiguousarray(DIGITS.T)


def _packed(frame, chosen, timepoint):
    """(k,) packed states; who was not assessed at all gave no answer."""
    codes = frame[f"eq5d@{timepoint}"][chosen]
    return np.where(codes == MISSING, 0, codes)


def _profiles(frame, chosen, timepoint):
    """(EQ5D_CODES,) how many patients gave each set of answers."""
    return np.bincount(_packed(frame, chosen, timepoint), minlength=EQ5D_CODES)


def _complete(counts):
    """The counts, and how many of the patients gave all five answers."""
    return counts, int(counts[COMPLETE].sum())


def _pairs(frame, chosen, baseline, followup):
    """Packed states before (m,) and after (m,) of the patients with both complete, and how many are without."""
    before, after = _packed(frame, chosen, baseline), _packed(frame, chosen, followup)
    both = COMPLETE[before] & COMPLETE[after]
    return before[both], after[both], int(both.size - np.count_nonzero(both))


@dataclass(frozen=True)
class _Changes:
    """How many changed in which way.

    untroubled  at 11111 before and after
    classes     (4,) in the order of CLASSES
    dimensions  (5, 3) became better, stayed and became worse in each dimension
    """

    n: int = 0
    missing: int = 0
    untroubled: int = 0
    classes: np.ndarray | int = 0
    dimensions: np.ndarray | int = 0

    def __add__(self, other):
        return _Changes(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @classmethod
    def of(cls, before, after, missing):
        """Of packed states before (m,) and after (m,), both complete."""
        first, second = (np.take(BY_DIMENSION, codes, axis=1) for codes in (before, after))
        classes = np.bincount(paretian_class(first.T, second.T), minlength=len(CLASSES))
        better, worse = (second < first).sum(axis=1), (second > first).sum(axis=1)
        untroubled = int(np.count_nonzero((before == UNTROUBLED) & (after == UNTROUBLED)))
        dimensions = np.column_stack([better, before.size - better - worse, worse])
        return cls(before.size, missing, untroubled, classes, dimensions)


# Rows


def _levels(profiles, dimension, group, timepoint):
    """Answers to one dimension, whether or not the others were answered."""
    by_level = np.bincount(DIGITS[:, dimension], weights=profiles[group, timepoint], minlength=EQ5D_BASE).astype(int)
    return {
        "dimension": DIMENSIONS[dimension].name,
        "group": group,
        "timepoint": timepoint,
        "n": int(by_level[1:].sum()),
        "missing": int(by_level[0]),
        "counts": {str(level): int(by_level[level]) for level in LEVELS},
        "any_problem": int(by_level[2:].sum()),
    }


def _of(group, timepoint, counts, n):
    return {"group": group, "timepoint": timepoint, "n": n, "missing": int(counts.sum()) - n}


def _most_frequent(group, timepoint, counts, n):
    """The ten most frequent profiles, better ones first where several are as frequent; then the worst of all."""
    seen = np.flatnonzero(COMPLETE & (counts > 0))
    top = seen[np.lexsort((STATES[seen], -counts[seen]))[:MOST_FREQUENT]]
    return _of(group, timepoint, counts, n) | {
        "different": seen.size,
        "most_frequent": [{"state": int(STATES[code]), "count": int(counts[code])} for code in top],
        "worst": {"state": WORST, "count": int(counts[STATES == WORST].sum())},
    }


def _level_sum_scores(group, timepoint, counts, n):
    """The sum of the five levels, 5 to 25."""
    sums = DIGITS[COMPLETE].sum(axis=1)
    by_score = np.bincount(sums, weights=counts[COMPLETE], minlength=26).astype(int)
    scores = {score: int(by_score[score]) for score in range(5, 26)}
    description = describe(Counts(list(scores), list(scores.values())))
    return _of(group, timepoint, counts, n) | {
        "mean": description.mean,
        "sd": description.sd,
        "median": description.median,
        "q1": description.first_quartile,
        "q3": description.third_quartile,
        "counts": {str(score): count for score, count in scores.items()},
    }


def _level_frequency_scores(group, timepoint, counts, n, worth):
    """How many dimensions are at level 1, 2, … 5, as five digits: each score seen, how often, and its mean value."""
    occurring = np.flatnonzero(COMPLETE & (counts > 0))
    at_level = (DIGITS[occurring, :, None] == np.array(LEVELS)).sum(axis=1)
    scores, where = np.unique(at_level @ 10 ** np.arange(len(LEVELS))[::-1], return_inverse=True)
    weights = counts[occurring]
    total = np.bincount(where, weights=weights, minlength=scores.size)
    value = np.bincount(where, weights=weights * worth[PLACES[occurring]], minlength=scores.size)
    rows = [
        {"score": f"{score:05d}", "count": int(count), "mean_value": float(sum_ / count)}
        for score, count, sum_ in zip(scores.tolist(), total, value, strict=True)
    ]
    return _of(group, timepoint, counts, n) | {"scores": sorted(rows, key=lambda row: row["score"], reverse=True)}


def paretian_class(before, after):
    """Places in CLASSES of pairs of profiles.

    before, after  (m, 5) levels. Improve: better in one dimension or more and worse in none; worsen: the reverse;
    mixed change: both; no change: the same profile. Source: Devlin, Parkin, Browne 2010, doi:10.1002/hec.1608.
    """
    better, worse = np.zeros(len(before), bool), np.zeros(len(before), bool)
    for first, second in zip(before.T, after.T, strict=True):
        better |= second < first
        worse |= second > first
    return better + 2 * worse


def _change(group, timepoint, changes):
    """The Paretian classification of health change; `no_problems` are those of no change who were at 11111 twice."""
    classes = np.broadcast_to(changes.classes, len(CLASSES)).tolist()
    return {"group": group, "timepoint": timepoint, "n": changes.n, "missing": changes.missing} | {
        "classes": dict(zip(CLASSES, classes, strict=True)),
        "no_problems": changes.untroubled,
    }


def _dimension_change(dimension, group, timepoint, changes):
    """How many became better, stayed and became worse in one dimension, of the complete pairs."""
    better, same, worse = np.broadcast_to(changes.dimensions, (len(DIMENSIONS), 3))[dimension].tolist()
    return {
        "dimension": DIMENSIONS[dimension].name,
        "group": group,
        "timepoint": timepoint,
        "n": changes.n,
        "missing": changes.missing,
        "improve": better,
        "no_change": same,
        "worsen": worse,
    }


def _summary(data, name, group, timepoint):
    """Skewness and kurtosis with divisor n; a normal distribution has kurtosis 3."""
    description = describe(Counts(*_counts(data, name, group, timepoint)))
    span = None if description.maximum is None else description.maximum - description.minimum
    return {
        "group": group,
        "timepoint": timepoint,
        "mean": description.mean,
        "standard_error": description.standard_error,
        "median": description.median,
        "q1": description.first_quartile,
        "q3": description.third_quartile,
        "mode": description.mode,
        "sd": description.sd,
        "kurtosis": description.kurtosis,
        "skewness": description.skewness,
        "min": description.minimum,
        "max": description.maximum,
        "range": span,
        "n": description.n,
        "missing": description.missing,
    }


def _counts(data, name, group, timepoint):
    """Values (k,), how often each occurs, and how many have none."""
    if group != ALL:
        return data.counts(name, group, timepoint)
    values = data.coded(name, timepoint).values
    counted = [data.counts(name, code, timepoint)[1:] for code in data.groups]
    return values, sum((counts for counts, _ in counted), np.zeros(len(values), np.int64)), sum(m for _, m in counted)


def ranks(worth):
    """(3125,) rank of each profile by its value, 1 the best; profiles of one value share the mean of their ranks."""
    _, place, counts = np.unique(-np.asarray(worth), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _grid(group, timepoint, before, after, missing, ranked):
    """The health profile grid: ranks before and after, joined to cells; [cell before, cell after, patients].

    Cell c stands for the ranks from c × GRID_STEP up to the next; no single patient's profile can be read from it.
    ranked  (EQ5D_CODES,) the rank of each packed state that is complete
    """
    first, second = ranked[before], ranked[after]
    width = len(PROFILES) // GRID_STEP + 1
    cell = ((ranked - 1) // GRID_STEP).astype(np.intp)
    counts = np.bincount(cell[before] * width + cell[after])
    places = np.flatnonzero(counts).tolist()
    return {
        "group": group,
        "timepoint": timepoint,
        "n": before.size,
        "missing": missing,
        "better": int(np.count_nonzero(second < first)),
        "same": int(np.count_nonzero(second == first)),
        "worse": int(np.count_nonzero(second > first)),
        "step": GRID_STEP,
        "counts": [[*divmod(place, width), int(counts[place])] for place in places],
    }
