"""All guards as SQL, in the order in which they are made, and the hash that says whether a database has these."""

import hashlib
from functools import cache
from pathlib import Path

from registry.guards import rights, tables
from sites.audit import sealing

FUNCTIONS = ("scope", "audit", "seals", "records", "queries", "signatures", "kept", "patient_links", "erasure")
# What the functions share with Python, so that it is written once.
SHARED = {"@EVENT@": sealing.EVENT, "@HEAD@": sealing.HEAD}


@cache
def functions():
    """The SQL of every function."""
    texts = [(Path(__file__).parent / "sql" / f"{name}.sql").read_text() for name in FUNCTIONS]
    whole = "\n".join(texts)
    for name, text in SHARED.items():
        whole = whole.replace(name, text)
    return whole


@cache
def script(role):
    """The SQL that makes every guard in a database without any. `role` is the application's, None where it owns all."""
    return "\n".join([functions(), *tables.EVERYTHING, rights.WITHHELD_FROM_ALL, *rights.granted(role)])


@cache
def digest():
    """SHA-256 of the script, in hexadecimal: the same whatever the application's role is called."""
    return hashlib.sha256(script("application").encode()).hexdigest()
