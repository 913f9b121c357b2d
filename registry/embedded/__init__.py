"""PostgreSQL and a broker out of wheels, so that `bin/demo`, `bin/manage` and `bin/test` need only Python.

Nothing here imports Django: `services.running()` yields the environment that `registry/settings.py` reads.
"""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


class CannotStart(Exception):
    """Why the services cannot run here and what to do about it, in one sentence for the person at the terminal."""
