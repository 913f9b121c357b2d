"""The 3125 EQ-5D-5L states as whole numbers: what each is worth, which fit an examination, and small moves."""

import numpy as np

from registry.demo.clinical import believable
from registry.demo.segi2025.strata import UNITS
from registry.instruments import value_sets
from registry.instruments.core import eq5d5l

_TABLE = value_sets.get("JP").table()
STATES = tuple(_TABLE)  # 11111..55555 ascending: a state's index is its digits minus one, read in base five
VALUES = tuple(round(value / UNITS["hsuv"]) for value in _TABLE.values())
DIGIT_WEIGHT = (625, 125, 25, 5, 1)
GRID = np.array([[int(digit) for digit in str(state)] for state in STATES])  # (3125, 5) levels
LEVELS_OF = [tuple(row) for row in GRID.tolist()]
EQ5D_NAMES = tuple(item.name for item in eq5d5l.DIMENSIONS)


def allowed_levels(answers):
    """(5,) tuples of the levels that can stand beside the examination in `answers`."""
    findings = answers["frankel"], answers["barthel_mobility"], answers["pain_vas_mm"]
    return [tuple(level for level in range(1, 6) if believable(dimension, level, *findings)) for dimension in range(5)]


def nearest_state(levels, allowed):
    """The state nearest to five real-numbered levels among the allowed ones."""
    return sum(
        weight * (min(options, key=lambda level: abs(level - wish)) - 1)
        for weight, options, wish in zip(DIGIT_WEIGHT, allowed, levels, strict=True)
    )


class HealthStateMoves:
    """Moves of health states inside allowed[time][patient][dimension]: a level in one dimension, or one up, one down.

    The second kind changes a value by little, which is what a sum needs in the end. A step is the difference of two
    states; no two moves have the same one, because its base-five digits are -1, 0 or 1.
    """

    PARTS = {
        sign * (a - b): tuple((i, sign * way) for i, way in ((DIGIT_WEIGHT.index(a), 1), (at, -1)) if i is not None)
        for sign in (1, -1)
        for a in DIGIT_WEIGHT
        for at, b in ((None, 0), *enumerate(DIGIT_WEIGHT))
        if a != b
    }
    STEPS = tuple(PARTS)

    def __init__(self, allowed):
        self.allowed = allowed

    def step(self, draws):
        return self.STEPS[draws.below(len(self.STEPS))]

    def allows(self, time, patient, state, step):
        allowed, levels = self.allowed[time][patient], LEVELS_OF[state]
        return all(levels[dimension] + way in allowed[dimension] for dimension, way in self.PARTS[step])
