"""Addresses of the cohort pages."""

from django.urls import path

from registry.web import cohorts

urlpatterns = [
    path("cohorts/", cohorts.cohort_list, name="cohorts"),
    path("cohorts/new/", cohorts.cohort_new, name="cohort_new"),
    path("cohorts/preview/patients/", cohorts.cohort_patients, name="cohort_patients"),
    path("cohorts/<int:cohort_id>/", cohorts.cohort, name="cohort"),
]
