"""What is asked, as data: plans, cohorts, groupings, tests, thresholds. Calls data."""
