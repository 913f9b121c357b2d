"""Addresses of what an administrator sets up: the extra instruments."""

from django.urls import path

from registry.web.study import extra_instruments

urlpatterns = [
    path("extra-instruments/", extra_instruments.extra_instruments, name="extra_instruments"),
    path("extra-instruments/<slug:code>/", extra_instruments.extra_instrument, name="extra_instrument"),
]
