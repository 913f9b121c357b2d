from registry.models.clinical import AdverseEvent, Assessment, Identity, Patient, State, Timepoint
from registry.models.cohorts import SavedCohort
from registry.models.exports import Export
from registry.models.outcomes import Change, Utility
from registry.models.runs import ComparisonRun
from registry.models.snapshots import Snapshot, SnapshotPart

__all__ = [
    "AdverseEvent",
    "Assessment",
    "Change",
    "ComparisonRun",
    "Export",
    "Identity",
    "Patient",
    "SavedCohort",
    "Snapshot",
    "SnapshotPart",
    "State",
    "Timepoint",
    "Utility",
]
