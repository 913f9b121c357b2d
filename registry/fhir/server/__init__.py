"""FHIR R4 over HTTP: `/api/fhir/R4/`. The same services, permissions and audit trail as everywhere."""
