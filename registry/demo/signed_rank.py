"""The paired test of the study, kept here because the generator steers by it."""

from math import erfc, sqrt


def signed_rank_p(changes):
    """Two-sided P of the Wilcoxon signed-rank test, normal approximation with continuity and tie correction.

    R: wilcox.test(changes, correct = TRUE, exact = FALSE)$p.value; whole-number changes, zeros dropped.
    """
    sizes = sorted((abs(change), change > 0) for change in changes if change)
    n, positive, ties, at = len(sizes), 0.0, 0, 0
    while at < n:
        end = at
        while end < n and sizes[end][0] == sizes[at][0]:
            end += 1
        rank, tied = (at + 1 + end) / 2, end - at
        positive += rank * sum(up for _, up in sizes[at:end])
        ties += tied**3 - tied
        at = end
    spread = sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)
    away = positive - n * (n + 1) / 4
    return erfc(max(0.0, abs(away) - 0.5) / spread / sqrt(2)) if spread else 1.0
