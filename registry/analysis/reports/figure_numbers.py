"""What the figures need beyond the tables' rows, counted by the runner and kept in the result.

With it a stored run draws its figures again without the patients. Nothing here is a patient's own: individual
trajectories and distributions are counts of values rounded to the steps of STEPS, without identifiers.
"""

import numpy as np

from registry.analysis.data.coded_columns import joint_counts
from registry.analysis.design import thresholds
from registry.analysis.reports.lesion_report import levels_of
from registry.instruments import variables
from registry.stats.describe import describe

STEPS = {"hsuv": 0.05}  # what a value is rounded to before it is counted; 5 points of a scale of 100 for the others
STEP = 5
WHISKER = 1.5  # interquartile ranges that a whisker reaches at most, as Tukey drew it


def figures(data):
    """The key `figures` of a result, of the runner's view of the data: lists of plain dicts, one a row."""
    plan = data.plan
    continuous = [name for name in plan.outcomes if variables.get(name).kind == "continuous"]
    rows = [(name, code, followup) for name in continuous for followup in plan.followups for code in data.groups]
    changes = {row: data.changes(*row) for row in rows if row[0] in plan.deltas}
    return {
        "levels": [_levels(data, code) for code in data.groups],
        "distributions": [
            _distribution(data, name, code, timepoint)
            for name in continuous
            for code in data.groups
            for timepoint in plan.timepoints
        ],
        "trajectories": [_of(*row) | _trajectories(data, *row) for row in rows],
        "changes": [_of(*row) | _mean_change(counts) for row, counts in changes.items()],
        "responders": [
            _of(*row) | _responders(threshold, change)
            for row, change in changes.items()
            for threshold in _thresholds(plan, row[0])
        ],
        "thresholds": [threshold.to_json() for name in plan.deltas for threshold in _thresholds(plan, name)],
    }


def _of(name, code, timepoint):
    return {"variable": name, "group": code, "timepoint": timepoint}


def _thresholds(plan, name):
    return thresholds.of(name, plan.value_sets[0])


def _levels(data, code):
    counts = levels_of(data, data.groups[code])
    return {"group": code} | {name: counts[name] for name in ("n", "missing", "counts")}


def step_of(name):
    return STEPS.get(name, STEP)


def _on_steps(values, step):
    """The number of steps nearest to each value, halves upward."""
    return np.floor(np.asarray(values, float) / step + 0.5).astype(np.int64)


def _distribution(data, name, code, timepoint):
    """A box: quartiles, whiskers to the last value within 1.5 interquartile ranges, and counts of rounded values."""
    sample = data.sample(name, code, timepoint)
    description, step = describe(sample), step_of(name)
    row = {"variable": name, "group": code, "timepoint": timepoint, "n": description.n, "missing": description.missing}
    row |= {
        "mean": description.mean,
        "median": description.median,
        "q1": description.first_quartile,
        "q3": description.third_quartile,
    }
    row |= dict(zip(("low", "high"), _whiskers(sample, description), strict=True)) | {
        "min": description.minimum,
        "max": description.maximum,
    }
    places, where = np.unique(_on_steps(sample.values, step), return_inverse=True)
    counts = np.bincount(where, weights=sample.counts, minlength=places.size).astype(np.int64)
    return row | {"step": step, "counts": [[_value(p, step), int(c)] for p, c in zip(places, counts, strict=True)]}


def _value(place, step):
    """So many steps as a number without binary dust: 13 × 0.05 is 0.65."""
    return round(float(place * step), 6)


def _whiskers(sample, description):
    if not description.n:
        return None, None
    reach = WHISKER * (description.third_quartile - description.first_quartile)
    inside = sample.values[
        (sample.values >= description.first_quartile - reach) & (sample.values <= description.third_quartile + reach)
    ]
    return float(min(inside[0], description.first_quartile)), float(max(inside[-1], description.third_quartile))


def _trajectories(data, name, code, followup):
    """How many patients went from which rounded value to which."""
    step = step_of(name)
    before, after = data.coded(name, data.plan.baseline), data.coded(name, followup)
    first, second = _on_steps(before.values, step), _on_steps(after.values, step)
    lowest = min(first.min(initial=0), second.min(initial=0))
    joint = joint_counts(before, after, data.groups[code], first - lowest, second - lowest)
    highest = max(first.max(initial=0), second.max(initial=0))
    worth = [_value(place, step) for place in range(lowest, highest + 1)]

    def at(places):
        return [worth[place] for place in places.tolist()]

    return {
        "n": int(joint[2].sum()),
        "missing": int(joint[3]),
        "step": step,
        "counts": [list(row) for row in zip(at(joint[0]), at(joint[1]), joint[2].tolist(), strict=True)],
    }


def _mean_change(changes):
    """Mean change with its confidence interval. R: t.test(after - before)$conf.int"""
    description = describe(changes)
    return {
        "n": description.n,
        "missing": description.missing,
        "mean": description.mean,
        "sd": description.sd,
        "low": description.mean_low,
        "high": description.mean_high,
    }


def _responders(threshold, changes):
    """How many changed for the better by the threshold or more, and how many for the worse by as much."""
    better = changes.values if variables.get(threshold.variable).higher_is == "better" else -changes.values
    return {
        "threshold": threshold.value,
        "n": changes.n,
        "missing": changes.missing,
        "responders": int(changes.counts[better >= threshold.value].sum()),
        "worsened": int(changes.counts[better <= -threshold.value].sum()),
    }
