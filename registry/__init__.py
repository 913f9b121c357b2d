"""Metaspine, the registry. Its version is told here: files, pages, the image and pyproject.toml read it here."""

__version__ = "0.1.0"
