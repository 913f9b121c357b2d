"""What goes together at the bedside: items that fit a total, and the health state that fits an examination.

Nothing here knows the study; it keeps single patients believable.
"""

from collections import defaultdict
from functools import cache
from itertools import product

import numpy as np

from registry.instruments.core import barthel, sins
from registry.instruments.core.sins import location_points

FRANKEL = "ABCDE"

# Barthel: the lowest and highest total that goes with a Frankel grade, and the most that single items can score.
BARTHEL_LIMITS = {"A": (0, 45), "B": (0, 60), "C": (0, 85), "D": (15, 100), "E": (25, 100), None: (0, 100)}
BARTHEL_CEILINGS = {
    "A": {
        "barthel_mobility": 5,
        "barthel_stairs": 0,
        "barthel_transfer": 10,
        "barthel_bladder": 5,
        "barthel_bowels": 5,
    },
    "B": {"barthel_mobility": 5, "barthel_stairs": 0, "barthel_transfer": 10, "barthel_bladder": 5},
    "C": {"barthel_mobility": 10, "barthel_stairs": 5},
}
# How soon an item is lost as dependence grows; stairs and bathing first, feeding last.
BARTHEL_LOSS = {
    "barthel_feeding": 1.0,
    "barthel_bathing": 6.0,
    "barthel_grooming": 2.0,
    "barthel_dressing": 4.0,
    "barthel_bowels": 1.5,
    "barthel_bladder": 2.0,
    "barthel_toilet": 4.0,
    "barthel_transfer": 3.0,
    "barthel_mobility": 5.0,
    "barthel_stairs": 9.0,
}


def barthel_items(total, frankel, rng):
    """Ten item scores with this total, those hardest for a spinal patient lost first. None for no total."""
    if total is None:
        return dict.fromkeys(item.name for item in barthel.ITEMS)
    ceilings = BARTHEL_CEILINGS.get(frankel, {})
    scores = {item.name: min(item.codes[-1], ceilings.get(item.name, 100)) for item in barthel.ITEMS}
    excess = sum(scores.values()) - total
    if excess < 0:
        raise ValueError(f"a Barthel total of {total} does not go with Frankel {frankel}")
    for _ in range(excess // 5):
        able = [name for name, score in scores.items() if score]
        weights = np.array([BARTHEL_LOSS[name] for name in able])
        scores[able[int(rng.choice(len(able), p=weights / weights.sum()))]] -= 5
    return scores


def sins_location(levels, sacrum_is_rigid):
    """The location's points: of the least stable vertebra. `S` alone does not say whether S1 or below is meant."""
    points = location_points(levels)
    return 0 if sacrum_is_rigid and list(levels) == ["S"] else max(points)


@cache
def _sins_by_sum():
    """Sum -> all scores of the five items other than the location that have it."""
    patients_by_sum = defaultdict(list)
    for scores in product(*(item.codes for item in sins.ITEMS[1:])):
        patients_by_sum[sum(scores)].append(scores)
    return patients_by_sum


SINS_REST = max(_sins_by_sum())  # the most that the items other than the location can score


def sins_items(total, location, tumour, rng):
    """SINS item scores with this total and location; the bone lesion leans to what the primary tumour does."""
    rest = _sins_by_sum()[total - location]
    usual = {"prostate": 0, "breast": 1}.get(tumour, 2)
    # pain is the rule in surgical patients, subluxation the exception
    weights = np.array(
        [
            (3.0, 2.0, 1.0)[abs(bone - usual)] * (4.0 if pain == 3 else 1.0) * (0.3 if alignment == 4 else 1.0)
            for pain, bone, alignment, _, _ in rest
        ]
    )
    chosen = rest[int(rng.choice(len(rest), p=weights / weights.sum()))]
    return dict(zip((item.name for item in sins.ITEMS), (location, *chosen), strict=True))


MOBILITY_FELT = {0: 4.7, 5: 4.1, 10: 3.3, 15: 1.9}  # Barthel mobility -> the EQ-5D mobility level one expects
SELF_CARE = ("barthel_feeding", "barthel_bathing", "barthel_grooming", "barthel_dressing", "barthel_toilet")


def expected_levels(frankel, ecog, pain, items, illness, mood, rng):
    """The EQ-5D-5L levels that an examination suggests, (5,) real numbers, the patient's own view included.

    frankel, ecog  None where unknown; pain  standardised within the group, None where unknown
    items          Barthel scores, None where unknown; illness, mood  standard normal
    """
    noise = rng.normal(0, 0.35, 5)
    if items["barthel_mobility"] is None:
        mobility = 3.0 + 0.9 * illness - (0.8 if frankel in (None, "E") else 0)
        self_care = 2.8 + 0.9 * illness
    else:
        mobility = MOBILITY_FELT[items["barthel_mobility"]] + 0.3 * illness
        self_care = 5 - 3.9 * sum(items[name] for name in SELF_CARE) / 40 + 0.3 * illness
    activities = 2.1 + 0.5 * ecog + 0.4 * illness if ecog is not None else 3.2 + 0.8 * illness
    discomfort = 3.0 + 1.1 * (pain if pain is not None else illness)
    return np.array([mobility, self_care, activities, discomfort, 2.5 + 0.9 * mood + 0.3 * illness]) + noise


def believable(dimension, level, frankel, mobility_score, pain_mm):
    """Whether an EQ-5D-5L level (dimension 0-4) can stand beside an examination; None is unknown and allows all."""
    if dimension == 0:
        if mobility_score is not None:
            low, high = {0: (4, 5), 5: (3, 5), 10: (2, 5), 15: (1, 4)}[mobility_score]
            return low <= level <= high
        return level >= 4 if frankel in ("A", "B") else True
    if dimension == 3 and pain_mm is not None:
        low = 3 if pain_mm >= 75 else 2 if pain_mm >= 35 else 1
        high = 2 if pain_mm <= 3 else 3 if pain_mm <= 15 else 4 if pain_mm <= 45 else 5
        return low <= level <= high
    return True
