"""Addresses of a monitor's work beside verification itself."""

from django.urls import path

from registry.web.monitoring import closing, sampling, verified, visit_report

urlpatterns = [
    path("verification/plan/", sampling.sampling_plan, name="sampling_plan"),
    path("verification/share/", verified.verified_share, name="verified_share"),
    path("verification/report/", visit_report.visit_report, name="visit_report"),
    path("queries/close/", closing.close_queries, name="close_queries"),
]
