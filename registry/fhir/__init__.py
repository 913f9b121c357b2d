"""FHIR R4: the mapping of declarations and records (pure Python), and the server at `/api/fhir/R4/` that uses it."""
