"""Commands that compare, and that compute what comparisons read. May call analysis and services."""
