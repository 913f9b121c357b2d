"""Comparisons asked for, watched, read, set side by side and taken away. Calls cohorts and shared."""
