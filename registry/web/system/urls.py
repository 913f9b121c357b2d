"""Addresses of the system page."""

from django.urls import path

from registry.web.system import views

urlpatterns = [
    path("system/", views.system_page, name="system"),
    path("system/retry/", views.system_retry, name="system_retry"),
]
