"""Addresses of queries."""

from django.urls import path

from registry.web.review import queries

urlpatterns = [
    path("queries/", queries.query_list, name="queries"),
    path("queries/csv/", queries.query_csv, name="queries_csv"),
    path("queries/many/", queries.query_bulk, name="query_bulk"),
    path("queries/<int:query_id>/", queries.query_page, name="query"),
    path("patients/<str:patient_id>/queries/new/", queries.query_new, name="query_new"),
]
