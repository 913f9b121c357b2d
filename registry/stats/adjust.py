"""P-values adjusted for several comparisons, as R's p.adjust does it."""

from typing import Any

import numpy as np

METHODS = ("none", "bonferroni", "holm", "benjamini_hochberg")


def adjust(p_values: Any, method: str = "benjamini_hochberg") -> list[float | None]:
    """Adjusted P-values, in the order given.

    p_values  sequence of numbers in [0, 1]. None or NaN stands for a test that could not be done: it comes back as None
              and does not count in the family (R: NA is left out of n).
    method    `none`, `bonferroni`, `holm` or `benjamini_hochberg`
    Returns a list of float or None. Raises ValueError for other methods and for numbers outside [0, 1].
    R: p.adjust(p, "none" | "bonferroni" | "holm" | "BH")
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; one of {', '.join(METHODS)}")
    given = np.array([np.nan if p is None else p for p in p_values], dtype=float)
    known = np.flatnonzero(~np.isnan(given))
    p = given[known]
    if ((p < 0) | (p > 1)).any():
        raise ValueError("P-values lie between 0 and 1")
    result: list[float | None] = [None] * given.size
    for place, value in zip(known.tolist(), adjusted(p, method), strict=True):
        result[place] = float(value)
    return result


def adjusted(p: Any, method: str) -> Any:
    """The same for an (m,) array without gaps."""
    m = p.size
    if method == "none" or m < 2:
        return p
    if method == "bonferroni":
        return np.minimum(1, m * p)
    order = np.argsort(p)
    rank = np.arange(1, m + 1)
    if method == "holm":
        steps = np.maximum.accumulate((m - rank + 1) * p[order])
    else:
        steps = np.minimum.accumulate((m / rank * p[order])[::-1])[::-1]
    result = np.empty(m)
    result[order] = np.minimum(1, steps)
    return result
