"""Cox models of an endpoint: hazard ratios of groups and covariates, and whether hazards are proportional."""

import numpy as np

from registry.analysis.results.endpoints import Fit, Hazard
from registry.analysis.results.statistics import of_term
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates, group_column, named
from registry.analysis.sections.endpoints.group_tests import strata_of
from registry.analysis.sections.endpoints.survival_times import clusters, even
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.stats.arrays import NotEstimable
from registry.stats.survival.cox import cox, proportional_hazards

IN_STRATA = "not estimable because the strata hold it constant"


def cox_models(endpoint, patients, survival):
    """Hazards and Fits: of the group alone, and adjusted for the covariates where some are declared."""
    group = group_column(patients)
    hazards, fits = fitted("group", endpoint, patients, survival, [group])
    if endpoint.covariates:
        strata = set(map(declared.key, endpoint.strata)) if "stratified" in endpoint.tests else set()
        asked = [declared.reference(covariate) for covariate in endpoint.covariates]
        more = [patients.column(*at) for at in asked if "@".join(filter(None, at)) not in strata]
        also = fitted("adjusted", endpoint, patients, survival, [group, *more])
        shared = [at for at in asked if "@".join(filter(None, at)) in strata]
        gone = [Hazard("adjusted", name, "", "", visit, reason=IN_STRATA) for name, visit in shared]
        hazards, fits = hazards + gone + also[0], fits + also[1]
    return hazards, fits


def fitted(model, endpoint, patients, survival, columns):
    followed = np.isfinite(survival.months)
    strata = strata_of(endpoint, patients) if endpoint.strata else None
    ready = covariates(columns, followed if strata is None else followed & (strata >= 0))
    gone = [Hazard(model, name, "", "", visit=visit, reason=why) for (name, visit), why in ready.dropped.items()]
    try:
        fit = cox_of(patients, survival, ready, strata)
    except NotEstimable as error:
        return gone + [blamed(model, term, place, error) for place, term in enumerate(ready.terms)], [
            Fit(model, reason=said(error, ready.terms))
        ]
    terms = [ready.places_of(column) for column in ready.used]
    ph = attempted(lambda: proportional_hazards(fit, terms=terms), lambda why: None)
    hazards = [hazard(model, term, place, fit, *ph_of_term(ph, terms, place)) for place, term in enumerate(ready.terms)]
    ratio = fit.likelihood_ratio
    overall = (ph.overall.statistic, ph.overall.p) if ph else (None, None)
    missing = int(followed.sum()) - fit.n
    return gone + hazards, [
        Fit(model, fit.n, fit.events, missing, ratio.statistic, ratio.df, ratio.p, *overall, fit.robust)
    ]


def cox_of(patients, survival, ready, strata):
    """The model of the patients of whom all is known, their stratum too.

    Matched: errors by set, weights where sets share controls.
    """
    if not ready.terms:
        raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
    inside = ready.rows & (np.ones(patients.n, bool) if patients.weights is None else patients.weights > 0)
    given = {
        "strata": None if strata is None else strata[inside],
        "cluster": None if patients.sets is None else clusters(patients)[inside],
        "weights": None if patients.weights is None or even(patients.weights[inside]) else patients.weights[inside],
    }
    return cox(survival.months[inside], survival.event[inside], ready.columns[inside], **given)


def ph_of_term(ph, terms, place):
    """Statistic, df and P of the covariate that a column belongs to, on its first column."""
    number = next(number for number, places in enumerate(terms) if place in places)
    if ph is None or terms[number][0] != place:
        return None, None, None
    return ph.statistic[number], ph.df[number], ph.p[number]


def hazard(model, term, place, fit, statistic, df, p):
    about = term.variable, term.level, term.reference, term.visit
    effect, ph = of_term(place, fit.hazard_ratio, fit), {"ph_statistic": statistic, "ph_df": df, "ph_p": p}
    return Hazard(model, *about, **effect, **ph, statistic=fit.z[place])


def blamed(model, term, place, error):
    """The row of a covariate in a model that could not be fitted; what is at fault says so, others that it was not."""
    why = str(error) if not error.where or place in error.where else "the model could not be fitted"
    return Hazard(model, term.variable, term.level, term.reference, term.visit, reason=NOT_ESTIMABLE.format(why))


def said(error, terms):
    at = named(error.where, terms)
    return NOT_ESTIMABLE.format(f"{error} ({at})" if at else str(error))
