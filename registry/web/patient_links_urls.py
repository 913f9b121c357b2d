"""Addresses of patient links: the site's pages, and those on which a patient answers."""

from django.urls import path

from registry.web import patient_links

urlpatterns = [
    path("patients/<str:patient_id>/assessments/<str:timepoint>/links/", patient_links.link_list, name="patient_links"),
    path("patient-links/<int:link_id>/", patient_links.link_review, name="patient_link_review"),
    path("patient-links/<int:link_id>/revoke/", patient_links.link_revoke, name="patient_link_revoke"),
    path("answers/thanks/<str:language>/", patient_links.thanks, name="patient_link_thanks"),
    path("answers/<str:token>/", patient_links.answer, name="patient_link"),
    path("answers/<str:token>/<int:step>/", patient_links.answer, name="patient_link_step"),
]
