"""Tests of tables of counts other than Fisher's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, contingency
from registry.stats.tails import binomial_half_two_sided, chi_square_upper


@dataclass(frozen=True)
class TableTest:
    method: str
    statistic: float | None
    df: int | None
    p: float
    n: int
    least_expected: float | None = None


def chi_square(table: Any, correct: bool = False) -> TableTest:
    """Pearson's chi-square test of independence.

    table    (r, c) counts
    correct  Yates' continuity correction, applied to 2 x 2 tables alone, as R does
    least_expected  the smallest expected count; below 5 the approximation is doubtful
    Raises NotEstimable: `empty`; `zero_margin` when a row or column is empty (R prints NaN).
    R: chisq.test(table, correct = correct)
    """
    table = contingency(table)
    n = int(table.sum())
    if n == 0:
        raise NotEstimable("empty")
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if not rows.all() or not columns.all():
        raise NotEstimable("zero_margin")
    expected = np.outer(rows, columns) / n
    away = np.abs(table - expected)
    if correct and table.shape == (2, 2):
        away = away - min(0.5, away.min())
    statistic = float((away**2 / expected).sum())
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    return TableTest("chi_square", statistic, df, chi_square_upper(statistic, df), n, float(expected.min()))


def mcnemar(table: Any, correct: bool = True) -> TableTest:
    """McNemar's test of a k x k table of pairs (rows before, columns after); Bowker's test when k > 2.

    correct  continuity correction for 2 x 2; none when both kinds of change are equally frequent, where the statistic
             is 0, as in R
    Raises NotEstimable: `no_discordant_pairs` when a pair of cells is empty (R prints NaN).
    R: mcnemar.test(table, correct = correct)
    """
    table = square(table)
    upper = np.triu_indices(len(table), 1)
    forth, back = table[upper], table.T[upper]
    if not (forth + back).all():
        raise NotEstimable("no_discordant_pairs")
    away = np.abs(forth - back).astype(float)
    if correct and len(table) == 2 and away[0] > 0:
        away -= 1
    statistic = float((away**2 / (forth + back)).sum())
    return TableTest("mcnemar", statistic, away.size, chi_square_upper(statistic, away.size), int(table.sum()))


def mcnemar_exact(table: Any) -> TableTest:
    """Exact McNemar test of a 2 x 2 table of pairs: the binomial test of the two kinds of change.

    Raises NotEstimable(`no_discordant_pairs`).
    R: binom.test(table[1, 2], table[1, 2] + table[2, 1])
    """
    table = square(table)
    if len(table) != 2:
        raise ValueError("the exact test takes a 2 x 2 table")
    forth, back = int(table[0, 1]), int(table[1, 0])
    if forth + back == 0:
        raise NotEstimable("no_discordant_pairs")
    return TableTest("mcnemar_exact", None, None, binomial_half_two_sided(forth, forth + back), int(table.sum()))


def square(table: Any) -> np.ndarray:
    table = contingency(table)
    if table.shape[0] != table.shape[1]:
        raise ValueError("a table of pairs is square")
    return table
