"""Addresses of verification against source, and of signatures."""

from django.urls import path

from registry.web.review import signing, signing_many, verification

urlpatterns = [
    path("verification/", verification.to_verify, name="to_verify"),
    path("verification/next/", verification.verify_next, name="verify_next"),
    path("patients/<str:patient_id>/verify/<str:form>/", verification.verify_form, name="verify_form"),
    path("to-sign/", signing.ready_to_sign, name="to_sign"),
    path("to-sign/read/", signing_many.sign_many, name="sign_many"),
    path("patients/<str:patient_id>/signatures/", signing.signatures, name="signatures"),
    path("patients/<str:patient_id>/unlock/", signing.unlock, name="unlock"),
]
