"""Scores, matched sets and weights of all patients of a run, and the patients that are used."""

from dataclasses import dataclass

import numpy as np

from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates, named
from registry.analysis.sections.estimable import NOT_ESTIMABLE
from registry.analysis.sections.propensity.declaration import KIND
from registry.stats.arrays import NotEstimable
from registry.stats.matching.nearest import nearest, ordered
from registry.stats.matching.score import propensity
from registry.stats.matching.weights import propensity_weights


@dataclass(frozen=True, eq=False)
class Made:
    """What matching or weighting gives for all n patients of a run.

    inside   (n,) bool: in one of the two groups; score (n,); weights (n,), 0 for who is not used
    sets     (n,) number of the matched set, -1 for none; matched: stats' Matched among `inside`, None for weights
    """

    inside: np.ndarray
    treated: np.ndarray
    score: np.ndarray
    weights: np.ndarray
    sets: np.ndarray
    matched: object
    model: object
    ready: object
    reason: str = ""


def made(section, patients):
    """The Made of a section; nobody is used where the score or the matching is not estimable, and `reason` says why."""
    inside, treated = sides(section, patients)
    columns = [patients.column(*declared.reference(name)) for name in section.covariates]
    ready = covariates(columns, inside)
    blank = {"weights": np.zeros(patients.n), "sets": np.full(patients.n, -1), "matched": None}
    score, model = np.full(patients.n, np.nan), None
    try:
        if not ready.terms:
            raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
        model = propensity(treated[ready.rows], ready.columns[ready.rows])
        score[ready.rows] = model.score
        used = grouped(section, patients, inside, treated, scale_of(section, model, ready, score))
        return Made(inside, treated, score, *used, model, ready)
    except NotEstimable as error:
        at = named(error.where, ready.terms)
        why = NOT_ESTIMABLE.format(f"{error} ({at})" if at else str(error))
        return Made(inside, treated, score, **blank, model=model, ready=ready, reason=why)


def sides(section, patients):
    """(n,) bool: in one of the two groups; in the treated one. Refused where there is no such group."""
    for code in (section.treated, section.control):
        declared.one_of(KIND, "group", code, patients.codes)
    treated = patients.group == patients.codes.index(section.treated)
    return treated | (patients.group == patients.codes.index(section.control)), treated


def scale_of(section, model, ready, score):
    if section.on == "score":
        return score
    logit = np.full(score.size, np.nan)
    logit[ready.rows] = model.logit
    return logit


def grouped(section, patients, inside, treated, scale):
    """(weights, sets, Matched or None) of all patients."""
    sets, weights, places = np.full(patients.n, -1), np.zeros(patients.n), np.flatnonzero(inside)
    if section.method == "weighting":
        if not np.isfinite(scale[inside]).any():
            raise NotEstimable("empty")
        share = scale if section.on == "score" else 1 / (1 + np.exp(-scale))
        weights[places] = propensity_weights(share[inside], treated[inside], section.estimand).weights
        return weights, sets, None
    matched = nearest(
        scale[inside],
        treated[inside],
        section.ratio,
        section.caliper,
        section.caliper_unit,
        section.order,
        section.seed,
        strata(section, patients)[inside] if section.exact else None,
        section.replace,
    )
    sets[places], weights[places] = matched.sets, matched.weights
    return weights, sets, matched


def strata(section, patients):
    """(n,) a number for each combination of the exact variables; unknown is a value of its own."""
    columns = [np.nan_to_num(patients.column(*declared.reference(name)).values, nan=-1.0) for name in section.exact]
    return np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1].reshape(-1)


def restricted(section, done):
    """(Patients) -> those used alone, in the two groups, control first, with their sets and weights."""

    def of(patients):
        used = done.weights > 0
        places = [patients.codes.index(code) for code in (section.control, section.treated)]
        groups = tuple(patients.groups[place] for place in places)
        group = np.select([patients.group == place for place in places], [0, 1], -1)
        return patients.taken(used, groups=groups, group=group[used], sets=done.sets[used], weights=done.weights[used])

    return of


def turns(section, done):
    """(n,) whose turn it was to choose, NaN for who chose nobody: R follows the same order."""
    turn = np.full(done.inside.size, np.nan)
    if done.model is not None and section.method == "matching":
        choosers = np.flatnonzero(done.inside & done.treated & np.isfinite(done.score))
        turn[choosers[ordered(done.score[choosers], section.order, section.seed)]] = np.arange(choosers.size)
    return turn
