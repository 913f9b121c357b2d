"""Addresses of completeness and quality."""

from django.urls import path

from registry.web.quality import enrolment, rows, scorecard, views

urlpatterns = [
    path("quality/", views.quality, name="quality"),
    path("quality/rows/", rows.quality_rows, name="quality_rows"),
    path("scorecard/", scorecard.scorecard, name="scorecard"),
    path("scorecard/pdf/", scorecard.scorecard_pdf, name="scorecard_pdf"),
    path("quality/enrolment-plan/", enrolment.enrolment_plan, name="enrolment_plan"),
]
