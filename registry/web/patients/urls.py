"""Addresses of the pages for site people: the start page, patients and their forms."""

from django.urls import path

from registry.web.audit import history
from registry.web.entry import drafts
from registry.web.entry import views as entry_views
from registry.web.patients import erasure, follow_up_end, views
from registry.web.schedule import views as schedule_views
from registry.web.start import grid, home
from registry.web.study import extra_instruments

urlpatterns = [
    path("", home.home, name="home"),
    path("patients/", views.patient_list, name="patients"),
    path("patients/new/", views.enrol, name="enrol"),
    path("patients/<str:patient_id>/", views.patient_page, name="patient"),
    path("patients/<str:patient_id>/identifiers/", views.identifiers, name="patient_identifiers"),
    path("patients/<str:patient_id>/history/", history.history, name="history"),
    path("patients/<str:patient_id>/baseline/", entry_views.own_form, {"form": "baseline"}, name="patient_baseline"),
    path("patients/<str:patient_id>/surgery/", entry_views.own_form, {"form": "surgery"}, name="patient_surgery"),
    path("patients/<str:patient_id>/follow-up/", entry_views.own_form, {"form": "follow_up"}, name="patient_follow_up"),
    path("patients/<str:patient_id>/end/", follow_up_end.follow_up_end, name="follow_up_end"),
    path("patients/<str:patient_id>/erase/", erasure.erase_patient, name="erase_patient"),
    path("erasures/", erasure.erasures, name="erasures"),
    path("patients/<str:patient_id>/assessments/<str:timepoint>/", entry_views.assessment, name="assessment"),
    path("patients/<str:patient_id>/adverse-events/new/", entry_views.adverse_event, name="adverse_event_new"),
    path("patients/<str:patient_id>/adverse-events/<int:event_id>/", entry_views.adverse_event, name="adverse_event"),
    path("patients/<str:patient_id>/drafts/<str:form>/", drafts.draft, name="draft"),
    path("grid/", grid.grid, name="grid"),
    path("schedule/", schedule_views.schedule_page, name="schedule"),
    path("schedule/new/", schedule_views.schedule_new, name="schedule_new"),
    path("extra-instruments/", extra_instruments.extra_instruments, name="extra_instruments"),
    path("extra-instruments/<slug:code>/", extra_instruments.extra_instrument, name="extra_instrument"),
    path("value-sets/<str:code>/<str:version>/", entry_views.value_set, name="value_set"),
    path("segment-group/", entry_views.segment_group, name="segment_group"),
]
