"""Operators' screens: Django's admin takes them from here."""

from registry.admin import screens  # noqa: F401 - registers them
