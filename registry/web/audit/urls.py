"""Addresses of the audit trail, and of one patient's history."""

from django.urls import path

from registry.web.audit import history, views

urlpatterns = [
    path("patients/<str:patient_id>/history/", history.history, name="history"),
    path("audit/", views.audit_page, name="audit"),
    path("audit/csv/", views.audit_csv, name="audit_csv"),
]
