"""Typed rows of results, and how they write themselves to JSON: NaN and numpy's numbers become None and plain ones."""

from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable

NOT_ESTIMABLE = "not estimable because {}"


@dataclass(frozen=True)
class Estimate:
    """An effect with its limits and P. Where a row has one, its parts stand among the row's own."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @classmethod
    def at(cls, place, values, fit):
        """Of a term of a fitted model: its coefficient or ratio in `values`, with the model's limits and P."""
        return cls(values[place], fit.low[place], fit.high[place], fit.p[place])


def plain(value):
    """A result as dicts, lists, texts and numbers, ready for JSON. A row's `reason` stands only where there is one."""
    if is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Label):
            return {"en": value.en, "ja": value.ja}
        row = {}
        for part in fields(value):
            own = getattr(value, part.name)
            row |= plain(own) if isinstance(own, Estimate) else {part.name: plain(own)}
        return {name: part for name, part in row.items() if name != "reason" or part}
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return [plain(part) for part in value.tolist()]
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def attempted(make, otherwise):
    """What `make()` gives; `otherwise(reason)` where the data do not determine it."""
    try:
        return make()
    except NotEstimable as why:
        return otherwise(NOT_ESTIMABLE.format(why))
