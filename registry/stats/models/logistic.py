"""Logistic regression by Newton's method, with separation found and named."""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.models.columns import matrix, standardised
from registry.stats.tails import chi_square_upper, normal_quantile, normal_two_sided

MOST_ITERATIONS = 50
STEP = 1e-9  # of a standard deviation of the covariate: nearer than this is there
RUNNING = 5e-2  # a step so long while the likelihood stands still goes to infinity
BLOCK = 1 << 13


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted model. Arrays are (p + 1,), the intercept first; covariance (p + 1, p + 1).

    odds_ratio, low, high  with Wald's interval
    fitted                 (n,) probability of each person given, NaN where something was unknown
    linear_predictor       (n,) its logit
    iterations, step       how the fit ended: the last step in standard deviations of the covariates
    """

    coefficient: np.ndarray
    standard_error: np.ndarray
    odds_ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    z: np.ndarray
    p: np.ndarray
    covariance: np.ndarray
    deviance: float
    null_deviance: float
    likelihood_ratio: float
    likelihood_ratio_p: float
    fitted: np.ndarray
    linear_predictor: np.ndarray
    n: int
    events: int
    missing: int
    iterations: int
    step: float
    confidence: float
    method: str = "logistic"


def logistic(event: Any, covariates: Any, confidence: float = 0.95) -> Logistic:
    """Logistic regression of an event on covariates.

    event       (n,) 0 or 1, NaN where unknown
    covariates  (n, p) numbers; categories as indicator columns
    Raises NotEstimable: `empty`; `constant` where nobody or everybody had the event; `constant_covariate`, `collinear`
    (R: NA coefficients) and `separation` (R warns that probabilities are 0 or 1), with the covariates' positions in
    `where`; `not_converged`.
    R: glm(event ~ x, family = binomial); exp(confint.default(fit))
    Source: McCullagh and Nelder 1989; Albert and Anderson 1984, doi:10.1093/biomet/71.1.1.
    """
    event = np.asarray(event, float)
    if event.ndim != 1:
        raise ValueError("event must be one-dimensional")
    given = matrix(covariates, event.size)
    known = ~(np.isnan(event) | np.isnan(given).any(axis=0))
    y, columns = event[known], given[:, known]
    if not np.isin(y, (0, 1)).all():
        raise ValueError("an event is 0 or 1")
    if y.size == 0:
        raise NotEstimable("empty")
    share = y.mean()
    if share in (0, 1):
        raise NotEstimable("constant")
    scaled = standardised(columns)
    x = np.concatenate([np.ones((1, y.size)), scaled.values])
    null = -2 * y.size * (share * log(share) + (1 - share) * log(1 - share))
    beta, information, deviance, iterations, step = newton(
        x, y, np.append(log(share / (1 - share)), np.zeros(len(x) - 1))
    )
    move = np.diag(np.append(1.0, 1 / scaled.scale))  # from standardised covariates back to those given
    move[0, 1:] = -scaled.mean / scaled.scale
    predictor = np.full(event.size, np.nan)
    predictor[known] = beta @ x
    coefficient, covariance = move @ beta, move @ np.linalg.inv(information) @ move.T
    error = np.sqrt(np.diag(covariance))
    z = coefficient / error
    margin = normal_quantile((1 + confidence) / 2) * error
    return Logistic(
        coefficient,
        error,
        np.exp(coefficient),
        np.exp(coefficient - margin),
        np.exp(coefficient + margin),
        z,
        np.array([normal_two_sided(value) for value in z]),
        covariance,
        deviance,
        null,
        null - deviance,
        chi_square_upper(max(0.0, null - deviance), len(columns)),
        1 / (1 + np.exp(-predictor)),
        predictor,
        y.size,
        int(y.sum()),
        int(event.size - y.size),
        iterations,
        step,
        confidence,
    )


def newton(x: Any, y: Any, beta: np.ndarray) -> tuple[Any, int, float, int, float]:
    """Coefficients, information, deviance, iterations and the last step. x (p + 1, n), standardised."""
    beginning, before = None, np.inf
    for iteration in range(MOST_ITERATIONS):
        score, information, deviance = sums(x, y, beta)
        beginning = np.diag(information) if beginning is None else beginning
        lost = np.flatnonzero(~(np.diag(information) > 1e-7 * beginning))
        if lost.size:
            raise NotEstimable("separation", lost[lost > 0] - 1)
        step = np.linalg.solve(information, score)
        length = float(np.abs(step).max())
        if length < STEP:
            return beta, information, deviance, iteration, length
        running = np.flatnonzero(np.abs(step) > RUNNING)
        if iteration > 6 and running.size and before - deviance < 1e-5 * (deviance + 0.1) + 1e-4:
            raise NotEstimable("separation", running[running > 0] - 1)
        beta, before = beta + step, deviance
    raise NotEstimable("not_converged")


def sums(x: Any, y: Any, beta: np.ndarray) -> tuple[Any, int, float]:
    """Score (p + 1,), information (p + 1, p + 1) and deviance at coefficients."""
    eta = beta @ x
    share = np.exp(-np.logaddexp(0, -eta))  # nothing overflows
    weight = share * (1 - share)
    deviance = 2 * float((np.logaddexp(0, eta) - y * eta).sum())
    blocks = [slice(start, start + BLOCK) for start in range(0, y.size, BLOCK)]
    information = sum((x[:, block] * weight[block]) @ x[:, block].T for block in blocks)
    return x @ (y - share), information, deviance
