"""Cohorts declared, counted step by step, and saved. Calls shared."""
