"""Measurements of pages, and of many who work at once."""
