"""Addresses of the audit trail."""

from django.urls import path

from registry.web.audit import views

urlpatterns = [
    path("audit/", views.audit_page, name="audit"),
    path("audit/csv/", views.audit_csv, name="audit_csv"),
]
