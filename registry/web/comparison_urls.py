"""Addresses of the comparison pages."""

from django.urls import path

from registry.web import comparison, comparison_differences

urlpatterns = [
    path("comparison/", comparison.run_list, name="comparison"),
    path("comparison/new/", comparison.new, name="comparison_new"),
    path("comparison/compare/", comparison_differences.compare, name="comparison_compare"),
    path("comparison/<uuid:run_id>/", comparison.run, name="comparison_run"),
    path("comparison/<uuid:run_id>/progress/", comparison.progress, name="comparison_progress"),
    path("comparison/<uuid:run_id>/cancel/", comparison.cancel, name="comparison_cancel"),
    path("comparison/<uuid:run_id>/again/", comparison.again, name="comparison_again"),
    path("comparison/<uuid:run_id>/<str:format>/", comparison.download, name="comparison_download"),
]
