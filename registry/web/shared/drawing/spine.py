"""The drawn spine, seen from the side and facing left: one small drawing for each vertebra, one above the other.

Proportions are those of a textbook figure, not of anybody: bodies grow from C1 to L5, the column bends forward in the
neck and in the small of the back and backward between.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import cos, pi

from registry.instruments.levels import CERVICAL, LEVELS, LUMBAR, THORACIC

WIDTH, HEIGHT, SACRUM_HEIGHT = 150, 32, 64  # of one drawing, in its own units

# Level → where the front of the body stands, how deep and how high the body is, how far the spinous process
# reaches back and how far it falls. Levels between are interpolated.
_SHAPES = {
    "C1": (40, 22, 13, 14, 0),
    "C2": (37, 24, 20, 22, 2),
    "C4": (31, 26, 20, 17, 4),
    "C7": (37, 29, 21, 33, 5),
    "T4": (51, 34, 23, 31, 11),
    "T7": (57, 38, 24, 31, 13),
    "T10": (51, 42, 25, 29, 9),
    "T12": (41, 46, 26, 27, 4),
    "L3": (26, 52, 27, 31, 3),
    "L5": (31, 52, 26, 24, 4),
}


@dataclass(frozen=True)
class Vertebra:
    level: str
    height: int
    path: str


def _shape(level):
    at = LEVELS.index(level)
    known = [(LEVELS.index(level), shape) for level, shape in _SHAPES.items()]
    for (first, low), (last, high) in pairwise(known):
        if first <= at <= last:
            share = (1 - cos(pi * (at - first) / (last - first))) / 2
            return [a + (b - a) * share for a, b in zip(low, high, strict=True)]
    raise ValueError(level)


def _path(level):
    """Body with slightly hollow sides, the pedicle behind it, and the spinous process behind the canal."""
    front, depth, high, reach, fall = _shape(level)
    back, top = front + depth, (HEIGHT - high) / 2
    bottom, middle, half = top + high, front + depth / 2, top + high / 2
    canal, root = back + 9, min(9, high / 2)
    tip, drop = canal + reach, top + 3 + fall
    body = (
        ("M", front, top),
        ("Q", middle, top + 2, back, top),
        ("Q", back - 4, half, back, bottom),
        ("Q", middle, bottom - 2, front, bottom),
        ("Q", front + 4, half, front, top),
        ("Z",),
    )
    process = (
        ("M", back, top + 2),
        ("L", canal, top + 2, tip, drop),
        ("Q", tip + 3, drop + 4, tip - 1, drop + 7),
        ("L", canal, top + 2 + root, canal, top + 6, back, top + 6),
        ("Z",),
    )
    return "".join(letter + " ".join(f"{number:.0f}" for number in numbers) for letter, *numbers in body + process)


# Five fused vertebrae and the coccyx, falling away backward.
_SACRUM = "M36 3Q60 5 86 4L100 11Q109 31 114 48Q115 55 108 60Q104 55 101 52Q84 42 66 30Q46 18 36 3Z"


@cache
def vertebrae():
    """Letter of the region → its vertebrae from the head down."""
    drawn = {
        levels[0][0]: [Vertebra(level, HEIGHT, _path(level)) for level in levels]
        for levels in (CERVICAL, THORACIC, LUMBAR)
    }
    return drawn | {"S": [Vertebra("S", SACRUM_HEIGHT, _SACRUM)]}
