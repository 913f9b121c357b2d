"""Completeness and quality by site, the rows behind each number, and enrolment against its plan. Calls shared."""
