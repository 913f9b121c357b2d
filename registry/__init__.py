"""Metaspine, the registry. Its version is told here: files, pages, the image and pyproject.toml read it here."""

import os

# Before NumPy is loaded. Processes, not threads, share the work here: a second thread of BLAS doubles the processor
# time of a propensity score and saves nobody a wait, and sums come out in the same order on every machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
