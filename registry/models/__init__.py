from registry.models.background import BackupRecord, Heartbeat, Postponed
from registry.models.clinical import AdverseEvent, Assessment, Identity, Patient, State, Timepoint
from registry.models.cohorts import SavedCohort
from registry.models.drafts import Draft
from registry.models.erasure import Erasure
from registry.models.exports import Export, ExportPreset
from registry.models.imports import Import, ImportMapping, ImportPart
from registry.models.in_error import EnteredInError
from registry.models.moves import Merge, SuspectedPair, Transfer
from registry.models.outcomes import Change, Utility
from registry.models.patient_links import PatientLink
from registry.models.plans import SavedPlan
from registry.models.protocol import OwnColumn, OwnInstrument, OwnRecord, ProtocolVersion
from registry.models.queries import Query, QueryForm, QueryMessage, QueryState
from registry.models.runs import ComparisonRun
from registry.models.safety import SafetyNotice
from registry.models.schedule import FollowUpEnd, ScheduledVisit, ScheduleVersion
from registry.models.signatures import Signature
from registry.models.snapshots import Snapshot, SnapshotPart
from registry.models.study.attachments import Attachment
from registry.models.study.consents import Consent, ConsentWithdrawal
from registry.models.study.logos import StudyLogo
from registry.models.study.screening import ScreeningEntry
from registry.models.switches import InstrumentSwitch
from registry.models.watermarks import Watermark
from registry.models.wording import LicensedWording

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
    "Erasure",
    "Export",
    "ExportPreset",
    "FollowUpEnd",
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
