"""Addresses of the pages for import."""

from django.urls import path

from registry.web.imports import mapping, views

urlpatterns = [
    path("import/", views.import_page, name="import"),
    path("import/history/", views.import_history, name="import_history"),
    path("import/mappings/", mapping.mapping_list, name="import_mappings"),
    path("import/<uuid:import_id>/", views.import_report, name="import_report"),
    path("import/<uuid:import_id>/progress/", views.import_progress, name="import_progress"),
    path("import/<uuid:import_id>/reading/", views.import_choices, name="import_choices"),
    path("import/<uuid:import_id>/columns/", mapping.columns, name="import_columns"),
    path("import/<uuid:import_id>/values/", mapping.values, name="import_values"),
    path("import/<uuid:import_id>/rows/", views.import_rows, name="import_rows"),
    path("import/<uuid:import_id>/findings/", views.import_findings, name="import_findings"),
    path("import/<uuid:import_id>/findings/workbook/", views.import_findings_workbook, name="import_findings_workbook"),
    path("import/<uuid:import_id>/discard/", views.import_discard, name="import_discard"),
    path("import/<uuid:import_id>/undo/", views.import_undo, name="import_undo"),
]
