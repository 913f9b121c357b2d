"""The registry's declarations and records as FHIR R4 resources, and back. Pure Python on plain dictionaries.

Base profile only. What FHIR has no place for stands in extensions under `names.URN`. Identifying items are never
written out; coming in, they go the way of every answer.
"""
