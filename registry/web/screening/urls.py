"""Addresses of the screening log."""

from django.urls import path

from registry.web.screening import views

urlpatterns = [
    path("screening/", views.log, name="screening"),
    path("screening/new/", views.new, name="screening_new"),
    path("screening/log.csv", views.csv_file, name="screening_csv"),
    path("screening/<int:screening_id>/", views.entry, name="screening_entry"),
]
