"""Small bar charts as numbers for an inline SVG: the pages' Content Security Policy allows no inline style."""

from dataclasses import dataclass

HEIGHT = 24
STEP = 4  # of a bar and the gap after it
WIDTH = 3


@dataclass(frozen=True)
class Bar:
    x: int
    y: float
    height: float


def bars(counts, highest):
    """Bars of `counts` in a box of HEIGHT, `highest` filling it; what is not zero is at least one high."""
    drawn = []
    for i, n in enumerate(counts):
        if n:
            height = max(1.0, round(HEIGHT * n / highest, 1))
            drawn.append(Bar(i * STEP, round(HEIGHT - height, 1), height))
    return drawn
