"""Blind index of identifiers: keyed hashes that are equal where two patients' identifiers are, and tell nothing else.

HMAC-SHA256 under a key derived from the first of METASPINE_FIELD_KEYS, cut to 16 bytes. The marks stand beside the
ciphertexts in `Identity`, go with that row, and are never written to the trail.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from django.conf import settings

from registry.models import Identity

COLUMNS = Identity.MARKS
_SIZE = 16  # bytes: no two identifiers of any registry meet by chance


@cache
def _marking_key(encoded: str) -> bytes:
    return hmac.new(urlsafe_b64decode(encoded), b"metaspine: marks of identifiers", hashlib.sha256).digest()


def folded(text: str | None) -> str:
    """A number or initials without what spelling differs by."""
    return (text or "").replace(" ", "").replace(".", "").casefold()


def mark(field: str, value: date | str | None) -> bytes | None:
    """The mark of one identifier, a field of COLUMNS; None for an empty one."""
    text = value.isoformat() if isinstance(value, date) else folded(value)
    if not text:
        return None
    key = _marking_key(settings.FIELD_KEYS[0])
    return hmac.new(key, f"{field}\x1f{text}".encode(), hashlib.sha256).digest()[:_SIZE]


def marks(values: Mapping[str, Any]) -> dict[str, bytes | None]:
    """Columns of the marks of plain identifiers, for the fields that `values` has."""
    return {column: mark(field, values[field]) for field, column in COLUMNS.items() if field in values}
