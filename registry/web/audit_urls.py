"""Addresses of the audit trail."""

from django.urls import path

from registry.web import audit

urlpatterns = [
    path("audit/", audit.audit_page, name="audit"),
    path("audit/csv/", audit.audit_csv, name="audit_csv"),
]
