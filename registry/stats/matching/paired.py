"""Matched sets as the paired tests take them: differences, and tables of pairs."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, differences
from registry.stats.effects.proportions import Estimate, clopper_pearson
from registry.stats.tails import binomial_half_two_sided, normal_quantile


def pair_differences(values: Any, matched: Any, decimals: int = 9) -> Any:
    """Counts of treated minus control, the mean of the controls where a set has several: for paired_t and signed rank.

    values  (n,) NaN where unknown; a set with an unknown value counts as missing
    R: t.test(y[treated], y[control], paired = TRUE)
    """
    values = np.asarray(values, float)
    of_treated, number = np.unique(matched.pairs[:, 0], return_inverse=True)
    total = np.bincount(number, values[matched.pairs[:, 1]])
    controls = total / np.bincount(number)
    return differences(controls, values[of_treated], decimals)


def pair_table(codes: Any, levels: Any, matched: Any) -> np.ndarray:
    """(levels, levels) counts of 1:1 pairs, the treated patient's category in rows: for McNemar and Bowker.

    codes  (n,) whole numbers 0 to levels - 1, anything else unknown: such pairs are left out
    Raises ValueError where sets have several controls.
    """
    if matched.ratio != 1:
        raise ValueError("a table of pairs takes one control for each treated patient")
    first, second = np.asarray(codes)[matched.pairs].T
    known = np.isin(first, np.arange(levels)) & np.isin(second, np.arange(levels))
    cells = first[known].astype(int) * levels + second[known].astype(int)
    return np.bincount(cells, minlength=levels * levels).reshape(levels, levels)


def pair_risk_difference(table: Any, confidence: float = 0.95) -> Estimate:
    """Difference of two shares in the same pairs, rows' first category minus columns', with Wald's interval.

    table  (2, 2) counts of pairs
    Raises NotEstimable: `empty`; `no_discordant_pairs`, where the interval would be a point.
    R: written out: d <- (b - c) / n; d + c(-1, 1) * qnorm(.975) * sqrt(b + c - (b - c)^2 / n) / n
    Source: Fleiss, Levin and Paik 2003, 13.1.
    """
    table = np.asarray(table, float)
    n, b, c = float(table.sum()), float(table[0, 1]), float(table[1, 0])
    if n == 0:
        raise NotEstimable("empty")
    if b + c == 0:
        raise NotEstimable("no_discordant_pairs")
    estimate = (b - c) / n
    margin = normal_quantile((1 + confidence) / 2) * sqrt(b + c - (b - c) ** 2 / n) / n
    return Estimate(estimate, estimate - margin, estimate + margin, int(n), confidence, "wald_paired")


def pair_odds_ratio(table: Any, confidence: float = 0.95) -> Estimate:
    """Conditional odds ratio of pairs, rows' first category over columns', with its exact interval.

    table  (2, 2) counts of pairs; the estimate and the upper end are infinite where no pair goes the other way
    Raises NotEstimable(`no_discordant_pairs`).
    R: p <- binom.test(b, b + c)$conf.int; c(b / c, p / (1 - p))
    Source: Breslow and Day 1980, 5.2; Fleiss, Levin and Paik 2003, 13.1.
    """
    table = np.asarray(table)
    forth, back = int(table[0, 1]), int(table[1, 0])
    if forth + back == 0:
        raise NotEstimable("no_discordant_pairs")
    share = clopper_pearson(forth, forth + back, confidence)
    ends = (odds(forth / (forth + back)), odds(share.low), odds(share.high))
    return Estimate(*ends, int(table.sum()), confidence, "conditional_exact_pairs")


def odds(share: float) -> float:
    return share / (1 - share) if share < 1 else inf


@dataclass(frozen=True)
class SignTest:
    """wins: pairs whose treated patient has the higher value; losses: the lower one; n pairs of whom both are known."""

    wins: int
    losses: int
    ties: int
    n: int
    p: float
    method: str = "sign_of_pairs"


def pair_signs(values: Any, matched: Any) -> SignTest:
    """Exact sign test of 1:1 pairs: of values of which only the order tells, such as ranks with the dead below all.

    values  (n,) NaN where unknown: such pairs are left out
    Raises ValueError where sets have several controls, and NotEstimable: `empty`; `all_differences_zero`.
    R: binom.test(wins, wins + losses)
    Source: Dixon and Mood 1946; of matched pairs with death first: Pocock et al. 2012, doi:10.1093/eurheartj/ehr352.
    """
    if matched.ratio != 1:
        raise ValueError("signs of pairs take one control for each treated patient")
    first, second = np.asarray(values, float)[matched.pairs].T
    known = ~(np.isnan(first) | np.isnan(second))
    n, wins, losses = (int(np.sum(part)) for part in (known, known & (first > second), known & (first < second)))
    if n == 0:
        raise NotEstimable("empty")
    if wins + losses == 0:
        raise NotEstimable("all_differences_zero")
    return SignTest(wins, losses, n - wins - losses, n, binomial_half_two_sided(wins, wins + losses))
