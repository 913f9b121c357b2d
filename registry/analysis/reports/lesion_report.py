"""Where the lesions are and how unstable they were by what was done: Tables 1 and 3 of the segment study."""

import numpy as np

from registry.analysis.data.coded_columns import joint_counts
from registry.instruments import levels
from registry.instruments.core import patient, sins
from registry.stats.arrays import Counts
from registry.stats.describe import describe

ALL = "all"  # procedures: every patient of the group, whatever was done, or not known
SCORES = range(sins.STABILITY[-1][0] + 1)


def lesion_levels(data):
    """The key `lesion_levels` of a result, of the runner's view of the data: a row a group."""
    return {"groups": [{"group": code} | levels_of(data, chosen) for code, chosen in data.groups.items()]}


def levels_of(data, chosen):
    """How many of the patients at the places `chosen` have a lesion of each level; a lesion of several counts for each
    of them, so that `involved`, the sum, is at least the number of patients."""
    masks, counts = np.unique(data.frame["lesion_levels"][chosen], return_counts=True)
    report = {
        level: int(counts[masks >> place & 1 == 1].sum()) if masks.size else 0
        for place, level in enumerate(levels.LEVELS)
    }
    n, involved = int(counts[masks != 0].sum()), sum(report.values())
    return {
        "n": n,
        "missing": int(counts[masks == 0].sum()),
        "involved": involved,
        "per_patient": involved / n if n else None,
        "counts": report,
    }


def sins_by_procedure(data):
    """The key `sins_by_procedure` of a result: a row for each procedure that a group has, and one for the whole group.

    `counts` are patients by total, `classes` by class of stability.
    """
    scores, procedures = data.coded("sins_total"), data.coded("procedure")
    rows = []
    for group, chosen in data.groups.items():
        total, missing = scores.counts(chosen)
        rows.append({"group": group, "procedure": ALL} | _told(scores.values, total, missing))
        done, worth, counts, _ = joint_counts(procedures, scores, chosen)
        operated, _ = procedures.counts(chosen)
        for place, choice in enumerate(patient.PROCEDURES):
            if operated[place]:
                mine = np.zeros(len(scores.values), np.int64)
                mine[worth[done == place]] = counts[done == place]
                description = _told(scores.values, mine, operated[place] - mine.sum())
                rows.append({"group": group, "procedure": choice.code} | description)
    return {"rows": rows}


def _told(values, counts, missing):
    description = describe(Counts(values, counts, missing))
    by_score = np.zeros(len(SCORES), np.int64)
    by_score[np.asarray(values, int)] = counts
    classes, start = {}, 0
    for highest, choice in sins.STABILITY:
        classes[choice.code] = int(by_score[start : highest + 1].sum())
        start = highest + 1
    return {
        "n": description.n,
        "missing": int(missing),
        "mean": description.mean,
        "sd": description.sd,
        "classes": classes,
        "counts": {str(score): int(count) for score, count in zip(SCORES, by_score, strict=True)},
    }
