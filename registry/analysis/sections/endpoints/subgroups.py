"""Hazard ratios within the categories of a variable, with the interaction: a forest."""

import numpy as np

from registry.analysis.results.endpoints import Subgroup
from registry.analysis.results.statistics import of_term
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates
from registry.analysis.sections.endpoints.survival_times import clusters, even
from registry.analysis.sections.estimable import attempted
from registry.stats.arrays import NotEstimable
from registry.stats.survival.cox import cox
from registry.stats.tails import chi_square_upper


def subgroups(endpoint, patients, survival):
    """For each category that somebody has the hazard ratio of each later group against the first."""
    rows = []
    for subgroup in endpoint.subgroups:
        column = patients.column(*declared.reference(subgroup))
        for place in range(1, len(patients.groups)):
            rows += of_subgroups(endpoint, patients, survival, column, place)
    return rows


def of_subgroups(endpoint, patients, survival, column, place):
    pair = f"{patients.codes[0]}_vs_{patients.codes[place]}"
    both = np.isin(patients.group, (0, place)) & np.isfinite(survival.months)
    treated = (patients.group == place).astype(float)
    crossed = attempted(lambda: interaction(patients, survival, column, treated, both), lambda why: {})
    rows = []
    for number, (code, _) in enumerate(column.categories):
        inside = both & (column.codes == number)
        n, events = int(inside.sum()), int((survival.event[inside] == 1).sum())
        if not n:
            continue

        def done(inside=inside, code=code, n=n, events=events):
            fit = plain_cox(patients, survival, treated[:, None], inside)
            effect = of_term(0, fit.hazard_ratio, fit)
            return Subgroup(column.name, str(code), pair, n, events, **effect, statistic=fit.z[0], **crossed)

        def not_done(why, code=code, n=n, events=events):
            return Subgroup(column.name, str(code), pair, n, events, reason=why, **crossed)

        rows.append(attempted(done, not_done))
    return rows


def plain_cox(patients, survival, columns, inside):
    sets = None if patients.sets is None else clusters(patients)[inside]
    weights = None if patients.weights is None or even(patients.weights[inside]) else patients.weights[inside]
    return cox(survival.months[inside], survival.event[inside], columns[inside], cluster=sets, weights=weights)


def interaction(patients, survival, column, treated, both):
    """The likelihood ratio of models with and without the interaction. R: anova(fit, fit_with_interaction)"""
    ready = covariates([column], both)
    if not ready.terms:
        raise NotEstimable("constant_covariate")
    inside = ready.rows
    plain = np.column_stack([treated, ready.columns])
    crossed = np.column_stack([plain, ready.columns * treated[:, None]])
    months, event = survival.months[inside], survival.event[inside]
    without, with_it = cox(months, event, plain[inside]), cox(months, event, crossed[inside])
    df = ready.columns.shape[1]
    ratio = max(0.0, 2 * (with_it.log_likelihood - without.log_likelihood))
    return {"p_interaction": chi_square_upper(ratio, df), "statistic_interaction": ratio, "df_interaction": df}
