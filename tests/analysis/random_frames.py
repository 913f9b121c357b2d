"""Frames drawn from a seed, without a database: ties, gaps, groups of nobody and of one, columns that do not vary."""

import hashlib

import numpy as np

from registry.analysis.data import frame as frames
from registry.analysis.data.frame import EQ5D_BASE, EVENTS, MISSING
from registry.instruments import levels, variables

SITES = {1: "S01", 2: "S02", 3: "S03"}
REGIONS = {1: "Tōkai", 2: "Kantō", 3: ""}
LESIONS = (("C3",), ("C7", "T1"), ("T6",), ("T9", "T10"), ("L1",), ("L4", "L5", "S"), ("T2", "T4"))
NUMBERS = {  # highest value of a column of numbers; many share few values
    "age_at_surgery": 95, "tokuhashi_total": 15, "sins_total": 18, "operative_time_min": 500, "blood_loss_ml": 3000,
    "surgery_date": 9000, "followup_days": 800, "ecog_ps": 5, "pain_vas_mm": 100, "barthel_total": 100, "eq_vas": 100,
}  # fmt: skip

COMPONENTS = {score.code for score in variables.SCORES}


class Draw:
    """One registry: `n` patients, some in `groups` (places in LESIONS) alone."""

    def __init__(self, seed, n=None, lesions=None, oddity=0.25):
        self.random = np.random.default_rng(seed)
        self.n = int(self.random.integers(3, 90)) if n is None else n
        self.oddity = oddity
        allowed = lesions or self.random.permutation(len(LESIONS))[: self.random.integers(1, len(LESIONS) + 1)]
        masks = np.array([levels.mask(lesion) for lesion in LESIONS], np.int32)
        self.lesions = masks[self.random.choice(np.asarray(allowed), self.n)]

    def frame(self, timepoints):
        declared = frames.columns(timepoints)
        data = {column.name: self.column(column).astype(column.dtype) for column in declared}
        self.tie_followups(data, timepoints)
        everything = hashlib.sha256(b"".join(data[name].tobytes() for name in sorted(data)))
        return frames.Frame(
            data=data,
            codes={column.name: column.codes for column in declared if column.codes},
            timepoints=tuple(timepoints),
            site_codes=SITES,
            regions=REGIONS,
            hashed=lambda: f"sha256:{everything.hexdigest()}",
        )

    def column(self, column):
        name = column.name.partition("@")[0]
        if name == "site":
            return self.random.choice(list(SITES), self.n)
        if name == "lesion_levels":
            return self.lesions
        if name == "segment_adjudicated":
            return np.full(self.n, MISSING)
        if name == "events":
            return self.random.integers(0, 1 << len(EVENTS), self.n) * (self.random.random(self.n) < 0.3)
        if name == "eq5d":
            return self.states()
        if name == "data_use_stopped":
            return np.zeros(self.n, np.int16)
        if name in COMPONENTS:
            return np.zeros(self.n, np.int32)  # patients are chosen by these, and nothing is computed from them
        if column.codes:
            return self.spoilt(self.random.integers(0, len(column.codes), self.n))
        highest = NUMBERS[name]
        step = self.random.choice([1, 1, 5, 10]) if highest > 20 else 1
        return self.spoilt(self.random.integers(0, highest // step + 1, self.n) * step)

    def states(self):
        digits = [np.maximum(self.spoilt(self.random.integers(1, 6, self.n)), 0) for _ in range(5)]
        return sum(digit * EQ5D_BASE**place for place, digit in enumerate(digits))

    def spoilt(self, values):
        """Gaps, and now and then a column without any value, or with one value in all, or in one group."""
        values = np.where(self.random.random(self.n) < 0.1, MISSING, values)
        if not self.n or self.random.random() > self.oddity:
            return values
        some = self.lesions == self.random.choice(self.lesions)
        return (
            np.full(self.n, MISSING),
            np.full(self.n, values[0]),
            np.where(some, MISSING, values),
            np.where(some, values[0], values),
        )[self.random.integers(4)]

    def tie_followups(self, data, timepoints):
        """Here and there nothing changes after the first timepoint, or all change by as much."""
        first, *later = timepoints
        for name in ("frankel", "pain_vas_mm", "eq_vas", "eq5d", "barthel_total"):
            for timepoint in later:
                before = data[f"{name}@{first}"]
                chance = self.random.random()
                if chance < 0.1:
                    data[f"{name}@{timepoint}"] = before.copy()
                elif chance < 0.2 and name in ("pain_vas_mm", "eq_vas"):
                    data[f"{name}@{timepoint}"] = np.where(before == MISSING, before, before + 7).astype(before.dtype)
                elif chance < 0.3 and name == "eq5d":
                    data[f"eq5d@{timepoint}"] = same_change(before)


def same_change(states):
    """Packed states in which anxiety, the last digit, is one level worse where it can be: as equal as changes of HSUV
    get, from many values before."""
    last = states % EQ5D_BASE
    return np.where((last > 0) & (last < EQ5D_BASE - 1), states + 1, states).astype(states.dtype)
