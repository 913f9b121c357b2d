"""The paired test of the study, kept here because the generator steers by it."""

from collections import Counter
from math import erfc, sqrt


def signed_rank_p(changes):
    """Two-sided P of the Wilcoxon signed-rank test, normal approximation with continuity and tie correction.

    R: wilcox.test(changes, correct = TRUE, exact = FALSE)$p.value; whole-number changes, zeros dropped.
    """
    counts, n, positive, ties = Counter(changes), 0, 0.0, 0
    for size in sorted({abs(change) for change in counts if change}):
        up = counts.get(size, 0)
        tied = up + counts.get(-size, 0)
        positive += (2 * n + 1 + tied) / 2 * up
        ties += tied**3 - tied
        n += tied
    spread = sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)
    away = positive - n * (n + 1) / 4
    return erfc(max(0.0, abs(away) - 0.5) / spread / sqrt(2)) if spread else 1.0
