"""A Metaspine registry as polars or pandas frames: `registry(url, token).assessments(labels=True)`."""

from metaspine.codebook import Column
from metaspine.connection import Refused
from metaspine.registry import Registry, registry

__all__ = ["Column", "Refused", "Registry", "registry"]
__version__ = "0.1.0"
