"""Addresses of the pages for import."""

from django.urls import path

from registry.web import transfer

urlpatterns = [
    path("import/", transfer.import_page, name="import"),
    path("import/<str:token>/", transfer.import_report, name="import_report"),
    path("import/<str:token>/discard/", transfer.import_discard, name="import_discard"),
]
