"""Addresses of the pages for site people: the start page, patients and their forms."""

from django.urls import path

from registry.web import (
    drafts,
    entry,
    erasure,
    extra_instruments,
    follow_up_end,
    grid,
    history,
    home,
    patients,
    schedule,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("patients/", patients.patient_list, name="patients"),
    path("patients/new/", patients.enrol, name="enrol"),
    path("patients/<str:patient_id>/", patients.patient_page, name="patient"),
    path("patients/<str:patient_id>/identifiers/", patients.identifiers, name="patient_identifiers"),
    path("patients/<str:patient_id>/history/", history.history, name="history"),
    path("patients/<str:patient_id>/baseline/", entry.own_form, {"form": "baseline"}, name="patient_baseline"),
    path("patients/<str:patient_id>/surgery/", entry.own_form, {"form": "surgery"}, name="patient_surgery"),
    path("patients/<str:patient_id>/follow-up/", entry.own_form, {"form": "follow_up"}, name="patient_follow_up"),
    path("patients/<str:patient_id>/end/", follow_up_end.follow_up_end, name="follow_up_end"),
    path("patients/<str:patient_id>/erase/", erasure.erase_patient, name="erase_patient"),
    path("erasures/", erasure.erasures, name="erasures"),
    path("patients/<str:patient_id>/assessments/<str:timepoint>/", entry.assessment, name="assessment"),
    path("patients/<str:patient_id>/adverse-events/new/", entry.adverse_event, name="adverse_event_new"),
    path("patients/<str:patient_id>/adverse-events/<int:event_id>/", entry.adverse_event, name="adverse_event"),
    path("patients/<str:patient_id>/drafts/<str:form>/", drafts.draft, name="draft"),
    path("grid/", grid.grid, name="grid"),
    path("schedule/", schedule.schedule_page, name="schedule"),
    path("schedule/new/", schedule.schedule_new, name="schedule_new"),
    path("extra-instruments/", extra_instruments.extra_instruments, name="extra_instruments"),
    path("extra-instruments/<slug:code>/", extra_instruments.extra_instrument, name="extra_instrument"),
    path("value-sets/<str:code>/<str:version>/", entry.value_set, name="value_set"),
    path("segment-group/", entry.segment_group, name="segment_group"),
]
