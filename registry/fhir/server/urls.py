"""Addresses of the FHIR server, as FHIR spells them."""

from django.urls import path

from registry.fhir.server import views

app_name = "fhir"

urlpatterns = [
    path("metadata", views.Metadata.as_view(), name="metadata"),
    path("Questionnaire", views.Questionnaires.as_view(), name="questionnaires"),
    path("Questionnaire/<str:code>", views.OneQuestionnaire.as_view(), name="questionnaire"),
    path("Patient", views.Patients.as_view(), name="patients"),
    path("Patient/<str:patient_id>", views.OnePatient.as_view(), name="patient"),
    path("QuestionnaireResponse", views.QuestionnaireResponses.as_view(), name="responses"),
    path("QuestionnaireResponse/<str:response_id>", views.OneQuestionnaireResponse.as_view(), name="response"),
    path("<path:rest>", views.Nothing.as_view(), name="nothing"),
]
