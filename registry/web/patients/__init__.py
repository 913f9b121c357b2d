"""The list of patients, enrolment, one patient, identifiers, the end of follow-up, erasure. Calls shared."""
