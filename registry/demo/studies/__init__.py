"""Synthetic cohorts of further published studies: the margins of a paper, drawn patients, nobody's data."""
