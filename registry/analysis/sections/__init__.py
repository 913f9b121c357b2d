"""Sections of a plan beside its tables: endpoints, models, propensity, quality of life, transitions.

Each is declared data and one function from columns to a typed result; nothing here reads a database. Calls design.
"""
