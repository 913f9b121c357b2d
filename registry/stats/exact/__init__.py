"""Exact tests of ranks, with ties, and the rule by which small samples get them. Fisher's test has its own modules."""
