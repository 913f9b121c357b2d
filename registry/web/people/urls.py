"""Addresses of the pages on people and enrolment."""

from django.urls import path

from registry.web.people import delegation, invitations, sites, views
from registry.web.people import person as people_person

urlpatterns = [
    path("invitation/<str:token>/", invitations.accept, name="invitation"),
    path("sites/", sites.site_list, name="sites"),
    path("sites/new/", sites.site_new, name="site_new"),
    path("sites/<int:site_id>/", sites.site_page, name="site"),
    path("sites/<int:site_id>/change/", sites.site_change, name="site_change"),
    path("people/", views.people_list, name="people"),
    path("people/invitations/", invitations.invitation_list, name="invitations"),
    path("people/invitations/new/", invitations.invitation_new, name="invitation_new"),
    path("people/invitations/<int:invitation_id>/renew/", invitations.invitation_renew, name="invitation_renew"),
    path("people/invitations/<int:invitation_id>/revoke/", invitations.invitation_revoke, name="invitation_revoke"),
    path("people/access/<int:user_id>/", views.person_access, name="person_access"),
    path("people/<int:user_id>/", people_person.person, name="person"),
    path("people/<int:user_id>/change/", people_person.person_change, name="person_change"),
    path("people/<int:user_id>/role/", people_person.person_role, name="person_role"),
    path("people/<int:user_id>/sessions/end/", people_person.person_sessions, name="person_sessions"),
    path("people/<int:user_id>/second-factor/reset/", people_person.person_factors, name="person_factors"),
    path("people/<int:user_id>/active/", people_person.person_active, name="person_active"),
    path("people/<int:user_id>/password/", people_person.person_password, name="person_password"),
    path("people/roles/<int:membership_id>/", people_person.membership, name="membership"),
    path("delegation/", delegation.delegation_log, name="delegation"),
    path("delegation/file/", delegation.delegation_csv, name="delegation_csv"),
    path("enrolment/", views.site_enrolment, name="enrolment"),
]
