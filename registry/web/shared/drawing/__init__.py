"""Drawings as numbers, made SVG by templates: the spine, the way from enrolled to analysed. Calls no other room."""
