"""Addresses of the schedule of visits."""

from django.urls import path

from registry.web.schedule import views

urlpatterns = [
    path("schedule/", views.schedule_page, name="schedule"),
    path("schedule/new/", views.schedule_new, name="schedule_new"),
]
