"""Completeness and quality of what was collected, counted by site: visits, missing items, queries, digits, delays."""
