"""Measurements of files in and out."""
