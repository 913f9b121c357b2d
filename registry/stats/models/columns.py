"""Covariates as a model takes them: complete cases, checked, standardised, and the columns that say nothing named."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable

DEPENDENT = 1e-9  # of a column's length: what is left of it beside the others is rounding


@dataclass(frozen=True, eq=False)
class Columns:
    """(p, n) columns with mean 0 and standard deviation 1, and what they had been."""

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def matrix(covariates: Any, n: Any) -> np.ndarray:
    """Covariates (n, p) or (n,) as a (p, n) float array. Raises ValueError for other shapes and infinite values."""
    covariates = np.asarray(covariates, dtype=float)
    if covariates.ndim == 1:
        covariates = covariates[:, None]
    if covariates.ndim != 2 or covariates.shape[0] != n:
        raise ValueError("covariates must have one row for each person")
    if np.isinf(covariates).any():
        raise ValueError("covariates must be finite")
    return covariates.T


def standardised(columns: np.ndarray, weights: Any = None) -> Columns:
    """Columns (p, n) moved and scaled. Raises NotEstimable: `constant_covariate`, `collinear`, with the positions."""
    if columns.shape[1] == 0:
        raise NotEstimable("empty")
    mean = columns.mean(axis=1) if weights is None else columns @ weights / weights.sum()
    centred = columns - mean[:, None]
    scale = np.sqrt(np.einsum("pn,pn->p", centred, centred) / columns.shape[1])
    constant = np.flatnonzero(scale <= 1e-12 * np.maximum(1e-300, np.abs(mean)))
    if constant.size:
        raise NotEstimable("constant_covariate", constant)
    centred /= scale[:, None]
    refuse_dependent(centred)
    return Columns(centred, mean, scale)


def refuse_dependent(columns: np.ndarray) -> None:
    """Raise NotEstimable(`collinear`) with the columns (p, n) that are sums of those before them."""
    gram = columns @ columns.T
    dependent: list[int] = []
    basis: list[int] = []
    for place in range(len(gram)):
        if basis:
            within, across = gram[np.ix_(basis, basis)], gram[basis, place]
            left = gram[place, place] - across @ np.linalg.solve(within, across)
        else:
            left = gram[place, place]
        if left <= DEPENDENT * gram[place, place]:
            dependent.append(place)
        else:
            basis.append(place)
    if dependent:
        raise NotEstimable("collinear", dependent)
