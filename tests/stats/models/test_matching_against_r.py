"""Propensity scores, matching, balance and weights against R's glm and package MatchIt."""

import numpy as np

from registry.stats.matching.balance import balance
from registry.stats.matching.nearest import nearest
from registry.stats.matching.score import propensity
from registry.stats.matching.weights import propensity_weights
from tests.stats.oracle import Room, against_r


def table(treated, cells):
    return cells.reshape(-1, treated.size).T


def chosen(score, treated, **options):
    """For each treated patient in the order of the data, the position of each control from 1 on, 0 for nobody."""
    matched = nearest(score, treated, **options)
    places = {patient: row for row, patient in enumerate(np.flatnonzero(treated))}
    matrix = np.zeros((len(places), matched.ratio), int)
    for patient, control in matched.pairs:
        row = matrix[places[patient]]
        row[np.flatnonzero(row == 0)[0]] = control + 1
    return matrix.ravel(), matched


def with_weights(*given, **options):
    matrix, matched = chosen(*given, **options)
    return [*matrix, *matched.weights]


def within_sd(score, treated, width):
    matrix, matched = chosen(score, treated, caliper=width[0], caliper_unit="sd")
    return [*matrix, matched.caliper]


def matched_balance(treated, cells, score):
    balanced = balance(table(treated, cells), treated, nearest(score, treated).weights, denominator="treated")
    return [*balanced.mean_treated, *balanced.mean_control, *balanced.difference, *balanced.variance_ratio]


def standardised(treated, cells):
    balanced = balance(table(treated, cells), treated)
    return [*balanced.difference, *balanced.variance_ratio]


def every_weight(score, treated):
    estimands = ("ate", "att", "overlap")
    return np.concatenate([propensity_weights(score, treated, name, normalised=False).weights for name in estimands])


OURS = {
    "propensity": lambda treated, cells: propensity(treated, table(treated, cells)).score,
    "nearest": with_weights,
    "nearest_caliper": lambda score, treated, width: with_weights(score, treated, caliper=width[0]),
    "nearest_caliper_sd": within_sd,
    "nearest_ratio": lambda score, treated, k: with_weights(score, treated, ratio=int(k[0])),
    "nearest_smallest": lambda score, treated: chosen(score, treated, order="smallest")[0],
    "nearest_data": lambda score, treated: chosen(score, treated, order="data")[0],
    "nearest_exact": lambda score, treated, e: with_weights(score, treated, exact=e),
    "nearest_replace": lambda score, treated: with_weights(score, treated, replace=True),
    "balance": standardised,
    "balance_matched": matched_balance,
    "weights": every_weight,
}


def scored(random):
    n = random.integers(30, 120)
    treated = random.binomial(1, 0.35, n)
    treated[:2] = 0, 1
    return (1 / (1 + np.exp(-random.normal(treated - 1.0)))).round(9), treated


def of_people(random):
    n = random.integers(40, 120)
    x = np.concatenate([random.normal(60, 9, n).round(1), random.normal(3, 1, n).round(2)])
    return random.binomial(1, 0.4, n), x


SHAPES = {
    **dict.fromkeys(["nearest", "nearest_smallest", "nearest_data", "nearest_replace", "weights"], scored),
    **dict.fromkeys(["propensity", "balance"], of_people),
    "nearest_caliper": lambda random: (*scored(random), np.array([0.05])),
    "nearest_caliper_sd": lambda random: (*scored(random), np.array([0.2])),
    "nearest_ratio": lambda random: (*scored(random), random.integers(2, 4, 1)),
    "nearest_exact": lambda random: (*(drawn := scored(random)), random.integers(0, 4, drawn[0].size)),
    "balance_matched": lambda random: (*(drawn := of_people(random)), random.random(drawn[0].size).round(9)),
}
ROOM = Room(
    "matching",
    OURS,
    SHAPES,
    packages=("MatchIt",),
    tolerance={"propensity": (1e-7, 1e-10)},  # glm's own convergence
    cases=20,
    least=10,
)

test_quoted, test_all_are_quoted, test_r_prints_them, test_random = against_r(ROOM)
