"""Enrolment against its plan: cumulative by month, the plan's line, and when the target is reached at the present rate.

The plan's days are a part of the protocol (`enrolment`): each has its date, author and reason. The target is the sum of
the sites' own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from registry.instruments.base import Label
from registry.models import ProtocolVersion
from registry.protocol.definitions import Fault
from registry.services import current_protocol
from registry.services.protocol import publishing
from registry.stats.centres import poisson_interval
from sites.tenancy.access import Access, Can

PART = "enrolment"
MONTHS = 6  # whole months that the rate is of
LEVEL = 0.8  # of the forecast's interval
DAYS = 365.25 / 12  # of a month
FARTHEST = 50 * 12  # months that a forecast reaches


@dataclass(frozen=True)
class Plan:
    """First and last day on which patients are to be enrolled; None where nothing is declared."""

    first: date | None = None
    last: date | None = None


def plan() -> Plan:
    """The plan that holds."""
    declared = current_protocol.document_of(current_protocol.version()).get(PART) or {}
    return Plan(*(date.fromisoformat(declared[name]) if declared.get(name) else None for name in ("first", "last")))


@transaction.atomic
def declare(*, access: Access, first: str, last: str, note: str) -> ProtocolVersion:
    """Declare the plan's days (as typed), as a version of the protocol. Raises PermissionDenied, InvalidDefinition."""
    access.require(Can.ADMINISTER)
    days, faults = [], []
    for name, text in (("first", first), ("last", last)):
        try:
            days.append(date.fromisoformat(text))
        except ValueError:
            faults.append(Fault(0, name, text, Label("must be a day", "日付を入力してください")))
    if not faults and days[0] >= days[1]:
        faults.append(
            Fault(0, "last", last, Label("must be after the first day", "開始日より後の日付を入力してください"))
        )
    if faults:
        raise publishing.InvalidDefinition(faults)
    document = publishing.newest_document()
    declared = {"first": days[0].isoformat(), "last": days[1].isoformat()}
    return publishing.store(access, document | {PART: declared}, note)


@dataclass(frozen=True)
class Forecast:
    """Patients a month lately, and the day on which the target is reached: at that rate, at the interval's ends.

    likely, early, late  None where that lies too far off
    """

    rate: float
    likely: date | None
    early: date | None
    late: date | None


def cumulative(by_month: Mapping[date, int]) -> list[tuple[date, int]]:
    """(first day of a month, patients until its end), every month from the first to the last."""
    if not by_month:
        return []
    line, n, month = [], 0, min(by_month)
    while month <= max(by_month):
        n += by_month.get(month, 0)
        line.append((month, n))
        month = next_month(month)
    return line


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def planned(target: int | None, declared: Plan, day: date) -> float | None:
    """How many patients the plan has until a day: evenly from its first day to its last."""
    if target is None or declared.first is None or declared.last is None:
        return None
    share = (day - declared.first).days / (declared.last - declared.first).days
    return target * min(1.0, max(0.0, share))


def forecast(by_month: Mapping[date, int], n: int, target: int | None, today: date) -> Forecast | None:
    """When `target` patients are reached by the rate of the last MONTHS whole months; None where nothing is to reach.

    The interval is that of the rate: exact Poisson limits of the patients of those months.
    """
    if target is None or n >= target or not by_month:
        return None
    months = _last_months(today, min(by_month))
    if not months:
        return None
    lately = sum(by_month.get(month, 0) for month in months)
    low, high = poisson_interval(lately, LEVEL)
    likely, early, late = (_reached(today, target - n, rate / len(months)) for rate in (lately, high, low))
    return Forecast(lately / len(months), likely, early, late)


def _last_months(today: date, first: date) -> list[date]:
    months: list[date] = []
    month = date(today.year, today.month, 1)
    while len(months) < MONTHS and month > first:
        month = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
        months.append(month)
    return months


def _reached(today: date, lacking: int, rate: float) -> date | None:
    if rate <= 0 or lacking / rate > FARTHEST:
        return None
    return today + timedelta(days=round(lacking / rate * DAYS))


def summed(counted: Iterable[Any]) -> tuple[int, dict[date, int]]:
    """(patients, {month: patients}) of what the kind `consented` keeps for some sites."""
    n, by_month = 0, dict[date, int]()
    for of_site, _first, _last, months in counted:
        n += of_site
        for month, m in months.items():
            by_month[month] = by_month.get(month, 0) + m
    return n, by_month
