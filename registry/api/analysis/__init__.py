"""Cohorts, comparisons, exports and snapshots. Calls records and shared."""
