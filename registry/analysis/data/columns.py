"""Column: one integer or number a patient, as PostgreSQL computes it for a binary COPY."""

from dataclasses import dataclass
from math import isnan

MISSING = -32768
NO_NUMBER = -(1 << 31)  # of 32-bit columns whose numbers may be below MISSING
EPOCH = "2000-01-01"  # dates are days from here

_PG_TYPES = {"i2": "int2", "i4": "int4", "f8": "float8"}


@dataclass(frozen=True)
class Column:
    """One column of numbers: how PostgreSQL computes it (null for no value) and, for a code, what 0, 1, … stand for.

    Of a number with decimals, or below zero, a stored 0 stands for `least`/`scale` and 1 for one `scale`-th more.
    """

    name: str
    sql: str
    dtype: str = "i2"
    codes: tuple = ()
    empty: float = MISSING
    least: int = 0
    scale: int = 1

    @property
    def select(self):
        empty = "'NaN'" if isnan(self.empty) else self.empty
        return f"coalesce({self._code_sql}, {empty})::{_PG_TYPES[self.dtype]}"

    @property
    def _code_sql(self):
        if not self.codes:
            return self.sql
        whens = " ".join(f"WHEN '{code}' THEN {place}" for place, code in enumerate(self.codes))
        return f"CASE {self.sql} {whens} END"
