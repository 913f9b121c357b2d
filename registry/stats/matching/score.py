"""Propensity score: the probability of the treatment that a patient got, given what was known before."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from registry.stats.models.logistic import Logistic, logistic


@dataclass(frozen=True, eq=False)
class Propensity:
    """score and logit (n,), NaN where a covariate or the treatment is unknown: such patients cannot be matched."""

    score: np.ndarray
    logit: np.ndarray
    n: int
    missing: int
    model: Logistic = field(repr=False)
    method: str = "propensity_logistic"


def propensity(treated: Any, covariates: Any) -> Propensity:
    """Propensity score by logistic regression.

    treated     (n,) 1 or 0, NaN where unknown
    covariates  (n, p) numbers; categories as indicator columns
    Raises NotEstimable as models.logistic: `separation` says that a covariate alone tells the treatment.
    R: fitted(glm(treated ~ x, family = binomial)); MatchIt::matchit(treated ~ x, distance = "glm")$distance
    Source: Rosenbaum and Rubin 1983, doi:10.1093/biomet/70.1.41.
    """
    model = logistic(treated, covariates)
    return Propensity(model.fitted, model.linear_predictor, model.n, model.missing, model)
