"""What a paper prints, as data (registry/protocol/published): its rows, and boxes of what is behind them."""

import json
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from registry import protocol
from registry.demo.segi2025.published import Printed

FOLDER = Path(protocol.__file__).parent / "published"


@dataclass(frozen=True)
class Box:
    """Whole numbers behind a printed mean and spread: the sums, and the sums of squares about their mean, that fit."""

    n: int
    totals: tuple[int, ...]
    mean: float
    within: tuple[float, float]  # sum of squared deviations, lowest and highest


class Paper:
    """The rows of a paper by their id."""

    def __init__(self, study):
        document = json.loads((FOLDER / f"{study}.json").read_text())
        self.title, self.groups, self.kinds = document["paper"], document["groups"], document["kinds"]
        self.rows = {row["id"]: row for row in document["rows"]}

    def counts(self, row, group):
        return self.rows[row]["printed"][group]

    def box(self, row, group, n):
        """The Box of `n` whole numbers behind the printed mean and spread of a group, in units of the row's step."""
        row = self.rows[row]
        unit = row.get("step", 1) / row.get("unit", 1)
        printed = Printed.parse(row["printed"][group])
        spread = row.get("spread", "sd")
        factor = n**0.5 if (spread if isinstance(spread, str) else spread[group]) == "se" else 1.0
        half = printed.half_width
        low, high = (printed.mean - half) * n / unit, (printed.mean + half) * n / unit
        totals = tuple(range(ceil(low - 1e-9), floor(high - 1e-9) + 1)) or (round(printed.mean * n / unit),)
        sds = [
            (printed.sd + side * half) * factor / unit
            for side in (-0.98 * row.get("slack", 1), 0.98 * row.get("slack", 1))
        ]
        return Box(n, totals, printed.mean / unit, tuple((n - 1) * sd**2 for sd in sds))

    def p_box(self, row):
        """P-values (low, high) that print as the row's; None where it prints none, or only a bound."""
        if window := self.rows[row].get("p_window"):
            return tuple(window)
        text = self.rows[row].get("p", "")
        if not text or text[0] in "<>":
            return None
        half = 0.5 * 10 ** -len(text.partition(".")[2])
        return max(0.0, float(text) - half), min(1.0, float(text) + half)
