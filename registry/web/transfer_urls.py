"""Addresses of the pages for import."""

from django.urls import path

from registry.web import imports, imports_mapping

urlpatterns = [
    path("import/", imports.import_page, name="import"),
    path("import/history/", imports.import_history, name="import_history"),
    path("import/mappings/", imports_mapping.mapping_list, name="import_mappings"),
    path("import/<uuid:import_id>/", imports.import_report, name="import_report"),
    path("import/<uuid:import_id>/progress/", imports.import_progress, name="import_progress"),
    path("import/<uuid:import_id>/reading/", imports.import_choices, name="import_choices"),
    path("import/<uuid:import_id>/columns/", imports_mapping.columns, name="import_columns"),
    path("import/<uuid:import_id>/values/", imports_mapping.values, name="import_values"),
    path("import/<uuid:import_id>/rows/", imports.import_rows, name="import_rows"),
    path("import/<uuid:import_id>/findings/", imports.import_findings, name="import_findings"),
    path("import/<uuid:import_id>/discard/", imports.import_discard, name="import_discard"),
    path("import/<uuid:import_id>/undo/", imports.import_undo, name="import_undo"),
]
