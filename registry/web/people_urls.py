"""Addresses of the pages on people and enrolment."""

from django.urls import path

from registry.web import people

urlpatterns = [
    path("people/", people.people_list, name="people"),
    path("people/access/<int:user_id>/", people.person_access, name="person_access"),
    path("enrolment/", people.site_enrolment, name="enrolment"),
]
