"""Paired categories, such as a grade before and after: Bowker's symmetry and Stuart-Maxwell's marginal homogeneity."""

from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.categorical import TableTest, square
from registry.stats.tails import chi_square_upper


def bowker(table: Any) -> TableTest:
    """Bowker's test that changes there and back are equally frequent, for each pair of categories.

    table  (k, k) counts of pairs, rows before, columns after. Pairs of categories between which nobody changed say
           nothing and cost no degree of freedom (mcnemar.test gives NaN there).
    Raises NotEstimable(`no_discordant_pairs`).
    R: mcnemar.test(table, correct = FALSE) where no pair is empty
    Source: Bowker 1948, doi:10.1080/01621459.1948.10483284.
    """
    table = square(table)
    upper = np.triu_indices(len(table), 1)
    forth, back = table[upper], table.T[upper]
    changed = forth + back > 0
    if not changed.any():
        raise NotEstimable("no_discordant_pairs")
    statistic = float(((forth - back)[changed].astype(float) ** 2 / (forth + back)[changed]).sum())
    df = int(changed.sum())
    return TableTest("bowker", statistic, df, chi_square_upper(statistic, df), int(table.sum()))


def marginal_homogeneity(table: Any) -> TableTest:
    """Stuart-Maxwell test that the categories are as frequent after as before.

    table  (k, k) counts of pairs, rows before, columns after; categories that nobody left or entered are left out
    Raises NotEstimable(`no_discordant_pairs`).
    R: coin::mh_test(as.table(table)), asymptotic
    Source: Stuart 1955, doi:10.1093/biomet/42.3-4.412; Maxwell 1970, doi:10.1192/bjp.116.535.651.
    """
    table = square(table)
    held = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table) > 0
    moved = table[np.ix_(held, held)].astype(float)
    if not held.any():
        raise NotEstimable("no_discordant_pairs")
    away = moved.sum(axis=1) - moved.sum(axis=0)
    variance = -(moved + moved.T)
    np.fill_diagonal(variance, moved.sum(axis=1) + moved.sum(axis=0) - 2 * np.diag(moved))
    statistic, df = 0.0, 0
    for part in connected(moved + moved.T > 0):
        last = part[:-1]  # the differences of a connected part sum to zero
        statistic += float(away[last] @ np.linalg.solve(variance[np.ix_(last, last)], away[last]))
        df += len(last)
    return TableTest("marginal_homogeneity", statistic, df, chi_square_upper(statistic, df), int(table.sum()))


def connected(adjacent: Any) -> list:
    """Positions of categories between which there were changes, part by part."""
    left, parts = set(range(len(adjacent))), []
    while left:
        part, waiting = [], [min(left)]
        while waiting:
            place = waiting.pop()
            if place in left:
                left.remove(place)
                part.append(place)
                waiting += np.flatnonzero(adjacent[place]).tolist()
        parts.append(sorted(part))
    return parts
