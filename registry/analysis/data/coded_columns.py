"""From a frame's columns to what a test takes: small codes, and what each code is worth.

A variable of a million patients is an integer a patient and a short table of values, so that counting is all that is
ever done with the patients themselves.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from registry.analysis.data.frame import COMPONENT_BITS, EQ5D_BASE, EQ5D_CODES, EVENTS, MISSING, SINGLES, single
from registry.instruments import value_sets, variables
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.instruments.timepoints import DAYS_A_MONTH
from registry.stats.arrays import Counts, rounded

SMALL_TABLE = 1 << 20  # joint tables of no more cells are counted in one pass, without sorting
MOST_DECIMALS = 6  # of a value set


@dataclass(frozen=True, eq=False)
class Coded:
    """`codes` (n,) is a place in `values`, negative where there is no value; `values` are numbers or category codes."""

    codes: np.ndarray
    values: np.ndarray | tuple

    def counts(self, chosen):
        """How often each value occurs among the patients `chosen` (places or a slice), (k,); and how many have none."""
        counts = np.bincount(_numbered(self, chosen), minlength=len(self.values) + 1)
        return counts[1:], int(counts[0])

    def sample(self, chosen):
        """`stats` Counts of a continuous variable."""
        counts, missing = self.counts(chosen)
        return Counts(self.values, counts, missing)


def joint_counts(before, after, chosen, rows=None, columns=None):
    """Pairs of codes that occur among the patients with both, and how often.

    rows, columns  (k,) numbers from 0 that stand for the values before and after instead of their codes, so that values
                   of one number are counted together
    Returns (codes before (m,), codes after (m,), counts (m,), patients without a pair), ascending.
    """
    first, second = _numbered(before, chosen, rows), _numbered(after, chosen, columns)
    height = 1 + (len(before.values) if rows is None else int(rows.max(initial=-1)) + 1)
    width = 1 + (len(after.values) if columns is None else int(columns.max(initial=-1)) + 1)
    codes, counts = _counted(first.astype(np.int32) * width + second, height * width)
    first, second = np.divmod(codes, width)
    both = (first > 0) & (second > 0)
    return first[both] - 1, second[both] - 1, counts[both], int(counts[~both].sum())


def _numbered(member, chosen, numbers=None):
    """1 + the code of each of the patients `chosen`, or 1 + the number that stands for its value; 0 for none."""
    codes = np.maximum(member.codes[chosen], -1) + 1
    return codes if numbers is None else np.append(0, numbers + 1)[codes]


def differences(before, after, chosen):
    """`stats` Counts of after − before over the patients with both, rounded so that equal changes tie."""
    if len(before.values) * len(after.values) <= SMALL_TABLE:
        first, second, counts, missing = joint_counts(before, after, chosen)
    else:  # nearly every pair is another one: counting them first gains nothing
        first, second = before.codes[chosen], after.codes[chosen]
        both = (first >= 0) & (second >= 0)
        first, second, counts = first[both], second[both], None
        missing = both.size - first.size
    units = _decimal_units(np.concatenate([before.values, after.values]))
    if units is None:
        change = np.asarray(after.values)[second] - np.asarray(before.values)[first]
        return rounded(Counts(change, np.ones(change.size, np.int64) if counts is None else counts, missing))
    whole, scale = units
    change = whole[len(before.values) :][second] - whole[first]
    lowest = change.min(initial=0)
    changes, counts = _counted(change - lowest, int(change.max(initial=0) - lowest) + 1, counts)
    return Counts((changes + lowest) / scale, counts, missing)


def _counted(numbers, size, weights=None):
    """The whole numbers from 0 below `size` that occur, ascending, and how often each does, each counting `weights`."""
    if size > SMALL_TABLE and weights is None:
        return np.unique(numbers, return_counts=True)
    counts = np.bincount(numbers, weights).astype(np.int64)
    codes = np.flatnonzero(counts)
    return codes, counts[codes]


def _decimal_units(values):
    """(whole numbers, scale) where values are exactly whole numbers over a power of ten, as scales and value sets are.

    Their differences then are whole numbers too, and exact. None for other values.
    """
    values = np.asarray(values, float)
    for digits in range(MOST_DECIMALS + 1):
        scale = 10**digits
        whole = np.rint(values * scale)
        if (whole / scale == values).all() and np.abs(whole).max(initial=0) < SMALL_TABLE:
            return whole.astype(np.int32), scale
    return None


def coded(name, frame, timepoint=None, value_set=value_sets.DEFAULT):
    """The Coded variable `name` (of `instruments.variables`), at a timepoint where it is assessed at one.

    Raises KeyError for a variable or a value set that there is not.
    """
    variable = variables.get(name)
    if name == "hsuv":
        places, values = _hsuv(value_set)
        return Coded(places[frame[f"eq5d@{timepoint}"]], values)
    if name in _DOMAIN_PLACES:
        return Coded(_DOMAIN_PLACES[name][frame[f"eq5d@{timepoint}"]], _categories(variable))
    if name in SINGLES:
        return _single(variable, frame, f"{name}@{timepoint}" if timepoint else name)
    if name in _COMPONENTS:
        return _component(*_COMPONENTS[name], variable, frame)
    if name == "followup_months":
        return _numbers(frame["followup_days"], DAYS_A_MONTH)
    if isinstance(variable, variables.EventVariable):
        return _event(variable, frame)
    column = variable.recode.source if variable.recode else name
    stored = column if timepoint is None else f"{column}@{timepoint}"
    if variable.recode:
        return _recoded(variable, frame, stored)
    if variable.kind == "continuous":
        return _numbers(frame[stored])
    return Coded(frame[stored], _categories(variable))


_COMPONENTS = {
    item.name: (score, place) for score in variables.SCORES for place, item in enumerate(reversed(score.items))
}


def _component(score, place, variable, frame):
    """One component of a score, which is the `place`-th from the end of its packed number."""
    size = 1 << COMPONENT_BITS
    place_of = np.full(size, -1, np.int8)
    for category, code in enumerate(_categories(variable)):
        place_of[int(code) + 1] = category
    return Coded(place_of[(frame[score.code] >> (COMPONENT_BITS * place)) & (size - 1)], _categories(variable))


def _categories(variable):
    return tuple(choice.code for choice in variable.categories)


def _single(variable, frame, stored):
    """An item that is read only where a cohort names it."""
    if variable.kind == "categorical":
        return Coded(frame[stored], _categories(variable))
    column = single(stored)
    return _numbers(frame[stored], column.scale, column.least)


def _numbers(column, divisor=1, least=0):
    highest = int(column.max(initial=0))
    return Coded(column, (least + np.arange(max(highest, 0) + 1)) / divisor)


def _recoded(variable, frame, stored):
    """The places of a recoded item, whose column holds codes (Frankel A … E) or plain numbers (ECOG 0 … 5)."""
    recode, categories = variable.recode, _categories(variable)
    known = frame.codes.get(stored) or tuple(range(1 + max((*recode.groups, *recode.missing))))
    place = [categories.index(group) if (group := recode(code)) is not None else MISSING for code in known]
    table = np.array([*place, MISSING], np.int16)
    column = frame[stored]
    return Coded(table[np.where(column < 0, len(known), column)], categories)


def _event(variable, frame):
    """Whether a patient had any of the events; a patient without a record of one had none."""
    wanted = sum(1 << EVENTS.index(kind) for kind in variable.events)
    had = (frame["events"] & wanted) != 0
    categories = _categories(variable)
    return Coded(np.where(had, categories.index("yes"), categories.index("no")).astype(np.int16), categories)


def _digits():
    """(EQ5D_CODES, 5) levels of each packed state, 0 where there was no answer."""
    codes = np.arange(EQ5D_CODES)
    powers = EQ5D_BASE ** np.arange(len(DIMENSIONS))[::-1]
    return (codes[:, None] // powers) % EQ5D_BASE


_DOMAIN_PLACES = {
    item.name: np.where(levels > 0, levels - 1, MISSING).astype(np.int16)
    for item, levels in zip(DIMENSIONS, _digits().T, strict=True)
}


@cache
def _hsuv(value_set):
    """Place of each packed state among the 3125 complete ones (MISSING otherwise), and their values."""
    table = value_sets.get(value_set).table()
    digits = _digits()
    complete = (digits > 0).all(axis=1)
    places = np.full(EQ5D_CODES, MISSING, np.int16)
    places[complete] = np.arange(complete.sum())
    states = digits[complete] @ 10 ** np.arange(len(DIMENSIONS))[::-1]
    return places, np.array([table[state] for state in states.tolist()])
