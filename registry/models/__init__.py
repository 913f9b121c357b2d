from registry.models.analysis.cohorts import SavedCohort
from registry.models.analysis.plans import SavedPlan
from registry.models.analysis.runs import ComparisonRun
from registry.models.analysis.snapshots import Freezing, Snapshot, SnapshotPart
from registry.models.records.clinical import AdverseEvent, Assessment, Identity, Patient, State, Timepoint
from registry.models.records.drafts import Draft
from registry.models.records.erasure import Erasing, Erasure
from registry.models.records.in_error import EnteredInError
from registry.models.records.moves import Merge, SuspectedPair, Transfer
from registry.models.records.outcomes import Change, Utility
from registry.models.records.patient_links import PatientLink
from registry.models.review.queries import Query, QueryForm, QueryMessage, QueryState
from registry.models.review.safety import SafetyNotice
from registry.models.review.signatures import Signature
from registry.models.study.attachments import Attachment
from registry.models.study.consents import Consent, ConsentWithdrawal
from registry.models.study.logos import StudyLogo
from registry.models.study.protocol import OwnColumn, OwnInstrument, OwnRecord, ProtocolVersion
from registry.models.study.schedule import FollowUpEnd, ScheduledVisit, ScheduleVersion
from registry.models.study.screening import ScreeningEntry
from registry.models.study.switches import InstrumentSwitch
from registry.models.study.wording import LicensedWording
from registry.models.work.background import BackupRecord, Heartbeat, Postponed
from registry.models.work.exports import Export, ExportPreset
from registry.models.work.imports import Import, ImportMapping, ImportPart
from registry.models.work.watermarks import Watermark

__all__ = [
    "AdverseEvent",
    "Assessment",
    "Attachment",
    "BackupRecord",
    "Change",
    "ComparisonRun",
    "Consent",
    "ConsentWithdrawal",
    "Draft",
    "EnteredInError",
    "Erasing",
    "Erasure",
    "Export",
    "ExportPreset",
    "FollowUpEnd",
    "Freezing",
    "Heartbeat",
    "Identity",
    "Import",
    "ImportMapping",
    "ImportPart",
    "InstrumentSwitch",
    "LicensedWording",
    "Merge",
    "OwnColumn",
    "OwnInstrument",
    "OwnRecord",
    "Patient",
    "PatientLink",
    "Postponed",
    "ProtocolVersion",
    "Query",
    "QueryForm",
    "QueryMessage",
    "QueryState",
    "SafetyNotice",
    "SavedCohort",
    "SavedPlan",
    "ScheduleVersion",
    "ScheduledVisit",
    "ScreeningEntry",
    "Signature",
    "Snapshot",
    "SnapshotPart",
    "State",
    "StudyLogo",
    "SuspectedPair",
    "Timepoint",
    "Transfer",
    "Utility",
    "Watermark",
]
