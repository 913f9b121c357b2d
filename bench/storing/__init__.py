"""Measurements of saves, of the guards under them, and of operation."""
