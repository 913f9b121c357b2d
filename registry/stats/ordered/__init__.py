"""Tests of ordered groups (trend) and of paired categories (symmetry, marginal homogeneity)."""
