"""Addresses of the pages for exports and snapshots."""

from django.urls import path

from registry.web import exports, snapshots

urlpatterns = [
    path("export/", exports.export_page, name="export"),
    path("export/download/", exports.export_download, name="export_download"),
    path("export/start/", exports.export_start, name="export_start"),
    path("export/<uuid:export_id>/", exports.export_detail, name="export_detail"),
    path("export/<uuid:export_id>/progress/", exports.export_progress, name="export_progress"),
    path("export/<uuid:export_id>/cancel/", exports.export_cancel, name="export_cancel"),
    path("export/<uuid:export_id>/file/", exports.export_file, name="export_file"),
    path("snapshots/", snapshots.snapshot_list, name="snapshots"),
    path("snapshots/compare/", snapshots.snapshot_compare, name="snapshot_compare"),
    path("snapshots/<uuid:snapshot_id>/", snapshots.snapshot_detail, name="snapshot"),
    path("snapshots/<uuid:snapshot_id>/verify/", snapshots.snapshot_verify, name="snapshot_verify"),
]
