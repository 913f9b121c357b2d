"""Cox's proportional hazards model, and the test of its assumption."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable
from registry.stats.models.columns import matrix, standardised
from registry.stats.survival.kaplan_meier import kaplan_meier
from registry.stats.survival.risk_sets import RiskSets
from registry.stats.tails import chi_square_upper, normal_quantile, normal_two_sided

TIES = ("efron", "breslow")
TRANSFORMS = ("km", "identity", "rank", "log")
MOST_ITERATIONS = 40
STEP = 1e-8  # of a standard deviation of the covariate: nearer than this is there
RUNNING = 1e-2  # a step so long while the likelihood stands still goes to infinity


@dataclass(frozen=True, eq=False)
class ChiSquare:
    statistic: float
    df: int
    p: float


@dataclass(frozen=True, eq=False)
class Cox:
    """A fitted model. Arrays are (p,), in the order of the covariates, but covariance (p, p).

    coefficient        log hazard ratio, with its standard_error, and z and p (Wald)
    hazard_ratio       with low and high
    log_likelihood     partial, of the fitted and of the empty model
    likelihood_ratio, wald, score  tests of the whole model
    robust             whether the covariance is the sandwich, by cluster
    iterations, step   how the fit ended: the last step in standard deviations of the covariates
    """

    coefficient: np.ndarray
    standard_error: np.ndarray
    hazard_ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    z: np.ndarray
    p: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    null_log_likelihood: float
    likelihood_ratio: ChiSquare
    wald: ChiSquare
    score: ChiSquare
    n: int
    events: int
    missing: int
    iterations: int
    step: float
    robust: bool
    ties: str
    confidence: float
    method: str = "cox"
    sets: RiskSets | None = field(default=None, repr=False)
    people: tuple | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class ProportionalHazards:
    """Score tests of a covariate times a function of time: statistic and p (terms,), each with df; and over all."""

    statistic: np.ndarray
    df: np.ndarray
    p: np.ndarray
    overall: ChiSquare
    transform: str
    method: str = "proportional_hazards"


def cox(
    time: Any,
    event: Any,
    covariates: Any,
    strata: Any = None,
    weights: Any = None,
    cluster: Any = None,
    ties: str = "efron",
    confidence: float = 0.95,
) -> Cox:
    """Cox regression by Newton's method on the partial likelihood.

    time, event  (n,) as for kaplan_meier
    covariates   (n, p) numbers; categories as indicator columns
    strata       (n,) anything that can be sorted: a baseline hazard for each
    weights      (n,) >= 0, of sampling or of inverse probability; only robust errors (`cluster`) are right for these
    cluster      (n,) anything that can be sorted: robust errors, those of one cluster (matched pair, centre) summed
    ties         `efron` or `breslow`
    People with anything unknown are left out and counted in `missing`.
    Raises NotEstimable: `empty`; `no_events`; `constant_covariate` and `collinear` (R: NA coefficients);
    `monotone_likelihood` where a hazard ratio goes to 0 or infinity, as with no event in a group (R warns), each with
    the covariates' positions in `where`; `singular`; `not_converged`.
    R: coxph(Surv(time, event) ~ x + strata(s), weights = w, cluster = c, ties = "efron")
    Source: Cox 1972; Efron 1977, doi:10.1080/01621459.1977.10480613; Lin and Wei 1989.
    """
    if ties not in TIES:
        raise ValueError(f"unknown ties {ties!r}; one of {', '.join(TIES)}")
    time, event, columns, strata, weights, cluster, missing = complete(
        time, event, covariates, strata, weights, cluster
    )
    if time.size == 0:
        raise NotEstimable("empty")
    if not event.any():
        raise NotEstimable("no_events")
    scaled = standardised(columns)
    sets = RiskSets(time, event, scaled.values, strata, weights, ties)
    if sets.dead.size == 0:
        raise NotEstimable("no_events")
    beta, null, fitted, iterations, step = newton(sets)
    inverse = np.linalg.inv(fitted.information)
    score = chi_square(null.score @ np.linalg.solve(null.information, null.score), beta.size)
    if cluster is not None:
        inverse = sandwich(sets, beta, inverse, cluster)
    wald = chi_square(beta @ np.linalg.solve(inverse, beta), beta.size)
    ratio = chi_square(2 * (fitted.log_likelihood - null.log_likelihood), beta.size)
    estimated = estimates(beta / scaled.scale, inverse / np.outer(scaled.scale, scaled.scale), confidence)
    return Cox(
        **estimated,
        log_likelihood=fitted.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        likelihood_ratio=ratio,
        wald=wald,
        score=score,
        n=time.size,
        events=int(event.sum()),
        missing=missing,
        iterations=iterations,
        step=step,
        robust=cluster is not None,
        ties=ties,
        confidence=confidence,
        sets=sets,
        people=(time, event, beta),
    )


def proportional_hazards(model: Any, transform: str = "km", terms: Any = None) -> ProportionalHazards:
    """Test of proportional hazards: a score test of each covariate's interaction with a function of time.

    This is the test by scaled Schoenfeld residuals as R has it since survival 3: exact where the older one took the
    covariance of the covariates for constant.
    model      a fitted Cox
    transform  of time: `km` (1 - Kaplan-Meier before it, R's default), `identity`, `rank` or `log`
    terms      positions of columns that belong together, such as [[0], [1, 2]]; each column by itself unless given
    Raises NotEstimable(`singular`) where time does not vary among the events.
    R: cox.zph(fit, transform = "km")
    Source: Grambsch and Therneau 1994, doi:10.1093/biomet/81.3.515.
    """
    if transform not in TRANSFORMS:
        raise ValueError(f"unknown transform {transform!r}; one of {', '.join(TRANSFORMS)}")
    time, event, beta = model.people
    g = transformed(time, event, model.sets.time[model.sets.at], transform)
    g = g - g[model.sets.of].mean()
    plain, first, twice = model.sets.sums(beta, np.array([np.ones_like(g), g, g * g]))
    size = beta.size
    information = np.block([[plain.information, first.information], [first.information.T, twice.information]])
    score = np.concatenate([np.zeros(size), first.score])
    terms = [[place] for place in range(size)] if terms is None else terms
    tests = [score_test(information, score, size, list(term)) for term in terms]
    overall = score_test(information, score, size, list(range(size)))
    statistic, df, p = (np.array([getattr(test, name) for test in tests]) for name in ("statistic", "df", "p"))
    return ProportionalHazards(statistic, df, p, overall, transform)


def scaled_schoenfeld(model: Any) -> tuple:
    """Times of the deaths (d,) and their scaled Schoenfeld residuals (d, p): their course shows a coefficient's.

    R: residuals(fit, "scaledsch"), with the coefficient added
    """
    *_, beta = model.people
    inverse = np.linalg.inv(model.sets.sums(beta).information)
    raw = model.sets.schoenfeld(beta)
    scale = beta / model.coefficient if (model.coefficient != 0).all() else np.ones_like(beta)
    residuals = (raw.T @ inverse * raw.shape[1] + beta) / scale
    return model.sets.time[model.sets.at][model.sets.of], residuals


def complete(time: Any, event: Any, covariates: Any, strata: Any, weights: Any, cluster: Any) -> Any:
    """What the model takes, of people of whom all is known; and how many were not."""
    time, event = np.asarray(time, float), np.asarray(event, float)
    if time.ndim != 1 or time.shape != event.shape:
        raise ValueError("time and event must be one-dimensional and of the same length")
    columns = matrix(covariates, time.size)
    weights = None if weights is None else np.asarray(weights, float)
    known = ~(np.isnan(time) | np.isnan(event) | np.isnan(columns).any(axis=0))
    if weights is not None:
        known &= ~np.isnan(weights)
        if (weights[known] < 0).any() or weights.shape != time.shape:
            raise ValueError("weights are zero or more, one for each person")
    strata, cluster = coded(strata, time.size), coded(cluster, time.size)
    for codes in (strata, cluster):
        if codes is not None:
            known &= codes >= 0
    missing = int(time.size - known.sum())
    if missing:
        time, event, columns = time[known], event[known], columns[:, known]
        strata, weights, cluster = (None if part is None else part[known] for part in (strata, weights, cluster))
    if not np.isfinite(time).all() or (time < 0).any():
        raise ValueError("times must be finite and not negative")
    if not np.isin(event, (0, 1)).all():
        raise ValueError("an event is 0 or 1")
    return time, event.astype(bool), columns, strata, weights, cluster, missing


def coded(labels: Any, n: Any) -> Any:
    """Whole numbers 0, 1, … for labels (n,), -1 for NaN; None stays None."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError("strata and clusters have one entry for each person")
    if labels.dtype.kind == "f":
        codes = np.unique(labels, return_inverse=True)[1].reshape(n)
        return np.where(np.isnan(labels), -1, codes)
    return np.unique(labels, return_inverse=True)[1].reshape(n)


def newton(sets: Any) -> Any:
    """Coefficients, Sums at zero and at them, iterations, and the last step. Raises NotEstimable."""
    beta = np.zeros(len(sets.columns))
    null = now = sets.sums(beta)
    refuse_singular(now.information, now.information)
    for iteration in range(1, MOST_ITERATIONS + 1):
        step = solved(now.information, now.score)
        length = float(np.abs(step).max())
        if length < STEP:
            return beta, null, now, iteration - 1, length
        step, ahead = halved(sets, beta, step, now)
        gain = ahead.log_likelihood - now.log_likelihood
        running = np.flatnonzero(np.abs(step) > RUNNING)
        if iteration > 4 and running.size and gain < 1e-7 * (1 + abs(now.log_likelihood)):
            raise NotEstimable("monotone_likelihood", running)
        beta, now = beta + step, ahead
        refuse_singular(now.information, null.information)
    raise NotEstimable("not_converged")


def halved(sets: Any, beta: np.ndarray, step: Any, now: Any) -> tuple:
    """The step, halved until the likelihood does not fall, and the Sums there."""
    for _ in range(30):
        with np.errstate(over="ignore", invalid="ignore"):
            ahead = sets.sums(beta + step)
        if ahead.log_likelihood >= now.log_likelihood - 1e-10 * abs(now.log_likelihood):
            return step, ahead
        step = step / 2
    raise NotEstimable("not_converged")


def refuse_singular(information: Any, beginning: Any) -> None:
    """Raise NotEstimable where a coefficient's information has vanished, naming it."""
    lost = np.flatnonzero(~(np.diag(information) > 1e-10 * np.abs(np.diag(beginning)).max()))
    if lost.size:
        raise NotEstimable("monotone_likelihood", lost)


def sandwich(sets: Any, beta: np.ndarray, inverse: Any, cluster: Any) -> np.ndarray:
    """Robust covariance: changes of the coefficients when a cluster leaves, squared and summed."""
    residual = sets.score_residuals(beta)
    if sets.weights is not None:
        residual *= sets.weights
    change = inverse @ residual
    cluster = cluster[sets.order]
    summed = np.array([np.bincount(cluster, row) for row in change])
    return summed @ summed.T


def transformed(time: Any, event: Any, at: Any, transform: Any) -> Any:
    """A function of time at the times `at` of deaths."""
    if transform == "identity":
        return at
    if transform == "log":
        return np.log(at)
    ordered = np.sort(time)
    if transform == "rank":
        return (np.searchsorted(ordered, at, "left") + np.searchsorted(ordered, at, "right") + 1) / 2
    curve = kaplan_meier(time, event)
    return 1 - np.append(1, curve.survival)[np.searchsorted(curve.time, at, "left")]


def score_test(information: Any, score: Any, size: Any, term: Any) -> ChiSquare:
    places = [*range(size), *(size + place for place in term)]
    part = score[places]
    return chi_square(part @ solved(information[np.ix_(places, places)], part), len(term))


def solved(information: Any, score: Any) -> Any:
    """The step of a score. Raises NotEstimable(`singular`), as where all events fall on one time."""
    try:
        return np.linalg.solve(information, score)
    except np.linalg.LinAlgError as error:
        raise NotEstimable("singular") from error


def chi_square(statistic: Any, df: Any) -> ChiSquare:
    return ChiSquare(float(statistic), df, chi_square_upper(max(0.0, float(statistic)), df))


def estimates(coefficient: Any, covariance: Any, confidence: float) -> dict[str, Any]:
    error = np.sqrt(np.diag(covariance))
    z = coefficient / error
    margin = normal_quantile((1 + confidence) / 2) * error
    return {
        "coefficient": coefficient,
        "standard_error": error,
        "hazard_ratio": np.exp(coefficient),
        "low": np.exp(coefficient - margin),
        "high": np.exp(coefficient + margin),
        "z": z,
        "p": np.array([normal_two_sided(value) for value in z]),
        "covariance": covariance,
    }
