"""Addresses of the cohort pages."""

from django.urls import path

from registry.web.cohorts import views

urlpatterns = [
    path("cohorts/", views.cohort_list, name="cohorts"),
    path("cohorts/new/", views.cohort_new, name="cohort_new"),
    path("cohorts/preview/patients/", views.cohort_patients, name="cohort_patients"),
    path("cohorts/<int:cohort_id>/", views.cohort, name="cohort"),
]
