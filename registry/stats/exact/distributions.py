"""Permutation distributions of sums of ranks, ties included, counted by dynamic programming over the tied values.

Mid-ranks are halves, so sums are kept as doubled whole numbers. Without ties these are R's wilcox and signrank
distributions; with ties, what package exactRankTests computes by the shift algorithm.
"""

from typing import Any

import numpy as np

from registry.stats.rank import mid_ranks


def rank_sums(ties: Any, chosen: Any) -> Any:
    """Doubled rank sums of `chosen` out of all, and their probabilities.

    ties  (k,) how often each distinct value occurs, ascending
    Returns (sums, probabilities), (s,) each, ascending.
    """
    from scipy.special import comb

    doubled = doubled_ranks(ties)
    most = int(np.sort(np.repeat(doubled, ties))[-chosen:].sum()) if chosen else 0
    ways = np.zeros((chosen + 1, most + 1))
    ways[0, 0] = 1
    for count, rank in zip(ties.tolist(), doubled.tolist(), strict=True):
        before = ways.copy()
        for taken in range(1, min(count, chosen) + 1):
            step = taken * rank
            if step > most:
                break
            ways[taken:, step:] += comb(count, taken) * before[: chosen + 1 - taken, : most + 1 - step]
    return nonzero(ways[chosen])


def signed_rank_sums(ties: Any) -> Any:
    """Doubled sums of the ranks of positive differences, and their probabilities where either sign is as likely.

    ties  (k,) how often each distinct size of a difference occurs, ascending, zeros left out
    """
    from scipy.special import comb

    doubled = doubled_ranks(ties)
    most = int((doubled * ties).sum())
    ways = np.zeros(most + 1)
    ways[0] = 1
    for count, rank in zip(ties.tolist(), doubled.tolist(), strict=True):
        before, ways = ways, np.zeros(most + 1)
        for taken in range(count + 1):
            step = taken * rank
            ways[step:] += comb(count, taken) * 2.0**-count * before[: most + 1 - step]
    return nonzero(ways)


def doubled_ranks(ties: Any) -> Any:
    return np.rint(2 * mid_ranks(ties)).astype(np.int64)


def nonzero(ways: Any) -> Any:
    possible = np.flatnonzero(ways)
    return possible, ways[possible] / ways.sum()
