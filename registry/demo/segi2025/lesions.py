"""Vertebral lesions: runs of one to three vertebrae with given counts a level, and multilevel disease."""

import numpy as np

from registry.instruments.levels import DEFAULT_RULE, LEVELS, MAX_LEVELS

TRIES = 50_000


def runs(group, counts, patients, single, rng):
    """`patients` runs of 1-3 consecutive levels of `group` that involve each level as often as `counts` says.

    counts  level -> patients involved, the group's column of Table 1
    single  levels that at least one patient must have alone
    Returns lists of levels in random order. Found by rejection: for each level, how many of the runs begun one and
    two levels above go on into it is drawn at random; the rest of the level's count begins there.
    """
    levels = [level for level in LEVELS if counts.get(level)]
    wanted = [counts[level] for level in levels]
    goes_on = (sum(wanted) - patients) / sum(wanted)
    for _ in range(TRIES):
        drawn = _draw_runs(group, levels, wanted, goes_on, rng)
        if drawn is None or len(drawn) != patients or any([level] not in drawn for level in single):
            continue
        if all(DEFAULT_RULE.group(run) == group for run in drawn):
            return [drawn[i] for i in rng.permutation(patients)]
    raise RuntimeError(f"no runs of vertebrae with the counts {counts}")


def _draw_runs(group, levels, wanted, goes_on, rng):
    """Runs with the wanted counts, or None where more runs go on than the next level has room for."""
    done, open_runs = [], []
    for level, count in zip(levels, wanted, strict=True):
        going = []
        for run in open_runs:
            # A run that would end in another group, such as T10 alone among those of T11 and below, must go on.
            must = DEFAULT_RULE.group(run) != group
            if len(run) < MAX_LEVELS and (must or rng.random() < goes_on):
                going.append([*run, level])
            else:
                done.append(run)
        if len(going) > count:
            return None
        open_runs = going + [[level] for _ in range(count - len(going))]
    return done + open_runs


def multilevel(rng):
    """Levels of a patient outside the three groups: several metastases, mostly with gaps."""
    while True:
        count = int(rng.integers(2, 9))
        start = int(rng.integers(0, len(LEVELS) - 2))
        reach = min(len(LEVELS), start + count + int(rng.integers(0, 10)))
        if reach - start < count:
            continue
        at = sorted(rng.choice(np.arange(start, reach), size=count, replace=False).tolist())
        levels = [LEVELS[i] for i in at]
        if DEFAULT_RULE.group(levels) == "multisegment":
            return levels
