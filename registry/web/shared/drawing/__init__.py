"""Drawings as numbers, made SVG by templates: the spine, the way from enrolled to analysed; and widgets of forms, made
HTML in Python. Calls no other room."""
