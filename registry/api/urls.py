"""Addresses of the API. A further resource adds its lines here, and nothing else, to be in the schema and the crawl."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from registry.api import adverse_events, assessments, cohorts, comparisons, docs, patients, reference, root

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
    path("adverse-events", adverse_events.AdverseEvents.as_view(), name="adverse_events"),
    path("adverse-events/<int:event_id>", adverse_events.OneAdverseEvent.as_view(), name="adverse_event"),
    path("cohorts", cohorts.Cohorts.as_view(), name="cohorts"),
    path("cohorts/declared", cohorts.DeclaredCohorts.as_view(), name="declared_cohorts"),
    path("cohorts/<int:cohort_id>", cohorts.OneCohort.as_view(), name="cohort"),
    path("cohorts/<int:cohort_id>/flow", cohorts.CohortFlow.as_view(), name="cohort_flow"),
    path("comparisons", comparisons.Comparisons.as_view(), name="comparisons"),
    path("comparisons/<uuid:run_id>", comparisons.OneComparison.as_view(), name="comparison"),
    path("comparisons/<uuid:run_id>/cancel", comparisons.ComparisonCancellation.as_view(), name="comparison_cancel"),
    path("comparisons/<uuid:run_id>/result", comparisons.ComparisonResult.as_view(), name="comparison_result"),
    path("<path:rest>", csrf_exempt(login_not_required(root.nothing)), name="nothing"),
]
