"""Constraints: which one a refused statement broke, for logs and for what is said of it."""

from typing import Any


def broken(error: Any) -> str:
    """The name of the constraint that an IntegrityError is about; "" where the database names none.

    Its text is for nobody: it quotes the values of the row.
    """
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
