"""Survival of weighted patients, equal to R's survfit and coxph with weights, clusters and robust = TRUE."""

import subprocess

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable
from registry.stats.survival import kaplan_meier
from registry.stats.survival.weighted import (
    weighted_incidence,
    weighted_kaplan_meier,
    weighted_log_rank,
    weighted_restricted_mean,
)
from tests.analysis.running.test_bundle import needs_r

TIME = np.array([1, 2, 2, 3, 4, 5, 5, 6.0])
EVENT = np.array([1, 1, 0, 1, 0, 1, 1, 0])
CAUSE = np.array([1, 2, 0, 1, 0, 1, 2, 0])
WEIGHT = np.array([0.5, 1.5, 1, 2, 0.7, 1.2, 0.9, 1.1])
SETS = np.array([1, 1, 2, 2, 3, 3, 4, 4])

QUOTED = {
    "surv": [
        0.943820224719101,
        0.775280898876404,
        0.512473814511522,
        0.512473814511522,
        0.176162873738336,
        0.176162873738336,
    ],
    "lower": [
        0.849704494679811,
        0.464839341638243,
        0.20550524730201,
        0.20550524730201,
        0.0435995720270688,
        0.0435995720270688,
    ],
    "auc": [3.74404875261855, 0.636107428411479],
    "rscore": 0.306118820862852,
}


def test_a_curve_as_survfit_draws_it():
    """R: f <- survfit(Surv(t, e) ~ 1, weights = w, cluster = s, robust = TRUE); f$surv; f$lower"""
    curve = weighted_kaplan_meier(TIME, EVENT, WEIGHT, SETS)
    assert curve.survival == pytest.approx(QUOTED["surv"], rel=1e-12)
    assert curve.low == pytest.approx(QUOTED["lower"], rel=1e-9)
    assert curve.at_risk.tolist() == [8, 7, 5, 4, 3, 1]


def test_the_area_and_the_test():
    """R: residuals(f, times = 5, type = "auc"); coxph(Surv(t, e) ~ g, weights = w, cluster = s)$rscore"""
    mean = weighted_restricted_mean(TIME, EVENT, WEIGHT, 5, SETS)
    assert (mean.mean, mean.standard_error) == pytest.approx(QUOTED["auc"], rel=1e-9)
    test = weighted_log_rank(TIME, EVENT, [0, 1] * 4, WEIGHT, SETS)
    assert (test.statistic, test.df) == (pytest.approx(QUOTED["rscore"], rel=1e-9), 1)


def test_equal_weights_are_the_plain_curve():
    plain, weighted = kaplan_meier(TIME, EVENT), weighted_kaplan_meier(TIME, EVENT, np.full(8, 0.3))
    assert weighted.survival == pytest.approx(plain.survival, rel=1e-12)
    assert weighted.median == plain.median


def test_nobody_and_one_group_are_not_estimable():
    with pytest.raises(NotEstimable):
        weighted_kaplan_meier(TIME, EVENT, np.zeros(8))
    with pytest.raises(NotEstimable, match="fewer than two groups"):
        weighted_log_rank(TIME, EVENT, np.zeros(8), WEIGHT)
    with pytest.raises(NotEstimable, match="no event"):
        weighted_log_rank(TIME, np.zeros(8), [0, 1] * 4, WEIGHT)


SCRIPT = """
library(survival)
d <- read.csv(file("stdin"))
out <- function(x) cat(sprintf("%.17g", x), "\\n")
f <- survfit(Surv(time, event) ~ 1, d, weights = w, cluster = s, robust = TRUE)
out(f$surv); out(f$lower); out(f$upper)
out(sqrt(sum(rowsum(as.numeric(residuals(f, times = 12, type = "auc", weighted = TRUE)), d$s)^2)))
a <- survfit(Surv(time, factor(cause, 0:2)) ~ 1, d, weights = w, robust = TRUE)
r <- residuals(a, times = a$time, type = "pstate", weighted = TRUE)
out(a$pstate[, 2]); out(sqrt(colSums(rowsum(r[, , 2], d$s)^2)))
out(coxph(Surv(time, event) ~ factor(g), d, weights = w, cluster = s)$rscore)
out(coxph(Surv(time, event) ~ factor(g) + strata(st), d, weights = w, cluster = s)$rscore)
"""


@pytest.mark.r
@needs_r
@pytest.mark.parametrize("seed", range(3))
def test_random_cases_equal_r(seed):
    draw = np.random.default_rng(seed)
    n = (40, 90, 200)[seed]
    time = np.ceil(draw.exponential(12, n) * 4) / 4
    cause, group, sets = draw.integers(0, 3, n), draw.integers(0, 2 + seed % 2, n), draw.integers(0, n // 3, n)
    weight, strata, event = draw.uniform(0.2, 3, n), draw.integers(0, 3, n), (cause == 1).astype(int)
    rows = np.column_stack([time, event, cause, weight, group, sets, strata])
    text = "time,event,cause,w,g,s,st\n" + "\n".join(",".join(repr(float(x)) for x in row) for row in rows)
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", SCRIPT], input=text, capture_output=True, text=True, check=True
    )
    columns = [np.array([float(x.replace("NA", "nan")) for x in line.split()]) for line in done.stdout.splitlines()]
    curve = weighted_kaplan_meier(time, event, weight, sets)
    risk = weighted_incidence(time, cause, weight, sets)
    ours = [
        curve.survival, curve.low, curve.high,
        [weighted_restricted_mean(time, event, weight, 12, sets).standard_error],
        risk.incidence, risk.standard_error,
        [weighted_log_rank(time, event, group, weight, sets).statistic],
        [weighted_log_rank(time, event, group, weight, sets, strata).statistic],
    ]  # fmt: skip
    for mine, theirs in zip(ours, columns, strict=True):
        assert np.asarray(mine) == pytest.approx(theirs, rel=1e-9, abs=1e-14, nan_ok=True)
