"""The estimate of a propensity section, and its analysis data set for R."""

import numpy as np

from registry.analysis.results.propensity import Fit, PropensityResult, Score, Size
from registry.analysis.results.statistics import of_term
from registry.analysis.sections import declared
from registry.analysis.sections.propensity.balance import balances, overlap
from registry.analysis.sections.propensity.declaration import KIND
from registry.analysis.sections.propensity.matching import made, turns
from registry.analysis.sections.propensity.outcomes import outcome, test_named


def estimate(section, patients, done=None):
    """PropensityResult of a Propensity for Patients."""
    done = done or made(section, patients)
    pairs = np.empty((0, 2), int) if done.matched is None else np.flatnonzero(done.inside)[done.matched.pairs]
    outcomes, categories = [], []
    for name in section.outcomes:
        row, counted = outcome(section, patients, done, name)
        outcomes.append(row)
        categories += counted
    return PropensityResult(
        KIND,
        section.code,
        section.title,
        section.treated,
        section.control,
        section.method,
        settings(section),
        [fit(done)],
        sizes(section, patients, done),
        scores(done),
        balances(section, patients, done),
        overlap(section, done),
        outcomes,
        categories,
        pairs.tolist(),
    )


def settings(section):
    shared = ("on", "denominator")
    own = ("ratio", "caliper", "caliper_unit", "order", "seed", "replace")
    written = {
        name: getattr(section, name) for name in (*shared, *(own if section.method == "matching" else ("estimand",)))
    }
    listed = ", ".join(declared.reference(reference)[0] for reference in section.exact)
    return written | ({"exact": listed} if listed else {})


def fit(done):
    if done.reason:
        return Fit(reason=done.reason, missing=int((done.inside & ~done.ready.rows).sum()))
    n = int(done.ready.rows.sum())
    missing = int(done.inside.sum()) - n
    if done.matched is None:
        return Fit(n, missing, largest_weight=float(done.weights.max()))
    return Fit(n, missing, done.matched.n_treated, done.matched.caliper)


def sizes(section, patients, done):
    rows = []
    for code, side in ((section.treated, done.treated), (section.control, done.inside & ~done.treated)):
        weights = done.weights[side]
        scored, used = int(np.isfinite(done.score[side]).sum()), int((weights > 0).sum())
        squares = float((weights**2).sum())
        effective = float(weights.sum()) ** 2 / squares if squares else None
        rows.append(Size(code, int(side.sum()), scored, used, scored - used, effective))
    return rows


def scores(done):
    rows = [Score(name, "", "", visit, reason=why) for (name, visit), why in done.ready.dropped.items()]
    for place, term in enumerate(done.ready.terms):
        at = (term.variable, term.level, term.reference, term.visit)
        if done.model is None:
            rows.append(Score(*at, reason=done.reason))
            continue
        model = done.model.model
        rows.append(Score(*at, **of_term(place + 1, model.odds_ratio, model), statistic=model.z[place + 1]))
    return rows


def dataset(section, patients, done=None):
    """For R: treatment, covariates and outcomes, and the sets and weights that were found, which R finds again."""
    done = done or made(section, patients)
    columns = {"treated": np.where(done.inside, done.treated, np.nan).astype(float)}
    for name in (*section.covariates, *section.exact):
        columns["x." + declared.key(name)] = patients.column(*declared.reference(name))
    tests = []
    for name in section.outcomes:
        column = columns["y." + declared.key(name)] = patients.column(*declared.reference(name))
        tests.append(test_named(section, name, column))
    columns |= {"set": np.where(done.sets >= 0, done.sets, np.nan).astype(float), "weight": done.weights}
    columns["turn"] = turns(section, done)
    settings = {
        "asked": [declared.key(covariate) for covariate in section.covariates],
        "matched_on": [declared.key(name) for name in section.exact],
        "outcome_columns": [declared.key(name) for name in section.outcomes],
        "outcome_tests": tests,
    }
    return columns, settings
