from registry.models.clinical import AdverseEvent, Assessment, Identity, Patient, State, Timepoint
from registry.models.cohorts import SavedCohort
from registry.models.outcomes import Change, Utility
from registry.models.runs import ComparisonRun
from registry.models.schedule import FollowUpEnd, ScheduledVisit, ScheduleVersion

__all__ = [
    "AdverseEvent",
    "Assessment",
    "Change",
    "ComparisonRun",
    "FollowUpEnd",
    "Identity",
    "Patient",
    "SavedCohort",
    "ScheduleVersion",
    "ScheduledVisit",
    "State",
    "Timepoint",
    "Utility",
]
