from registry.models.clinical import AdverseEvent, Assessment, Identity, Patient, State, Timepoint
from registry.models.cohorts import SavedCohort
from registry.models.imports import Import, ImportMapping, ImportPart
from registry.models.outcomes import Change, Utility
from registry.models.runs import ComparisonRun

__all__ = [
    "AdverseEvent",
    "Assessment",
    "Change",
    "ComparisonRun",
    "Identity",
    "Import",
    "ImportMapping",
    "ImportPart",
    "Patient",
    "SavedCohort",
    "State",
    "Timepoint",
    "Utility",
]
