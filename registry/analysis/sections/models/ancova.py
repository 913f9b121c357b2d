"""Analysis of covariance: a visit's value by group, given the value before."""

from dataclasses import replace

import numpy as np

from registry.analysis.results.models import Coefficient, Fit, Mean, TermTest
from registry.analysis.results.statistics import of_term
from registry.analysis.sections.covariates import covariates, group_column
from registry.analysis.sections.estimable import attempted
from registry.analysis.sections.models.contrasts import EMPTY, asked, failed, gone, number, of_mean, pair_rows, term_row
from registry.stats.arrays import NotEstimable
from registry.stats.models.linear import linear
from registry.stats.models.means import least_squares_means, term_test
from registry.stats.models.terms import Design


def ancova(section, patients):
    """lm(y ~ group + baseline + covariates), its means and contrasts; and whether the baseline's slope differs."""
    (visit,) = section.visits
    y = number(section, patients, visit)
    before = replace(number(section, patients, section.baseline), name="baseline")
    group = group_column(patients)
    ready = covariates([group, before, *asked(section, patients)], y.known & (patients.group >= 0))
    held = [column for column in ready.used if column is group]
    try:
        if not held:
            raise NotEstimable("one_group" if ready.rows.any() else "empty")
        variables = {
            column.name + column.visit: part for column, part in zip(ready.used, ready.variables(), strict=True)
        }
        terms = [(name,) for name in variables]
        fit = linear(np.where(ready.rows, y.values, np.nan), Design(variables, terms, ready.rows))
        means = least_squares_means(fit, ["group"])
    except NotEstimable as error:
        why = failed(error, ready.terms)
        empty = [Mean(code, visit, 0, reason=why) for code in patients.codes]
        missing = int((patients.group >= 0).sum() - ready.rows.sum())
        return {"fits": [Fit(missing=missing, reason=why)], "coefficients": gone(ready), "means": empty}
    levels = ready.levels[ready.used.index(group)]
    missing = int((patients.group >= 0).sum()) - fit.n
    sloped = attempted(lambda: slopes(variables, terms, y, ready), lambda why: TermTest("slopes", reason=why))
    return {
        "fits": [Fit(fit.n, missing=missing, spread=fit.residual_sd, r_squared=fit.r_squared)],
        "coefficients": gone(ready) + [linear_row(term, fit, place) for place, term in enumerate(ready.terms)],
        "means": adjusted_means(patients, means, levels, ready, visit),
        "contrasts": pair_rows(patients, fit, levels, section.adjust, visit),
        "terms": [
            attempted(lambda: term_row("group", term_test(fit, ("group",))), lambda why: TermTest("group", reason=why)),
            sloped,
        ],
    }


def slopes(variables, terms, y, ready):
    before = next(name for name in variables if name.startswith("baseline"))
    design = Design(variables, [*terms, ("group", before)], ready.rows)
    fit = linear(np.where(ready.rows, y.values, np.nan), design)
    return term_row("slopes", term_test(fit, ("group", before)))


def linear_row(term, fit, place):
    effect = of_term(place + 1, fit.coefficient, fit)
    effect |= {"statistic": fit.statistic[place + 1], "df": fit.df_residual}
    return Coefficient(term.variable, term.level, term.reference, term.visit, **effect)


def adjusted_means(patients, means, levels, ready, visit):
    rows = []
    for place, code in enumerate(patients.codes):
        n = int((ready.rows & patients.members(place)).sum())
        if place not in levels:
            rows.append(Mean(code, visit, n, reason=EMPTY))
            continue
        mean = means[levels.index(place)]
        rows.append(of_mean(code, visit, n, mean))
    return rows
