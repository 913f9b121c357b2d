"""Addresses of the comparison pages."""

from django.urls import path

from registry.web.comparison import differences, published, views
from registry.web.comparison.planning import plan_pages

urlpatterns = [
    path("comparison/", views.run_list, name="comparison"),
    path("comparison/new/", views.new, name="comparison_new"),
    path("comparison/plans/", plan_pages.plan_list, name="comparison_plans"),
    path("comparison/plans/new/", plan_pages.plan_new, name="comparison_plan_new"),
    path("comparison/plans/lists/", plan_pages.plan_lists, name="comparison_plan_lists"),
    path("comparison/plans/<int:plan_id>/", plan_pages.plan, name="comparison_plan"),
    path("comparison/plans/<int:plan_id>/run/", plan_pages.plan_run, name="comparison_plan_run"),
    path("comparison/compare/", differences.compare, name="comparison_compare"),
    path("comparison/published/", published.beside, name="comparison_published"),
    path("comparison/<uuid:run_id>/", views.run, name="comparison_run"),
    path("comparison/<uuid:run_id>/progress/", views.progress, name="comparison_progress"),
    path("comparison/<uuid:run_id>/cancel/", views.cancel, name="comparison_cancel"),
    path("comparison/<uuid:run_id>/again/", views.again, name="comparison_again"),
    path("comparison/<uuid:run_id>/<str:format>/", views.download, name="comparison_download"),
]
