"""Addresses of patients: the list, enrolment, one patient, identifiers, the end of follow-up and erasure."""

from django.urls import path

from registry.web.patients import erasure, follow_up_end, views

urlpatterns = [
    path("patients/", views.patient_list, name="patients"),
    path("patients/new/", views.enrol, name="enrol"),
    path("patients/<str:patient_id>/", views.patient_page, name="patient"),
    path("patients/<str:patient_id>/identifiers/", views.identifiers, name="patient_identifiers"),
    path("patients/<str:patient_id>/end/", follow_up_end.follow_up_end, name="follow_up_end"),
    path("patients/<str:patient_id>/erase/", erasure.erase_patient, name="erase_patient"),
    path("erasures/", erasure.erasures, name="erasures"),
]
