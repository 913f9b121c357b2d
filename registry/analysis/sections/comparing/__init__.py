"""Comparisons of variables: their declaration, the tests and effects that fit, results, tables and words."""
