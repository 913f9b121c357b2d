"""Addresses of the forms of a patient, their drafts, and what forms show beside their fields."""

from django.urls import path

from registry.web.entry import drafts, views

urlpatterns = [
    path("patients/<str:patient_id>/assessments/<str:timepoint>/", views.assessment, name="assessment"),
    path("patients/<str:patient_id>/baseline/", views.own_form, {"form": "baseline"}, name="patient_baseline"),
    path("patients/<str:patient_id>/surgery/", views.own_form, {"form": "surgery"}, name="patient_surgery"),
    path("patients/<str:patient_id>/follow-up/", views.own_form, {"form": "follow_up"}, name="patient_follow_up"),
    path("patients/<str:patient_id>/adverse-events/new/", views.adverse_event, name="adverse_event_new"),
    path("patients/<str:patient_id>/adverse-events/<int:event_id>/", views.adverse_event, name="adverse_event"),
    path("patients/<str:patient_id>/records/<slug:form>/new/", views.own_record, name="own_record_new"),
    path("patients/<str:patient_id>/records/<slug:form>/<int:record_id>/", views.own_record, name="own_record"),
    path("patients/<str:patient_id>/drafts/<str:form>/", drafts.draft, name="draft"),
    path("value-sets/<str:code>/<str:version>/", views.value_set, name="value_set"),
    path("segment-group/", views.segment_group, name="segment_group"),
]
