"""Addresses of completeness and quality."""

from django.urls import path

from registry.web.quality import enrolment, rows, views

urlpatterns = [
    path("quality/", views.quality, name="quality"),
    path("quality/rows/", rows.quality_rows, name="quality_rows"),
    path("quality/enrolment-plan/", enrolment.enrolment_plan, name="enrolment_plan"),
]
