"""The EQ-5D report: profiles, change of profiles, values and EQ VAS, as Devlin 2020 describes them.

Devlin N, Parkin D, Janssen B. Methods for Analysing and Reporting EQ-5D Data. Springer 2020,
doi:10.1007/978-3-030-47622-9. A profile needs all five answers; a level table counts each answer that there is.
"""

import numpy as np

from registry.analysis.frame import EQ5D_BASE, EQ5D_CODES, MISSING
from registry.instruments import value_sets
from registry.instruments.eq5d5l import DIMENSIONS
from registry.stats.arrays import Counts
from registry.stats.describe import describe

ALL = "all"  # every group of the plan together
LEVELS = (1, 2, 3, 4, 5)
MOST_FREQUENT = 10
WORST = 55555
CLASSES = ("no_change", "improve", "worsen", "mixed_change")  # in the order of print
PROFILES = tuple(value_sets.get(value_sets.DEFAULT).table())  # 11111 … 55555
GRID_STEP = 125  # ranks of 3125 that one cell of the health profile grid joins


def eq5d_report(data):
    """The key `eq5d_report` of a result, of the runner's view of the data: lists of plain dicts, one a row."""
    groups = {ALL: _together(data.groups)} | data.groups
    times, followups, baseline = data.plan.timepoints, data.plan.followups, data.plan.baseline
    profiles = {(g, t): _profiles(data.frame, chosen, t) for g, chosen in groups.items() for t in times}
    changes = {(g, t): _pairs(data.frame, chosen, baseline, t) for g, chosen in groups.items() for t in followups}
    values = value_sets.get(data.plan.value_sets[0]).table()
    worth = np.array([values[state] for state in PROFILES])
    return {
        "value_set": data.plan.value_sets[0],
        "levels": [
            row
            for dimension in range(len(DIMENSIONS))
            for group in groups
            for timepoint in times
            for row in [_levels(profiles, dimension, group, timepoint)]
        ],
        "profiles": [_most_frequent(*key, *profiles[key]) for key in profiles],
        "level_sum_scores": [_level_sum_scores(*key, *profiles[key]) for key in profiles],
        "level_frequency_scores": [_level_frequency_scores(*key, *profiles[key], worth) for key in profiles],
        "profile_change": [_change(*key, *changes[key]) for key in changes],
        "dimension_change": [
            _dimension_change(place, *key, *changes[key]) for place in range(len(DIMENSIONS)) for key in changes
        ],
        "values": [_summary(data, "hsuv", group, groups[group], timepoint) for group, timepoint in profiles],
        "eq_vas": [_summary(data, "eq_vas", group, groups[group], timepoint) for group, timepoint in profiles],
        "grid": [
            _grid(group, timepoint, changes[group, timepoint], worth)
            for group in data.groups
            for timepoint in followups
        ],
    }


def _together(groups):
    """The slice of all groups, which stand one after the other."""
    return slice(0, max((rows.stop for rows in groups.values()), default=0))


# What a packed answer of the frame says


def _digits():
    """(EQ5D_CODES, 5) levels of each packed state, 0 for no answer."""
    powers = EQ5D_BASE ** np.arange(len(DIMENSIONS))[::-1]
    return ((np.arange(EQ5D_CODES)[:, None] // powers) % EQ5D_BASE).astype(np.int8)


DIGITS = _digits()
COMPLETE = (DIGITS > 0).all(axis=1)
STATES = DIGITS @ 10 ** np.arange(len(DIMENSIONS))[::-1]  # of each packed state, such as 21232; 0 digits where missing
PLACES = np.where(COMPLETE, np.cumsum(COMPLETE) - 1, -1)  # of each packed state in PROFILES


def _packed(frame, chosen, timepoint):
    """(k,) packed states; who was not assessed at all gave no answer."""
    codes = frame[f"eq5d@{timepoint}"][chosen]
    return np.where(codes == MISSING, 0, codes)


def _profiles(frame, chosen, timepoint):
    """(EQ5D_CODES,) how many patients gave each set of answers; and how many gave all five."""
    counts = np.bincount(_packed(frame, chosen, timepoint), minlength=EQ5D_CODES)
    return counts, int(counts[COMPLETE].sum())


def _pairs(frame, chosen, baseline, followup):
    """Packed states before (m,) and after (m,) that occur together, both complete, how often, and who has no pair."""
    before, after = _packed(frame, chosen, baseline), _packed(frame, chosen, followup)
    both = COMPLETE[before] & COMPLETE[after]
    found, counts = np.unique(before[both].astype(np.int32) * EQ5D_CODES + after[both], return_counts=True)
    # Small integers, since every pair of a million patients may be another one.
    first, second = (codes.astype(np.int16) for codes in np.divmod(found, EQ5D_CODES))
    return first, second, counts.astype(np.int32), int(both.size - both.sum())


# Rows


def _levels(profiles, dimension, group, timepoint):
    """Answers to one dimension, whether or not the others were answered."""
    counts, _ = profiles[group, timepoint]
    by_level = np.bincount(DIGITS[:, dimension], weights=counts, minlength=EQ5D_BASE).astype(int)
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
    told = describe(Counts(list(scores), list(scores.values())))
    return _of(group, timepoint, counts, n) | {
        "mean": told.mean,
        "sd": told.sd,
        "median": told.median,
        "q1": told.first_quartile,
        "q3": told.third_quartile,
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
    better, worse = (after < before).any(axis=1), (after > before).any(axis=1)
    return better + 2 * worse


def _change(group, timepoint, before, after, counts, missing):
    """The Paretian classification of health change; `no_problems` are those of no change who were at 11111 twice."""
    by_class = np.bincount(paretian_class(DIGITS[before], DIGITS[after]), weights=counts, minlength=4).astype(int)
    untroubled = int(counts[(STATES[before] == 11111) & (STATES[after] == 11111)].sum())
    return {"group": group, "timepoint": timepoint, "n": int(counts.sum()), "missing": missing} | {
        "classes": dict(zip(CLASSES, by_class.tolist(), strict=True)),
        "no_problems": untroubled,
    }


def _dimension_change(dimension, group, timepoint, before, after, counts, missing):
    """How many became better, stayed and became worse in one dimension, of the complete pairs."""
    change = np.sign(DIGITS[after, dimension] - DIGITS[before, dimension]) + 1
    better, same, worse = np.bincount(change, weights=counts, minlength=3).astype(int).tolist()
    return {
        "dimension": DIMENSIONS[dimension].name,
        "group": group,
        "timepoint": timepoint,
        "n": int(counts.sum()),
        "missing": missing,
        "improve": better,
        "no_change": same,
        "worsen": worse,
    }


def _summary(data, name, group, chosen, timepoint):
    """Skewness and kurtosis with divisor n; a normal distribution has kurtosis 3."""
    told = describe(data.coded(name, timepoint).sample(chosen))
    span = None if told.maximum is None else told.maximum - told.minimum
    return {
        "group": group,
        "timepoint": timepoint,
        "mean": told.mean,
        "standard_error": told.standard_error,
        "median": told.median,
        "q1": told.first_quartile,
        "q3": told.third_quartile,
        "mode": told.mode,
        "sd": told.sd,
        "kurtosis": told.kurtosis,
        "skewness": told.skewness,
        "min": told.minimum,
        "max": told.maximum,
        "range": span,
        "n": told.n,
        "missing": told.missing,
    }


def ranks(worth):
    """(3125,) rank of each profile by its value, 1 the best; profiles of one value share the mean of their ranks."""
    _, place, counts = np.unique(-np.asarray(worth), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _grid(group, timepoint, pairs, worth):
    """The health profile grid: ranks before and after, joined to cells; [cell before, cell after, patients].

    Cell c stands for the ranks from c × GRID_STEP up to the next; no single patient's profile can be read from it.
    """
    before, after, counts, missing = pairs
    ranked = ranks(worth)
    first, second = ranked[PLACES[before]], ranked[PLACES[after]]
    width = len(PROFILES) // GRID_STEP + 1
    cells = ((first - 1) // GRID_STEP * width + (second - 1) // GRID_STEP).astype(np.int64)
    summed = np.bincount(cells, weights=counts).astype(int)
    found = np.flatnonzero(summed).tolist()
    return {
        "group": group,
        "timepoint": timepoint,
        "n": int(counts.sum()),
        "missing": missing,
        "better": int(counts[second < first].sum()),
        "same": int(counts[second == first].sum()),
        "worse": int(counts[second > first].sum()),
        "step": GRID_STEP,
        "counts": [[*divmod(cell, width), int(summed[cell])] for cell in found],
    }
