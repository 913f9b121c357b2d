"""Addresses of the start page and the grid."""

from django.urls import path

from registry.web.start import grid, home

urlpatterns = [
    path("", home.home, name="home"),
    path("next/", home.next_visit, name="next_visit"),
    path("grid/", grid.grid, name="grid"),
]
