"""Addresses of a monitor's work beside verification itself."""

from django.urls import path

from registry.web.monitoring import closing, safety, sampling, verified, visit_report

urlpatterns = [
    path("verification/plan/", sampling.sampling_plan, name="sampling_plan"),
    path("verification/share/", verified.verified_share, name="verified_share"),
    path("verification/report/", visit_report.visit_report, name="visit_report"),
    path("safety/", safety.safety_listing, name="safety"),
    path("safety/csv/", safety.safety_csv, name="safety_csv"),
    path("safety/people/", safety.safety_people, name="safety_people"),
    path("safety/<int:notice_id>/seen/", safety.acknowledge_event, name="acknowledge_event"),
    path("queries/close/", closing.close_queries, name="close_queries"),
]
