"""Days of moments: the one place where a moment (UTC in the database) becomes the day that it is where the registry is.

Between midnight and nine in Japan the day in UTC is the day before, which is what `moment.date()` and
`f"{moment:%Y-%m-%d}"` would say.
"""

from datetime import datetime
from typing import Any

from django.utils.timezone import localtime


def day_of(value: Any) -> Any:
    """The date of an aware datetime in the registry's time zone (`METASPINE_TIME_ZONE`); a date as it is."""
    return localtime(value).date() if isinstance(value, datetime) else value


def minute_of(value: Any) -> str:
    """An aware datetime in the registry's time zone as text for names and logs: 2026-11-30 00:47."""
    return f"{localtime(value):%Y-%m-%d %H:%M}"
