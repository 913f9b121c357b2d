"""Measurements of comparisons: plans, models, figures and tests, also beside R."""
