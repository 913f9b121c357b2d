"""The schedule's rows and the switches of extra instruments, which nearly every request asks: read by one statement.

A process asks the database at most once a second; pages that administer ask it each time (`read`), as another process
may have taken the change that they show. Whoever changes something calls `forget`.
"""

import time
from typing import Any, NamedTuple

from django.db import connection, transaction

from sites.database.per_request_cache import once_a_request

# Written out: composing it takes the ORM longer. Without a single planned visit there is still a row, for the switches.
READ = """
    SELECT switches.codes, visits.* FROM (
        SELECT ARRAY(SELECT code::text FROM registry_instrumentswitch WHERE "on") AS codes
    ) AS switches LEFT JOIN (
        SELECT v.id, v.effective_from, t.code, t.label, t.label_ja, s.target_day, s.days_before, s.days_after
        FROM registry_scheduleversion AS v JOIN registry_scheduledvisit AS s ON s.version_id = v.id
        JOIN registry_timepoint AS t ON t.code = s.timepoint_id
    ) AS visits ON true ORDER BY visits.effective_from, visits.id, visits.target_day
"""


class Standing(NamedTuple):
    """visits    rows of every version's plan: (version, its first day, code, label, label in Japanese, target day, days
              before, days after), in the order of the versions and days
    switches  codes of the instruments that are switched on
    """

    visits: tuple[tuple[Any, ...], ...]
    switches: frozenset[str]


FRESH = 1.0  # seconds
_known: dict[str, Any] = {"at": 0.0, "standing": None}


@once_a_request
def current() -> Standing:
    """What holds now; kept for others only where this transaction has changed nothing of it."""
    if _is_changed_here():
        return read()
    began, known = time.monotonic(), _known["standing"]
    if known is None or began - _known["at"] > FRESH:
        known = _known["standing"] = read()
        _known["at"] = began
    return known


def forget() -> None:
    """Ask the database again, now that something is changed, and once more when that is committed."""
    _forget()
    transaction.on_commit(_forget)


def _forget() -> None:
    _known["standing"] = None
    current.forget()


def _is_changed_here() -> bool:
    """Whether the open transaction called `forget`: what it waits to do on commit goes with it when it is undone."""
    return any(waiting[1] is _forget for waiting in connection.run_on_commit)


def read() -> Standing:
    """What the database says now."""
    with connection.cursor() as cursor:
        cursor.execute(READ)
        rows = cursor.fetchall()
    return Standing(tuple(row[1:] for row in rows if row[1] is not None), frozenset(rows[0][0]))
