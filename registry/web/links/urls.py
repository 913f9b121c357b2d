"""Addresses of patient links: the site's pages, and those on which a patient answers."""

from django.urls import path

from registry.web.links import views

urlpatterns = [
    path("patients/<str:patient_id>/assessments/<str:timepoint>/links/", views.link_list, name="patient_links"),
    path("patient-links/<int:link_id>/", views.link_review, name="patient_link_review"),
    path("patient-links/<int:link_id>/revoke/", views.link_revoke, name="patient_link_revoke"),
    path("answers/thanks/<str:language>/", views.thanks, name="patient_link_thanks"),
    path("answers/<str:token>/", views.answer, name="patient_link"),
    path("answers/<str:token>/<int:step>/", views.answer, name="patient_link_step"),
]
