"""Mixed model for repeated measures: all visits at once, with least-squares means and contrasts by visit."""

from dataclasses import replace

import numpy as np

from registry.analysis.results.models import Covariance, Fit, Mean, TermTest
from registry.analysis.sections.covariates import covariates, group_column
from registry.analysis.sections.estimable import attempted
from registry.analysis.sections.models.contrasts import EMPTY, asked, failed, gone, number, of_mean, pair_rows, term_row
from registry.stats.arrays import NotEstimable
from registry.stats.models.means import least_squares_means, term_test
from registry.stats.models.repeated import repeated_measures
from registry.stats.models.terms import Factor, Number


def repeated(section, patients):
    """Mixed model of all visits: visit, group, their interaction, the baseline by visit, covariates."""
    columns = [number(section, patients, visit) for visit in section.visits]
    outcome = np.column_stack([column.values for column in columns])
    group = group_column(patients)
    more = asked(section, patients)
    if section.baseline:
        more = [replace(number(section, patients, section.baseline), name="baseline"), *more]
    known = np.isfinite(outcome).any(axis=1) & (patients.group >= 0)
    ready = covariates([group, *more], known)
    counts = {
        (place, visit): int((ready.rows & patients.members(place) & np.isfinite(outcome[:, at])).sum())
        for place in range(len(patients.groups))
        for at, visit in enumerate(section.visits)
    }
    missing = int((patients.group >= 0).sum() - ready.rows.sum())
    try:
        fit, levels, visits = fitted(section, outcome, ready, group)
        made = least_squares_means(fit, ["visit", "group"])
    except NotEstimable as error:
        why = failed(error)
        means = [Mean(patients.codes[place], visit, n, reason=why) for (place, visit), n in counts.items()]
        return {"fits": [Fit(missing=missing, reason=why)], "means": means, "coefficients": gone(ready)}
    means = {}
    for mean in made:
        at = dict(mean.settings)
        means[levels[at["group"]], visits[at["visit"]]] = mean
    pairs = []
    for place, visit in enumerate(visits):
        pairs += pair_rows(patients, fit, levels, section.adjust, visit, "visit", place)
    whole = Fit(
        fit.n,
        fit.observations,
        missing=missing,
        log_likelihood=fit.log_likelihood,
        iterations=fit.iterations,
    )
    return {
        "fits": [whole],
        "coefficients": gone(ready),
        "means": [
            mean_row(patients.codes[place], visit, n, means.get((place, visit))) for (place, visit), n in counts.items()
        ],
        "contrasts": pairs,
        "terms": [term_of(fit, term) for term in (("group",), ("visit",), ("visit", "group"))],
        "covariance": spreads(fit, visits),
    }


def fitted(section, outcome, ready, group):
    """The Repeated, places of the groups in it, and its visits: those at which nobody has a value are left out."""
    held = np.isfinite(outcome[ready.rows]).any(axis=0)
    visits = [visit for visit, here in zip(section.visits, held, strict=True) if here]
    if len(visits) < 2:
        raise NotEstimable("too_few_visits")
    if group not in ready.used:
        raise NotEstimable("one_group")
    variables = dict(zip(((column.name, column.visit) for column in ready.used), ready.variables(), strict=True))
    factor = variables.pop(("group", ""))
    before = next((variables.pop(at) for at in list(variables) if at[0] == "baseline"), None)
    inside = ready.rows
    fit = repeated_measures(
        outcome[inside][:, held],
        factor.codes[inside],
        None if before is None else before.values[inside],
        [chosen(variable, inside) for variable in variables.values()],
        factor.levels,
        section.structure,
        section.degrees,
    )
    return fit, ready.levels[ready.used.index(group)], visits


def chosen(variable, rows):
    if isinstance(variable, Factor):
        return Factor(variable.codes[rows], variable.levels)
    return Number(variable.values[rows])


def mean_row(code, visit, n, mean):
    if mean is None:
        return Mean(code, visit, n, reason=EMPTY)
    return of_mean(code, visit, n, mean)


def term_of(fit, term):
    name = ":".join(term)
    return attempted(lambda: term_row(name, term_test(fit, term)), lambda why: TermTest(name, reason=why))


def spreads(fit, visits):
    sigma = fit.of_visits
    scale = np.sqrt(np.diag(sigma))
    return [
        Covariance(visits[a], visits[b], float(sigma[a, b]), float(sigma[a, b] / (scale[a] * scale[b])))
        for a in range(len(visits))
        for b in range(a, len(visits))
    ]
