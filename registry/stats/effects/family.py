"""Intervals of a family of comparisons: how wide each must be so that they hold together, as adjusted P-values do."""

from dataclasses import dataclass
from typing import Any

METHODS = {
    # how P is adjusted -> how the intervals are. A step-down or step-up test has no interval of its own that is both
    # simple and two-sided: Bonferroni's hold for all of them (so does emmeans); they may include no difference where
    # Holm's P is below the level, never the reverse.
    "none": "none",
    "bonferroni": "bonferroni",
    "holm": "bonferroni",
    "benjamini_hochberg": "bonferroni",
    "tukey": "tukey",
    "sidak": "sidak",
}


@dataclass(frozen=True)
class FamilyInterval:
    """confidence of each interval so that all hold with the family's; method names how, which P need not share."""

    confidence: float
    family_confidence: float
    comparisons: int
    method: str


def family_interval(comparisons: Any, adjust: str, confidence: float = 0.95) -> FamilyInterval:
    """The confidence for each of several intervals whose P-values are adjusted by `adjust`.

    Tukey's intervals come from the studentized range (`anova.tukey_hsd`): their `confidence` here is the family's.
    R: confint(emmeans::contrast(…), adjust = "bonferroni" | "sidak" | "tukey")
    Raises ValueError for an unknown method.
    """
    if adjust not in METHODS:
        raise ValueError(f"unknown method {adjust!r}; one of {', '.join(METHODS)}")
    method = METHODS[adjust]
    count = max(1, int(comparisons))
    each = confidence
    if method == "bonferroni":
        each = 1 - (1 - confidence) / count
    elif method == "sidak":
        each = confidence ** (1 / count)
    return FamilyInterval(each, confidence, count, method)
