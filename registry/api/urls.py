"""Addresses of the API. A further resource adds its lines here, and nothing else, to be in the schema and the crawl."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from registry.api.analysis import cohorts, comparisons, data, exports, imports, plans, snapshots
from registry.api.records import (
    adverse_events,
    assessments,
    batch,
    follow_up_ends,
    in_error,
    own_records,
    patients,
    queries,
    reference,
    screening,
)
from registry.api.schema import docs, root

app_name = "api"

urlpatterns = [
    path("", root.Root.as_view(), name="root"),
    path("schema", root.Schema.as_view(), name="schema"),
    path("docs", docs.docs, name="docs"),
    path("me", reference.Me.as_view(), name="me"),
    path("sites", reference.Sites.as_view(), name="sites"),
    path("sites/<str:site_code>", reference.OneSite.as_view(), name="site"),
    path("schedule", reference.Schedule.as_view(), name="schedule"),
    path("instruments", reference.Instruments.as_view(), name="instruments"),
    path("instruments/<str:code>", reference.OneInstrument.as_view(), name="instrument"),
    path("value-sets", reference.ValueSets.as_view(), name="value_sets"),
    path("value-sets/<str:code>", reference.OneValueSet.as_view(), name="value_set"),
    path("patients", patients.Patients.as_view(), name="patients"),
    path("patients/<str:patient_id>", patients.OnePatient.as_view(), name="patient"),
    path("patients/<str:patient_id>/baseline", patients.Baseline.as_view(), name="patient_baseline"),
    path("patients/<str:patient_id>/surgery", patients.Surgery.as_view(), name="patient_surgery"),
    path("patients/<str:patient_id>/follow-up", patients.FollowUp.as_view(), name="patient_follow_up"),
    path("patients/<str:patient_id>/identifiers", patients.Identifiers.as_view(), name="patient_identifiers"),
    path("assessments", assessments.Assessments.as_view(), name="assessments"),
    path("assessments/<str:patient_id>/<str:timepoint>", assessments.OneAssessment.as_view(), name="assessment"),
    path(
        "assessments/<str:patient_id>/<str:timepoint>/outcomes",
        assessments.AssessmentOutcomes.as_view(),
        name="assessment_outcomes",
    ),
    path("follow-up-ends", follow_up_ends.FollowUpEnds.as_view(), name="follow_up_ends"),
    path("adverse-events", adverse_events.AdverseEvents.as_view(), name="adverse_events"),
    path("adverse-events/<int:event_id>", adverse_events.OneAdverseEvent.as_view(), name="adverse_event"),
    path("screening", screening.ScreeningLog.as_view(), name="screening"),
    path("own-records", own_records.OwnRecords.as_view(), name="own_records"),
    path("own-records/<int:record_id>", own_records.OneOwnRecord.as_view(), name="own_record"),
    path("batch", batch.Batch.as_view(), name="batch"),
    path("patients/<str:patient_id>/in-error", in_error.PatientInError.as_view(), name="patient_in_error"),
    path(
        "assessments/<str:patient_id>/<str:timepoint>/in-error",
        in_error.AssessmentInError.as_view(),
        name="assessment_in_error",
    ),
    path("adverse-events/<int:event_id>/in-error", in_error.EventInError.as_view(), name="adverse_event_in_error"),
    path("entries-in-error", in_error.EntriesInError.as_view(), name="entries_in_error"),
    path("entries-in-error/<int:entry_id>/take-back", in_error.EntryTakenBack.as_view(), name="entry_take_back"),
    path("queries", queries.Queries.as_view(), name="queries"),
    path("queries/<int:query_id>", queries.OneQuery.as_view(), name="query"),
    path("queries/<int:query_id>/answer", queries.QueryAnswer.as_view(), name="query_answer"),
    path("queries/<int:query_id>/reopen", queries.QueryReopening.as_view(), name="query_reopen"),
    path("queries/<int:query_id>/close", queries.QueryClosing.as_view(), name="query_close"),
    path("cohorts", cohorts.Cohorts.as_view(), name="cohorts"),
    path("cohorts/declared", cohorts.DeclaredCohorts.as_view(), name="declared_cohorts"),
    path("cohorts/<int:cohort_id>", cohorts.OneCohort.as_view(), name="cohort"),
    path("cohorts/<int:cohort_id>/flow", cohorts.CohortFlow.as_view(), name="cohort_flow"),
    path("plans", plans.Plans.as_view(), name="plans"),
    path("plans/<int:plan_id>", plans.OnePlan.as_view(), name="plan"),
    path("comparisons", comparisons.Comparisons.as_view(), name="comparisons"),
    path("comparisons/<uuid:run_id>", comparisons.OneComparison.as_view(), name="comparison"),
    path("comparisons/<uuid:run_id>/cancel", comparisons.ComparisonCancellation.as_view(), name="comparison_cancel"),
    path("comparisons/<uuid:run_id>/result", comparisons.ComparisonResult.as_view(), name="comparison_result"),
    path("data", data.Data.as_view(), name="data"),
    path("data/<str:table>", data.Table.as_view(), name="table"),
    path("codebook", data.Codebook.as_view(), name="codebook"),
    path("exports", exports.Exports.as_view(), name="exports"),
    path("export-presets", exports.ExportPresets.as_view(), name="export_presets"),
    path("exports/<uuid:export_id>", exports.OneExport.as_view(), name="export"),
    path("exports/<uuid:export_id>/cancel", exports.ExportCancellation.as_view(), name="export_cancel"),
    path("exports/<uuid:export_id>/file", exports.ExportFile.as_view(), name="export_file"),
    path("imports", imports.Imports.as_view(), name="imports"),
    path("imports/<uuid:import_id>", imports.OneImport.as_view(), name="import"),
    path("imports/<uuid:import_id>/findings", imports.FindingsOfImport.as_view(), name="import_findings"),
    path("imports/<uuid:import_id>/decision", imports.DecisionOnImport.as_view(), name="import_decision"),
    path("snapshots", snapshots.Snapshots.as_view(), name="snapshots"),
    path("snapshots/<uuid:snapshot_id>", snapshots.OneSnapshot.as_view(), name="snapshot"),
    path(
        "snapshots/<uuid:snapshot_id>/differences", snapshots.SnapshotDifferences.as_view(), name="snapshot_differences"
    ),
    path("<path:rest>", csrf_exempt(login_not_required(root.nothing)), name="nothing"),
]
