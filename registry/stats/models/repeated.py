"""Mixed model for repeated measures: visits of a patient covary freely, and patients with gaps tell what they have.

The likelihood needs of the data only the cross products of each pattern of visits, so that an iteration costs the same
for a hundred patients as for a hundred thousand.
"""

from dataclasses import dataclass, field
from math import log, pi
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.models.columns import refuse_dependent
from registry.stats.models.linear import refuse_constant
from registry.stats.models.terms import Design, Factor, Number
from registry.stats.tails import t_quantile, t_two_sided

STRUCTURES = ("unstructured", "compound_symmetry")
DEGREES = ("satterthwaite", "residual")
MOST_ITERATIONS = 200
DECREMENT = 1e-18  # what the next step would still gain of the log-likelihood: steps of 1e-9 standard errors
SURE = 1e-6  # below it, differences of the likelihood are rounding, and the step is taken as it is


@dataclass(frozen=True, eq=False)
class Repeated:
    """A fitted model. Arrays are (p,), in the order of design.names; covariance (p, p).

    of_visits   (visits, visits) covariance of a patient's values, by restricted maximum likelihood
    n           patients with at least one value; observations: values; at_visit (visits,): values at each
    degrees     how df_of counts: `satterthwaite`, or `residual` (observations less coefficients, as gls says)
    decrement   what a next step would have gained: how the fit ended
    """

    coefficient: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    statistic: np.ndarray
    p: np.ndarray
    df: np.ndarray
    covariance: np.ndarray
    of_visits: np.ndarray
    log_likelihood: float
    n: int
    observations: int
    at_visit: np.ndarray
    missing: int
    structure: str
    degrees: str
    iterations: int
    decrement: float
    confidence: float
    df_residual: int
    design: Design = field(repr=False)
    moments: "Moments" = field(repr=False)
    method: str = "repeated_measures"

    def df_of(self, row: Any) -> float:
        return self.df_residual if self.degrees == "residual" else self.moments.satterthwaite(np.asarray(row))


def repeated_measures(
    outcome: Any,
    group: Any,
    baseline: Any = None,
    covariates: Any = (),
    groups: Any = None,
    structure: str = "unstructured",
    degrees: str = "satterthwaite",
    confidence: float = 0.95,
) -> Repeated:
    """Mixed model for repeated measures of an outcome at several visits, by restricted maximum likelihood.

    outcome     (n, visits) NaN where unknown, which is taken for missing at random
    group       (n,) whole numbers 0 to groups - 1
    baseline    (n,) value before, whose effect may differ by visit; None where there is none
    covariates  further variables of a person, Number or Factor
    structure   covariance of a patient's values: `unstructured` or `compound_symmetry`
    degrees     of freedom: `satterthwaite` (exact derivatives, observed information) or `residual` as nlme prints
    Raises NotEstimable: `empty`; `too_few_visits`; `too_few` where a visit, or two visits together, have no patient to
    estimate from; `constant_covariate`, `collinear`; `singular`; `not_converged`.
    R: nlme::gls(y ~ visit * group + visit * baseline, correlation = corSymm(form = ~ visit | id),
                 weights = varIdent(form = ~ 1 | visit)), or corCompSymm(form = ~ 1 | id) without weights
    Source: Mallinckrodt et al. 2008, doi:10.1177/009286150804200402; Satterthwaite 1946.
    """
    if structure not in STRUCTURES or degrees not in DEGREES:
        raise ValueError(f"structure is one of {', '.join(STRUCTURES)}; degrees one of {', '.join(DEGREES)}")
    outcome = np.asarray(outcome, float)
    if outcome.ndim != 2:
        raise ValueError("an outcome has a row for each patient and a column for each visit")
    n, visits = outcome.shape
    if (np.isfinite(outcome).sum(axis=0) > 0).sum() < 2:
        raise NotEstimable("too_few_visits")
    groups = int(np.nanmax(group)) + 1 if groups is None else groups
    variables: dict[str, Factor | Number] = {"visit": Factor(np.tile(np.arange(visits), n), visits)}
    terms: list[tuple[str, ...]] = [("visit",)]
    variables["group"] = Factor(np.repeat(group, visits), groups)
    terms.append(("group",))
    if baseline is not None:
        variables["baseline"] = Number(np.repeat(baseline, visits))
        terms.append(("baseline",))
    for place, variable in enumerate(covariates):
        variables[f"covariate{place}"] = repeated_variable(variable, visits)
        terms.append((f"covariate{place}",))
    terms += [("visit", name) for name in ("group", "baseline") if name in variables]
    design = Design(variables, terms, np.isfinite(outcome).ravel())
    moments = Moments(outcome, design, structure)
    try:
        theta, state, iterations, decrement = fitted(moments)
    except np.linalg.LinAlgError as error:
        raise NotEstimable("singular") from error
    moments.settle(theta)
    df_residual = int(design.rows.sum()) - design.matrix.shape[1]
    standard_error = np.sqrt(np.diag(state.covariance))
    identity = np.eye(standard_error.size)
    df = np.full(standard_error.size, float(df_residual))
    if degrees == "satterthwaite":
        df = np.array([moments.satterthwaite(row) for row in identity])
    t = state.coefficient / standard_error
    margin = np.array([t_quantile((1 + confidence) / 2, each) for each in df]) * standard_error
    at_visit = design.rows.reshape(n, visits).sum(axis=0)
    patients = int(design.rows.reshape(n, visits).any(axis=1).sum())
    return Repeated(
        state.coefficient,
        standard_error,
        state.coefficient - margin,
        state.coefficient + margin,
        t,
        np.array([t_two_sided(value, each) for value, each in zip(t, df, strict=True)]),
        df,
        state.covariance,
        moments.sigma(theta),
        state.log_likelihood,
        patients,
        int(design.rows.sum()),
        at_visit,
        n - patients,
        structure,
        degrees,
        iterations,
        decrement,
        confidence,
        df_residual,
        design,
        moments,
    )


def repeated_variable(variable: Any, visits: Any) -> Factor | Number:
    if isinstance(variable, Factor):
        return Factor(np.repeat(variable.codes, visits), variable.levels)
    return Number(np.repeat(variable.values, visits))


@dataclass(frozen=True, eq=False)
class State:
    """What the likelihood says at one covariance: minus twice itself, its gradient and expected information."""

    deviance: float
    gradient: np.ndarray
    information: np.ndarray
    coefficient: np.ndarray
    covariance: np.ndarray
    log_likelihood: float


class Moments:
    """Cross products of design and outcome within patients, for each pattern of known visits."""

    def __init__(self, outcome: Any, design: Any, structure: str) -> None:
        n, self.visits = outcome.shape
        x, known = design.matrix, design.rows.reshape(n, self.visits)
        self.together = known.T.astype(np.int64) @ known  # patients known at each two visits
        self.choose(structure)
        centre = x[:, 1:].mean(axis=0)
        refuse_constant(x[:, 1:] - centre, centre)
        self.scale = np.append(1.0, np.sqrt((x[:, 1:] ** 2).mean(axis=0)))
        refuse_dependent((x / self.scale).T)
        place = np.cumsum(design.rows).reshape(n, self.visits) - 1
        joined = np.column_stack([x / self.scale, outcome.ravel()[design.rows]])
        self.size, self.observations = x.shape[1], len(x)
        if self.observations <= self.size:
            raise NotEstimable("too_few")
        code = known @ (1 << np.arange(self.visits))
        self.patterns = []
        for pattern in np.unique(code[code > 0]):
            chosen = code == pattern
            held = np.flatnonzero(known[np.flatnonzero(chosen)[0]])
            rows = joined[place[chosen][:, held]].reshape(int(chosen.sum()), -1)
            shape = (held.size, self.size + 1) * 2
            self.patterns.append((held, int(chosen.sum()), (rows.T @ rows).reshape(shape)))

    def choose(self, structure: str) -> None:
        """Set the basis of the covariance, a sum of matrices; its coefficients are the parameters."""
        used = np.diag(self.together) > 0
        if not used.all() or (structure == "unstructured" and (self.together < 2).any()):
            raise NotEstimable("too_few")
        pairs = [(a, b) for a in range(self.visits) for b in range(a, self.visits)]
        if structure == "compound_symmetry":
            self.basis = np.array([np.eye(self.visits), np.ones((self.visits, self.visits))])
            return
        self.basis = np.zeros((len(pairs), self.visits, self.visits))
        for matrix, (a, b) in zip(self.basis, pairs, strict=True):
            matrix[a, b] = matrix[b, a] = 1

    def sigma(self, theta: Any) -> np.ndarray:
        return np.tensordot(theta, self.basis, 1)

    def start(self) -> np.ndarray:
        """Parameters for independent visits with the residual variance of least squares."""
        visits = np.eye(self.visits)
        initial = self.at(None, visits)
        variance = initial[4] / self.observations
        return np.linalg.lstsq(self.basis.reshape(len(self.basis), -1).T, (visits * variance).ravel(), rcond=None)[0]

    def at(self, theta: Any, sigma: Any = None) -> Any:
        """Inverse covariances by pattern, coefficients, their covariance, log determinants and the residual form."""
        sigma = self.sigma(theta) if sigma is None else sigma
        inverses, total, log_det = [], np.zeros(()), 0.0
        for held, count, moments in self.patterns:
            lower = np.linalg.cholesky(sigma[np.ix_(held, held)])
            half = np.linalg.inv(lower)
            inverse = half.T @ half
            inverses.append(inverse)
            total = total + np.einsum("ipjq,ij->pq", moments, inverse)
            log_det += count * 2 * np.log(np.diag(lower)).sum()
        a, b, c = total[:-1, :-1], total[:-1, -1], total[-1, -1]
        lower = np.linalg.cholesky(a)
        covariance = np.linalg.inv(a)
        coefficient = covariance @ b
        log_det_fixed = 2 * np.log(np.diag(lower)).sum()
        return inverses, coefficient, covariance, (log_det, log_det_fixed), float(c - coefficient @ b)

    def deviance(self, theta: Any) -> Any:
        """Minus twice the restricted log-likelihood, without its constant; infinite where no covariance."""
        try:
            *_, (log_det, log_det_fixed), form = self.at(theta)
        except np.linalg.LinAlgError:
            return np.inf
        return log_det + log_det_fixed + form

    def state(self, theta: Any) -> State:
        inverses, coefficient, covariance, (log_det, log_det_fixed), form = self.at(theta)
        slope, information = np.zeros((self.visits, self.visits)), np.zeros((len(self.basis),) * 2)
        outwards = np.append(-coefficient, 1.0)
        for (held, count, moments), inverse in zip(self.patterns, inverses, strict=True):
            residual = np.einsum("ipjq,p,q->ij", moments, outwards, outwards)
            spread = np.einsum("ipjq,pq->ij", moments[:, :-1, :, :-1], covariance)
            place = np.ix_(held, held)
            slope[place] += count * inverse - inverse @ (residual + spread) @ inverse
            turned = np.array([inverse @ matrix[place] for matrix in self.basis])
            information += count * np.einsum("kij,lji->kl", turned, turned)
        gradient = np.einsum("ij,kij->k", slope, self.basis)
        deviance = log_det + log_det_fixed + form
        constant = (self.observations - self.size) * log(2 * pi)
        likelihood = -(deviance + constant + 2 * np.log(self.scale).sum()) / 2  # as if the columns were not scaled
        scaled = covariance / np.outer(self.scale, self.scale)
        return State(deviance, gradient, information, coefficient / self.scale, scaled, likelihood)

    def settle(self, theta: Any) -> None:
        """Keep what Satterthwaite's degrees of freedom need: derivatives at the fitted covariance."""
        inverses, _, covariance, *_ = self.at(theta)
        derivative = np.zeros((len(self.basis), self.size, self.size))
        for (held, _, moments), inverse in zip(self.patterns, inverses, strict=True):
            for place, matrix in enumerate(self.basis):
                middle = inverse @ matrix[np.ix_(held, held)] @ inverse
                derivative[place] += np.einsum("ipjq,ij->pq", moments[:, :-1, :, :-1], middle)
        unscaled = covariance / self.scale[:, None] / self.scale
        turned = covariance @ derivative @ covariance
        self.of_coefficients, self.slopes = unscaled, turned / self.scale[:, None] / self.scale
        self.of_parameters = 2 * np.linalg.inv(self.hessian(theta))

    def hessian(self, theta: Any) -> np.ndarray:
        """Observed second derivatives of minus twice the likelihood, from central differences of its gradient."""
        size = 1e-4 * np.sqrt(np.abs(np.diag(np.linalg.inv(self.state(theta).information))))
        columns = []
        for place, nudge in enumerate(size):
            step = np.zeros_like(theta)
            step[place] = nudge
            columns.append((self.state(theta + step).gradient - self.state(theta - step).gradient) / (2 * nudge))
        hessian = np.array(columns)
        return (hessian + hessian.T) / 2

    def satterthwaite(self, row: Any) -> float:
        """Degrees of freedom of a combination of coefficients."""
        variance = float(row @ self.of_coefficients @ row)
        slope = np.einsum("p,kpq,q->k", row, self.slopes, row)
        return 2 * variance**2 / float(slope @ self.of_parameters @ slope)


def fitted(moments: Any) -> tuple[Any, Any, int, float]:
    """Parameters, State, iterations and the last decrement: Fisher's scoring, halved where it would go astray."""
    theta = moments.start()
    state = moments.state(theta)
    for iteration in range(MOST_ITERATIONS):
        step = np.linalg.solve(state.information, -state.gradient)
        decrement = float(-step @ state.gradient) / 4
        if decrement < DECREMENT:
            return theta, state, iteration, decrement
        factor = 1.0
        while decrement > SURE and moments.deviance(theta + factor * step) > state.deviance:
            factor /= 2
            if factor < 1e-10:
                raise NotEstimable("singular")
        theta = theta + factor * step
        state = moments.state(theta)
    raise NotEstimable("not_converged")
