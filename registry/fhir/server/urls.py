"""Addresses of the FHIR server, as FHIR spells them."""

from django.urls import path

from registry.fhir.server import bundles, views

app_name = "fhir"

urlpatterns = [
    path("", bundles.Transactions.as_view(), name="transactions"),
    path("metadata", views.Metadata.as_view(), name="metadata"),
    path("Questionnaire", views.Questionnaires.as_view(), name="questionnaires"),
    path("Patient", views.Patients.as_view(), name="patients"),
    *(
        path(f"{kind}/_search", bundles.Search.as_view(kind=kind), name=f"search_{kind.lower()}")
        for kind in bundles.KINDS
    ),
    path("Patient/<str:patient_id>/$everything", views.Everything.as_view(), name="everything"),
    path("Questionnaire/<str:code>", views.OneQuestionnaire.as_view(), name="questionnaire"),
    path("Observation", views.Observations.as_view(), name="observations"),
    path("Observation/<str:observation_id>", views.OneObservation.as_view(), name="observation"),
    path("Patient/<str:patient_id>", views.OnePatient.as_view(), name="patient"),
    path("QuestionnaireResponse", views.QuestionnaireResponses.as_view(), name="responses"),
    path("QuestionnaireResponse/<str:response_id>", views.OneQuestionnaireResponse.as_view(), name="response"),
    path("<path:rest>", views.Nothing.as_view(), name="nothing"),
]
