"""Propensity: scores, nearest-neighbour matching, weights, balance, and the tests of matched sets."""
