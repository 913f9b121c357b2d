"""The estimate of a model, and its analysis data set for R."""

from registry.analysis.results.models import ModelResult
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import group_column
from registry.analysis.sections.models.ancova import ancova
from registry.analysis.sections.models.declaration import KIND
from registry.analysis.sections.models.logistic import event_of, logistic_model
from registry.analysis.sections.models.repeated import repeated


def estimate(section, patients):
    """ModelResult of a Model for Patients."""
    patients = patients.of(section.matched)
    parts = {"fits": [], "coefficients": [], "means": [], "contrasts": [], "terms": [], "covariance": []}
    return ModelResult(
        KIND,
        section.code,
        section.title,
        section.model,
        section.outcome,
        list(section.visits),
        section.baseline,
        section.matched,
        settings(section),
        **(parts | FITTED[section.model](section, patients)),
    )


def settings(section):
    written = {"adjust": section.adjust, "covariates": list(map(declared.key, section.covariates))}
    if section.model == "repeated":
        written |= {"structure": section.structure, "degrees": section.degrees}
    if section.event:
        written["event"] = ", ".join(map(str, section.event))
    return written


FITTED = {"ancova": ancova, "logistic": logistic_model, "repeated": repeated}


def dataset(section, patients):
    patients = patients.of(section.matched)
    columns = {"group": group_column(patients)}
    if section.model == "logistic":
        columns["event"] = event_of(section, patients)
    for visit in section.visits if section.model != "logistic" else ():
        columns[f"y.{visit}"] = patients.column(section.outcome, visit)
    if section.baseline:
        columns["baseline"] = patients.column(section.outcome, section.baseline)
    for covariate in section.covariates:
        columns["x." + declared.key(covariate)] = patients.column(*declared.reference(covariate))
    return columns, {}
