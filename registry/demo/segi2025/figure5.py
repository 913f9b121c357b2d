"""How far the groups differ in each EQ-5D-5L domain, and whether that is what the paper says of its Figure 5."""

import numpy as np
from scipy.stats import chi2_contingency, false_discovery_control

from registry.demo.segi2025.published import FIGURE_5, GROUPS, PAIRS

# The paper tests with Fisher's exact test; the chi-square test stands in for it here, so it keeps clear of 0.05.
SIGNIFICANT, NOT_SIGNIFICANT = 0.035, 0.07


def contradictions(groups):
    """How many of the paper's statements do not hold.

    groups  per group a list of patients' (before, after) answers: column -> level or None
    """
    wrong = 0
    for time, domains in enumerate(FIGURE_5.values()):
        for domain, statements in domains.items():
            counts = [
                np.bincount([a[time][domain] for a in group if a[time][domain]], minlength=6)[1:] for group in groups
            ]
            for different, p in zip(statements, pairwise_p(counts), strict=True):
                wrong += (different is True and p > SIGNIFICANT) or (different is False and p < NOT_SIGNIFICANT)
    return wrong


def pairwise_p(counts):
    """P of `PAIRS`, chi-square of the level counts of each group, Benjamini-Hochberg over the three."""
    raw = []
    for first, second in PAIRS:
        table = np.array([counts[GROUPS.index(first)], counts[GROUPS.index(second)]])
        raw.append(chi2_contingency(table[:, table.sum(axis=0) > 0], correction=False).pvalue)
    return false_discovery_control(raw)
