"""Analysis: saved cohorts and plans, runs of comparisons, and the snapshots that they read."""
