"""Watermarks: how far a recurring computation over all patients has come, so that the next one looks only at what
changed since.

A watermark is a transaction id of PostgreSQL: whatever was stored by transactions that had ended when the computation
began is older, and every row that was written since has a younger `xmin`. So nothing is written beside a save, no clock
is compared, and a long transaction that ends late is still seen.

What runs every few minutes asks the server's own counters first whether anything at all was written: an idle registry
of a million forms would otherwise read all of them twice a minute.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

from registry.models import Watermark

MOST = 20_000  # patients from which on one computation of everything is quicker than one of so many


@dataclass(frozen=True)
class Changed:
    """The patients that a computation has to look at: `patients` are their ids, None for everybody."""

    patients: tuple[str, ...] | None

    def __bool__(self) -> bool:
        return self.patients is None or bool(self.patients)


EVERYBODY, NOBODY = Changed(None), Changed(())

# Another cluster, such as the one a dump is restored into, counts its transactions anew. Where no other transaction is
# running and this one wrote nothing before, everything older than its own id has ended, and what it is going to write
# is what the computation makes of it: that is no change.
_NOW = """
    SELECT oldest + CASE WHEN pg_current_xact_id_if_assigned() IS NOT NULL THEN 0
                         WHEN oldest = pg_current_xact_id()::text::bigint THEN 1 ELSE 0 END,
           (SELECT system_identifier FROM pg_control_system()), statement_timestamp()
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest) AS snapshot
"""
LATELY = timedelta(minutes=5)
# A text that every ended transaction changes which wrote into one of the tables, and this one too, as a restart of the
# server and a reset of its statistics do; null where the server does not count.
_COUNTERS = """
    SELECT concat_ws(' ', pg_postmaster_start_time(), pg_stat_get_db_stat_reset_time(d.oid), sum(n))
    FROM pg_database AS d, unnest(%s::regclass[]::oid[]) AS t, LATERAL (VALUES
        (pg_stat_get_tuples_inserted(t)), (pg_stat_get_tuples_updated(t)), (pg_stat_get_tuples_deleted(t)),
        (pg_stat_get_xact_tuples_inserted(t)), (pg_stat_get_xact_tuples_updated(t)),
        (pg_stat_get_xact_tuples_deleted(t))) AS counted(n)
    WHERE d.datname = current_database() AND current_setting('track_counts') = 'on'
    GROUP BY d.oid
"""
_DELETED = """
    SELECT coalesce(sum(pg_stat_get_tuples_deleted(t) + pg_stat_get_xact_tuples_deleted(t)), 0)
    FROM unnest(%s::regclass[]::oid[]) AS t
"""
REMEMBERED = 86_400  # seconds


@contextmanager
def since_last(
    name: str, fingerprint: Any, tables: Any, *, often: bool = False, lately: bool = False, anew: bool = False
) -> Iterator[Changed]:
    """The `Changed` patients since the computation `name` last ended well; it counts as done when the block ends.

    name         of the computation, which others wait for
    fingerprint  text of everything else that the result depends on: another one means that everybody is looked at
    tables       tables with a `patient_id` that the computation reads
    often        whether to look at nobody where the server counted no write since the last time: what a backend wrote
                 that is idle since is counted up to ten seconds late, and then found the next time
    lately       whether to look, by the index on `updated_at`, at what was stored since the last time and in the five
                 minutes before it only: cheap enough for every half minute, but no long transaction is seen
    anew         whether to look at everybody whatever was done before
    """
    # A savepoint would give what is written the id of a transaction of its own, which is younger.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('watermark'), hashtext(%s))", [name])
        # Before what is looked at: what is written in between counts as later.
        counters = _counters(cursor, tables) if often else None
        cursor.execute(_NOW)
        now, cluster, began = cursor.fetchone()
        mark = Watermark.objects.filter(pk=name, fingerprint=fingerprint, cluster=cluster, xid__lte=now).first()
        key = "watermark:" + name.replace(" ", "_")
        if mark and not anew and counters and cache.get(key) == (mark.marked_at, counters):
            yield NOBODY  # and the mark stays where it is
            return
        yield EVERYBODY if anew or mark is None else Changed(_written_since(cursor, mark, now, tables, lately))
        defaults = {"fingerprint": fingerprint, "cluster": cluster, "xid": now, "marked_at": began}
        Watermark.objects.update_or_create(pk=name, defaults=defaults)
        cache.set(key, (began, counters), REMEMBERED)


def deleted(tables: Any) -> int:
    """How many rows of some tables the server counted as deleted: part of the fingerprint of what has to see that rows
    are gone, which no `xmin` shows. What a backend deleted that is idle since is counted up to ten seconds late: a
    computation that did not see it is then repeated the next time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DELETED, [list(tables)])
        return int(cursor.fetchone()[0])


def _counters(cursor: Any, tables: Any) -> str | None:
    cursor.execute(_COUNTERS, [list(tables)])
    return next(iter(cursor.fetchone() or ()), None)


def _written_since(cursor: Any, mark: Any, now: datetime, tables: Any, lately: Any) -> tuple | None:
    if now - mark.xid >= 2**31:  # the ids of rows are the last 32 bits: half of them are older
        return None
    # An id of a row counts backwards from the next one, as age() does; one that is long frozen may look young, which
    # only means that the patient is looked at once more.
    young = "age(xmin) <= age(%(xid)s::text::xid)" + (" AND updated_at > %(since)s" if lately else "")
    written = " UNION ".join(f"SELECT patient_id FROM {table} WHERE {young}" for table in tables)
    cursor.execute(
        f"SELECT patient_id FROM ({written}) AS written LIMIT {MOST + 1}",
        {"xid": mark.xid % 2**32, "since": mark.marked_at - LATELY},
    )
    patients = tuple(patient_id for (patient_id,) in cursor.fetchall())
    return None if len(patients) > MOST else patients
