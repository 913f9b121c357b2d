"""The estimate of a model, and its analysis data set for R."""

from registry.analysis.sections import declared
from registry.analysis.sections.covariates import group_column
from registry.analysis.sections.models.ancova import ancova
from registry.analysis.sections.models.declaration import KIND
from registry.analysis.sections.models.logistic import event_of, logistic_model
from registry.analysis.sections.models.repeated import repeated
from registry.analysis.sections.models.result import ModelResult


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
    told = {"adjust": section.adjust, "covariates": list(map(declared.key, section.covariates))}
    if section.model == "repeated":
        told |= {"structure": section.structure, "degrees": section.degrees}
    if section.event:
        told["event"] = ", ".join(map(str, section.event))
    return told


FITTED = {"ancova": ancova, "logistic": logistic_model, "repeated": repeated}


def dataset(section, patients):
    patients = patients.of(section.matched)
    told = {"group": group_column(patients)}
    if section.model == "logistic":
        told["event"] = event_of(section, patients)
    for visit in section.visits if section.model != "logistic" else ():
        told[f"y.{visit}"] = patients.column(section.outcome, visit)
    if section.baseline:
        told["baseline"] = patients.column(section.outcome, section.baseline)
    for covariate in section.covariates:
        told["x." + declared.key(covariate)] = patients.column(*declared.reference(covariate))
    return told, {}
