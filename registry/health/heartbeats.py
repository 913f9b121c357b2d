"""Signs of life in the database: of the beat, of each queue that a worker takes from, of each recurring task."""

import os
from pathlib import Path

from django.db import connection

BEAT, QUEUE, TASK = "beat", "queue:", "task:"
LEASE = 60  # seconds for which the beat is one process's, from its last sign of life on
TABLE = "registry_heartbeat"

# No site and no policy: it may be written and read in any scope, also outside of a transaction. Times are the
# database's, so that hosts need not agree.
_ALIVE = f"""
    INSERT INTO {TABLE} AS kept (name, at, seconds, failed_at, error, holder)
    VALUES (%(name)s, statement_timestamp(), %(seconds)s, %(failed)s::timestamptz, %(error)s, '')
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, seconds = excluded.seconds, error = excluded.error,
        failed_at = coalesce(excluded.failed_at, kept.failed_at)
"""
_LEASED = f"""
    INSERT INTO {TABLE} AS kept (name, at, error, holder) VALUES (%(name)s, statement_timestamp(), '', %(holder)s)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, holder = excluded.holder
        -- a lease of a time to come is one of a clock that was set back
        WHERE kept.holder = excluded.holder OR abs(extract(epoch FROM statement_timestamp() - kept.at)) > %(lease)s
"""

_HELD = f"""
    INSERT INTO {TABLE} AS kept (name, at, error, holder) VALUES (%(name)s, statement_timestamp(), '', %(text)s)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, holder = excluded.holder
"""


def alive(name, seconds=None, error=""):
    """Note that `name` shows life now; a task also how many seconds it took, and why it failed where it did."""
    values = {"name": name[:100], "seconds": seconds, "failed": "now" if error else None, "error": error[:300]}
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, values)


def leased(name, holder):
    """Whether `holder` is now the one process that may do what is named; it says so again before `LEASE` is over.

    A row and no lock of the session: poolers give a session to another client after each transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEASED, {"name": name, "holder": holder, "lease": LEASE})
        return cursor.rowcount == 1


def ages():
    """{name: seconds since it showed life; or until then, where the clock was set back since: no life either}"""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, abs(extract(epoch FROM statement_timestamp() - at))::float8 FROM {TABLE}")
        return dict(cursor.fetchall())


def all_of_them():
    """({name: (seconds since it showed life, seconds that its last run took, why it failed)},
    {name: what was noted under it})"""
    ages = "abs(extract(epoch FROM statement_timestamp() - at))::float8"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, holder, {ages}, seconds, error FROM {TABLE}")
        rows = cursor.fetchall()
    return {name: tuple(rest) for name, _holder, *rest in rows}, {name: holder for name, holder, *_rest in rows}


def hold(name, text):
    """Note a text under `name`, for other processes to read with `holder`."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"name": name, "text": text})


def holder(name):
    """What was noted under `name`; None where nothing was."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT holder FROM {TABLE} WHERE name = %s", [name])
        row = cursor.fetchone()
    return row and row[0]


def touch(service):
    """The sign of life that docker/healthy looks for in a container; elsewhere it is a small file of no use."""
    path = Path(os.environ.get("METASPINE_ALIVE", "/tmp"), f"metaspine-{service}.alive")  # noqa: S108 - no content
    path.touch()
