"""The estimate of an endpoint, and its analysis data set for R."""

import numpy as np

from registry.analysis.results.endpoints import EndpointResult
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import group_column
from registry.analysis.sections.endpoints.curves import (
    at_ticks,
    curve_of,
    followed,
    incidence_of,
    means_of,
    rates,
    restricted,
    steps,
    ticks_to,
)
from registry.analysis.sections.endpoints.declaration import KIND
from registry.analysis.sections.endpoints.group_tests import tests
from registry.analysis.sections.endpoints.hazards import cox_models
from registry.analysis.sections.endpoints.subgroups import subgroups
from registry.analysis.sections.endpoints.survival_times import clusters, is_weighted, times


def estimate(endpoint, patients):
    """EndpointResult of an Endpoint for Patients."""
    patients = patients.of(endpoint.matched)
    survival = times(endpoint, patients)
    members = [patients.members(place) for place in range(len(patients.groups))]
    curves = [curve_of(patients, survival, rows) for rows in members]
    incidences = [incidence_of(patients, survival, rows) if endpoint.competing else None for rows in members]
    longest = max((curve.time[-1] for curve in curves if curve), default=0.0)
    ticks = ticks_to(longest)
    hazards, fits = cox_models(endpoint, patients, survival)
    return EndpointResult(
        KIND,
        endpoint.code,
        endpoint.title,
        {
            "event": list(endpoint.event),
            "competing": list(endpoint.competing),
            "strata": list(map(declared.key, endpoint.strata)) if "stratified" in endpoint.tests else [],
        },
        max(endpoint.landmark, patients.landmark),
        bool(endpoint.competing),
        endpoint.matched,
        is_weighted(patients),
        list(endpoint.times),
        endpoint.horizon,
        ticks,
        [
            followed(code, patients, survival, rows, curve)
            for code, rows, curve in zip(patients.codes, members, curves, strict=True)
        ],
        rates(endpoint, patients.codes, curves, incidences),
        restricted(endpoint, patients, means_of(endpoint, patients, survival, members, curves)),
        tests(endpoint, patients, survival),
        hazards,
        fits,
        subgroups(endpoint, patients, survival),
        [at_ticks(code, curve, ticks) for code, curve in zip(patients.codes, curves, strict=True)],
        steps(patients.codes, curves, incidences),
    )


def dataset(endpoint, patients):
    """Columns of the analysis data set by name, as R reads it: what `verify.R` computes the result from again."""
    patients = patients.of(endpoint.matched)
    survival = times(endpoint, patients)
    columns = {"group": group_column(patients), "months": survival.months, "cause": survival.cause}
    for reference in (*endpoint.strata, *endpoint.covariates, *endpoint.subgroups):
        columns["x." + declared.key(reference)] = patients.column(*declared.reference(reference))
    if patients.sets is not None:
        columns |= {"set": clusters(patients).astype(float), "weight": patients.weights}
        columns["matched_set"] = np.where(patients.sets >= 0, patients.sets, np.nan).astype(float)
    for name in ("undated", "before_landmark", "before_start"):
        columns[name] = getattr(survival, name).astype(float)
    return columns, {part: [declared.key(reference) for reference in getattr(endpoint, part)] for part in KEYED}


KEYED = ("strata", "covariates", "subgroups")
