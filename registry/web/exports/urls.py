"""Addresses of the pages for exports and snapshots."""

from django.urls import path

from registry.web.exports import snapshots, views

urlpatterns = [
    path("export/", views.export_page, name="export"),
    path("export/download/", views.export_download, name="export_download"),
    path("export/start/", views.export_start, name="export_start"),
    path("export/keep/", views.preset_keep, name="export_preset_keep"),
    path("export/remove/", views.preset_remove, name="export_preset_remove"),
    path("export/<uuid:export_id>/", views.export_detail, name="export_detail"),
    path("export/<uuid:export_id>/progress/", views.export_progress, name="export_progress"),
    path("export/<uuid:export_id>/cancel/", views.export_cancel, name="export_cancel"),
    path("export/<uuid:export_id>/file/", views.export_file, name="export_file"),
    path("snapshots/", snapshots.snapshot_list, name="snapshots"),
    path("snapshots/compare/", snapshots.snapshot_compare, name="snapshot_compare"),
    path("snapshots/<uuid:snapshot_id>/", snapshots.snapshot_detail, name="snapshot"),
    path("snapshots/<uuid:snapshot_id>/progress/", snapshots.snapshot_progress, name="snapshot_progress"),
    path("snapshots/<uuid:snapshot_id>/cancel/", snapshots.snapshot_cancel, name="snapshot_cancel"),
    path("snapshots/<uuid:snapshot_id>/again/", snapshots.snapshot_again, name="snapshot_again"),
    path("snapshots/<uuid:snapshot_id>/verify/", snapshots.snapshot_verify, name="snapshot_verify"),
]
