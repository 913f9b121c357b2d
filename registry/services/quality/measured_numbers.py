"""Measured numbers by site: how often they end in 0 or 5, and how much they vary, for who looks for what is made up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

# Item → table. Numbers on a scale of many steps that somebody reads off or measures.
ITEMS = {
    "pain_vas_mm": "registry_assessment",
    "eq_vas": "registry_assessment",
    "operative_time_min": "registry_patient",
    "blood_loss_ml": "registry_patient",
}


@dataclass(frozen=True)
class Moments:
    """Of one item at one site: n, how many end in 0 or 5, the sum, and the sum of squares."""

    n: int
    rounded: int
    total: float
    squares: float

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float | None:
        """Of the sample; None below two values."""
        if self.n < 2:
            return None
        return max(0.0, (self.squares - self.total**2 / self.n) / (self.n - 1))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.n + other.n, self.rounded + other.rounded, self.total + other.total, self.squares + other.squares
        )


def by_site(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, dict[str, Moments]]:
    """Site id to {item: its Moments}; items without a value are left out."""
    moments: dict[int, dict[str, Moments]] = {}
    with connection.cursor() as cursor:
        for name, table in ITEMS.items():
            cursor.execute(
                f"SELECT site_id, count({name}), count(*) FILTER (WHERE {name} %% 5 = 0), sum({name})::float, "
                f"sum({name}::float ^ 2) FROM {table} WHERE site_id = ANY (%(sites)s) AND {name} IS NOT NULL "
                "GROUP BY site_id",
                {"sites": list(site_ids)},
            )
            for site_id, *numbers in cursor.fetchall():
                moments.setdefault(site_id, {})[name] = Moments(*numbers)
    return moments


def rows(site_ids: Iterable[int], *, name: str, limit: int) -> list[tuple]:
    """(patient's number, visit or "surgery", value) of one item, those that end in 0 or 5 first."""
    table = ITEMS[name]
    form = "timepoint_id" if table == "registry_assessment" else "'surgery'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT patient_id, {form}, {name} FROM {table} WHERE site_id = ANY (%(sites)s) AND {name} IS NOT NULL "
            f"ORDER BY {name} %% 5 <> 0, {name}, patient_id LIMIT %(limit)s",
            {"sites": list(site_ids), "limit": limit},
        )
        return cursor.fetchall()
