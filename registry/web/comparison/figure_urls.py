"""Addresses of a comparison's figures and of its EQ-5D report."""

from django.urls import path

from registry.web.comparison import figures

urlpatterns = [
    path("comparison/<uuid:run_id>/figures/<slug:code>.<str:format>", figures.figure, name="comparison_figure"),
    path("comparison/<uuid:run_id>/eq5d/<slug:code>.csv", figures.eq5d_table, name="comparison_eq5d_table"),
]
