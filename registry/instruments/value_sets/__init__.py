"""EQ-5D-5L value sets: what a health state is worth (HSUV), country by country.

A set is data: `sources.csv` says where it was published and `coefficients.csv` holds one term a row, the numbers as
published. A value is the sum of the terms that apply to the state, `full_health` being the value of 11111. Sums are
taken in decimal arithmetic, so a value is the float nearest to the published sum, whatever the order of its terms.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from registry.instruments.base import Label

DIMENSIONS = ("MO", "SC", "UA", "PD", "AD")  # in the order of the digits of a state, and of `eq5d5l.DIMENSIONS`
LEVELS = (1, 2, 3, 4, 5)
DEFAULT = "JP"

MAIN_TERMS = tuple(f"{dimension}{level}" for dimension in DIMENSIONS for level in LEVELS[1:])


def _above(level: Any, levels: Any) -> int:
    return sum(value > level for value in levels)


# What each further term multiplies, given the levels (MO, SC, UA, PD, AD). The two products are Singapore's: levels
# counted from zero, which alone gives its published minimum of −0.851 (doi:10.1007/s40273-025-01519-7). The square is
# Canada's: of the dimensions at level 4 or 5 beyond the first (doi:10.1097/MLR.0000000000000447).
INTERACTIONS = {
    "any_problem": lambda levels: min(1, _above(1, levels)),
    "any_4_or_5": lambda levels: min(1, _above(3, levels)),
    "any_5": lambda levels: min(1, _above(4, levels)),
    "count_4_or_5_minus_1_squared": lambda levels: max(0, _above(3, levels) - 1) ** 2,
    "MO_x_AD": lambda levels: (levels[0] - 1) * (levels[4] - 1),
    "PD_x_AD": lambda levels: (levels[3] - 1) * (levels[4] - 1),
}

REQUIRED_TERMS = frozenset(("full_health", *MAIN_TERMS))


@dataclass(frozen=True, eq=False, kw_only=True)
class ValueSet:
    """One published set. `terms` maps a term to its coefficient, which is added, so a decrement is negative.

    A term of `INTERACTIONS` that the set does not have is absent. ValueError if a dimension's level or the value of
    full health is absent, or if a term is not known.
    """

    code: str
    version: str
    label: Label
    doi: str
    pubmed: str
    terms: Mapping[str, Decimal]

    def __post_init__(self) -> None:
        missing = REQUIRED_TERMS - self.terms.keys()
        unknown = self.terms.keys() - REQUIRED_TERMS - INTERACTIONS.keys()
        if missing or unknown:
            raise ValueError(f"value set {self.code}: missing {sorted(missing)}, unknown {sorted(unknown)}")

    def hsuv(self, state: int) -> float:
        """The value of a state such as 21232, at full precision. ValueError if it is not a state."""
        try:
            return self._values[state]
        except (KeyError, TypeError):
            raise ValueError(f"not an EQ-5D-5L state: {state!r}") from None

    def table(self) -> dict[int, float]:
        """Every state, 11111 to 55555 in ascending order, and its value; a copy."""
        return dict(self._values)

    @cached_property
    def _values(self) -> dict[int, float]:
        return {int("".join(map(str, levels))): float(self._sum(levels)) for levels in product(LEVELS, repeat=5)}

    def _sum(self, levels: Any) -> Any:
        terms = self.terms
        main = (terms[f"{dimension}{level}"] for dimension, level in zip(DIMENSIONS, levels, strict=True) if level > 1)
        further = (terms[name] * count(levels) for name, count in INTERACTIONS.items() if name in terms)
        return sum((*main, *further), start=terms["full_health"])


def _read(name: str) -> list[dict[str | Any, str | Any]]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _load() -> tuple[ValueSet, ...]:
    terms: dict[str, dict[str, Decimal]] = {}
    for row in _read("coefficients.csv"):
        terms.setdefault(row["value_set"], {})[row["term"]] = Decimal(row["coefficient"])
    return tuple(
        ValueSet(
            code=row["code"],
            version=row["version"],
            label=Label(row["country"], row["country_ja"]),
            doi=row["doi"],
            pubmed=row["pubmed"],
            terms=terms[row["code"]],
        )
        for row in _read("sources.csv")
    )


ALL = _load()
_BY_CODE = {value_set.code: value_set for value_set in ALL}


def get(code: str) -> ValueSet:
    """The value set with this code; KeyError if there is none."""
    return _BY_CODE[code]
