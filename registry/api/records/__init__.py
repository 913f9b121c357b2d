"""Patients, assessments, adverse events, queries and what they refer to. Calls shared."""
