"""Matched sets as the paired tests take them: differences, tables of pairs, and survival with errors by set."""

from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable, differences
from registry.stats.effects.proportions import Estimate
from registry.stats.survival.cox import cox
from registry.stats.survival.log_rank import stratified_log_rank
from registry.stats.tails import normal_quantile


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


def log_rank_by_set(time: Any, event: Any, treated: Any, matched: Any) -> Any:
    """Stratified log-rank test, each matched set a stratum. R: survdiff(Surv(time, event) ~ treated + strata(set))"""
    inside = matched.sets >= 0
    parts = (np.asarray(part)[inside] for part in (time, event, np.asarray(treated).astype(int), matched.sets))
    return stratified_log_rank(*parts)


def cox_by_set(time: Any, event: Any, covariates: Any, matched: Any, confidence: float = 0.95) -> Any:
    """Cox model of matched patients with robust errors by set.

    covariates  (n, p), the treatment among them
    R: coxph(Surv(time, event) ~ x, subset = set > 0, weights = w, cluster = set)
    Source: Austin 2014, doi:10.1002/sim.5984.
    """
    inside = matched.weights > 0
    weights = None if (matched.weights[inside] == 1).all() else matched.weights[inside]
    time, event, covariates = (np.asarray(part)[inside] for part in (time, event, covariates))
    return cox(time, event, covariates, weights=weights, cluster=matched.sets[inside], confidence=confidence)
