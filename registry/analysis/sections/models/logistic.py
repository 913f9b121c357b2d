"""Logistic regression of an event on group and covariates, with odds ratios."""

from dataclasses import replace

import numpy as np

from registry.analysis.results.models import Coefficient, Fit
from registry.analysis.results.statistics import of_term
from registry.analysis.sections.covariates import covariates, group_column
from registry.analysis.sections.estimable import NOT_ESTIMABLE
from registry.analysis.sections.models.contrasts import asked, failed, gone
from registry.analysis.sections.models.declaration import check_event
from registry.stats.arrays import NotEstimable
from registry.stats.models.logistic import logistic


def event_of(section, patients):
    """(n,) 1, 0, NaN of the outcome of logistic regression. Refused where it is not told what counts as the event."""
    column = patients.column(section.outcome, section.visits[0] if section.visits else "")
    codes = [str(code) for code, _ in column.categories]
    if not codes and np.isin(column.values[column.known], (0, 1)).all() and not section.event:
        return column.values
    check_event(section, codes)
    wanted = [str(code) for code in section.event]
    places = [codes.index(code) for code in wanted]
    return np.where(column.known, np.isin(column.values, places), np.nan)


def logistic_model(section, patients):
    """glm(event ~ group + covariates, binomial)."""
    event = event_of(section, patients)
    mine = patients.group >= 0
    columns = asked(section, patients)
    if section.baseline:
        columns = [replace(patients.column(section.outcome, section.baseline), name="baseline"), *columns]
    ready = covariates([group_column(patients), *columns], np.isfinite(event) & mine)
    try:
        if not ready.terms:
            raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
        fit = logistic(event[ready.rows], ready.columns[ready.rows])
    except NotEstimable as error:
        missing = int(mine.sum() - ready.rows.sum())
        rows = [blamed(term, place, error) for place, term in enumerate(ready.terms)]
        return {"fits": [Fit(missing=missing, reason=failed(error, ready.terms))], "coefficients": gone(ready) + rows}
    rows = []
    for place, term in enumerate(ready.terms):
        effect = of_term(place + 1, fit.odds_ratio, fit) | {"statistic": fit.z[place + 1]}
        rows.append(Coefficient(term.variable, term.level, term.reference, term.visit, **effect))
    whole = Fit(
        fit.n,
        events=fit.events,
        missing=int(mine.sum()) - fit.n,
        likelihood_ratio=fit.likelihood_ratio,
        df=len(ready.terms),
        p=fit.likelihood_ratio_p,
        iterations=fit.iterations,
    )
    return {"fits": [whole], "coefficients": gone(ready) + rows}


def blamed(term, place, error):
    why = str(error) if not error.where or place in error.where else "the model could not be fitted"
    return Coefficient(term.variable, term.level, term.reference, term.visit, reason=NOT_ESTIMABLE.format(why))
