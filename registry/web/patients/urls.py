"""Addresses of patients: the list, enrolment, one patient, identifiers, the end of follow-up and erasure."""

from django.urls import path

from registry.web.patients import (
    entered_in_error,
    erasure,
    follow_up_end,
    identified,
    moving,
    paper,
    suspected_pairs,
    views,
)

urlpatterns = [
    path("patients/", views.patient_list, name="patients"),
    path("patients/new/", views.enrol, name="enrol"),
    path("patients/<str:patient_id>/", views.patient_page, name="patient"),
    path("patients/<str:patient_id>/identifiers/", views.identifiers, name="patient_identifiers"),
    path("patients/<str:patient_id>/end/", follow_up_end.follow_up_end, name="follow_up_end"),
    path("patients/<str:patient_id>/erase/", erasure.erase_patient, name="erase_patient"),
    path("patients/<str:patient_id>/in-error/<str:record>/", entered_in_error.mark_in_error, name="mark_in_error"),
    path("patients/<str:patient_id>/transfer/", moving.transfer_patient, name="transfer_patient"),
    path("patients/<str:patient_id>/merge/", moving.merge_patients, name="merge_patients"),
    path("one-patient/", suspected_pairs.pairs, name="suspected_pairs"),
    path("one-patient/<int:pair_id>/", suspected_pairs.pair, name="suspected_pair"),
    path("merges/<int:merge_id>/take-back/", moving.take_back_merge, name="take_back_merge"),
    path("patients/<str:patient_id>/paper/", paper.patient_paper, name="patient_paper"),
    path("paper/", paper.blank_paper, name="blank_paper"),
    path("entered-in-error/", entered_in_error.entries_in_error, name="entered_in_error"),
    path("entered-in-error/<int:entry_id>/", entered_in_error.take_back, name="take_back_error"),
    path("show-identifiers/", identified.show_identifiers, name="show_identifiers"),
    path("identification-log/", identified.identification_log, name="identification_log"),
    path("erasures/", erasure.erasures, name="erasures"),
    path("erasures/<uuid:erasing_id>/cancel/", erasure.erasing_cancel, name="erasing_cancel"),
    path("erasures/<uuid:erasing_id>/again/", erasure.erasing_again, name="erasing_again"),
]
