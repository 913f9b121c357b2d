"""Addresses of consents and attached files."""

from django.urls import path

from registry.web.consent import attachments, consents

urlpatterns = [
    path("patients/<str:patient_id>/consent/", consents.consent, name="consent"),
    path("patients/<str:patient_id>/consent/new/", consents.consent_new, name="consent_new"),
    path("patients/<str:patient_id>/consent/<int:consent_id>/", consents.consent_correct, name="consent_correct"),
    path("patients/<str:patient_id>/consent/withdraw/", consents.withdraw, name="consent_withdraw"),
    path(
        "patients/<str:patient_id>/consent/withdrawals/<int:withdrawal_id>/",
        consents.withdrawal_correct,
        name="withdrawal_correct",
    ),
    path("patients/<str:patient_id>/files/", attachments.attachments, name="attachments"),
    path("patients/<str:patient_id>/files/<int:attachment_id>/", attachments.attachment, name="attachment"),
    path(
        "patients/<str:patient_id>/files/<int:attachment_id>/remove/",
        attachments.attachment_remove,
        name="attachment_remove",
    ),
]
