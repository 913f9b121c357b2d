"""Read replica (hot standby): work that only reads is done there, and sees whatever was committed before it began.

`REPLICA_DATABASE_URL` names it. The primary is asked how far its log is; the replica is used once it has replayed that
much, within METASPINE_REPLICA_SECONDS. One that is away, behind, no standby (any more), of another cluster or asked as
a role that row-level security does not bind is passed over, and so is one that breaks off or refuses the work: then the
primary does it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import django.db
import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

REPLICA = "replica"
POLL = 0.05  # seconds
PAUSE = 30  # seconds for which a replica that was away is not asked again
FAULTS = tuple(
    getattr(module, name)
    for module in (django.db, psycopg)
    for name in ("OperationalError", "InterfaceError", "InternalError")
)

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# How far the log is written in memory: with synchronous_commit off, what is acknowledged is not on the disk yet.
_POSITION = "SELECT pg_current_wal_insert_lsn()::text, (SELECT system_identifier FROM pg_control_system())"
_STATE = """
    SELECT pg_is_in_recovery() AND system_identifier = %s
           AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
           pg_last_wal_replay_lsn() >= %s::pg_lsn,
           extract(epoch FROM clock_timestamp()
                   - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8
    FROM pg_control_system()
"""
_away = {"until": float("-inf")}


@dataclass(frozen=True)
class State:
    """Whether the replica is a standby of this primary under our policies, and by how many seconds behind (0: not)."""

    follows: bool
    behind: float


def exists() -> bool:
    return REPLICA in connections.settings


def state() -> State:
    """The State of the replica against the primary at this moment. Raises an error of the database."""
    follows, reached, age = _asked(_position())
    return State(bool(follows), 0.0 if reached else float(age))


def on_replica(work: Callable[[], Result]) -> Result:
    """What `work()` returns, done on the replica where that has caught up, else on the primary.

    work  only reads, opens its own transactions, and can be done once more after it broke off
    """
    primary = connections[DEFAULT_DB_ALIAS]
    if not exists() or primary.alias == REPLICA or not caught_up():
        return work()
    try:
        with _instead_of(primary):
            return work()
    except FAULTS as error:
        log.warning("the replica broke off, the primary does it: %s", str(error).strip())
    return work()


def caught_up() -> bool:
    """Wait until the replica has what is committed now; False where it is none or does not get there in time."""
    if not exists() or time.monotonic() < _away["until"]:
        return False
    deadline = time.monotonic() + settings.REPLICA_SECONDS
    position = _position()
    try:
        while True:
            follows, reached, _age = _asked(position)
            if not follows:
                raise psycopg.OperationalError("it is no standby of this primary, or its role passes over the policies")
            if reached:
                return True
            if time.monotonic() > deadline:
                raise psycopg.OperationalError(f"it is more than {settings.REPLICA_SECONDS} s behind")
            time.sleep(POLL)
    except FAULTS as error:
        _away["until"] = time.monotonic() + PAUSE
        connections[REPLICA].close()
        log.warning("the replica is not used for %d s: %s", PAUSE, str(error).strip())
        return False


def _position() -> tuple:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(_POSITION)
        return cursor.fetchone()


def _asked(position: tuple) -> tuple:
    lsn, cluster = position
    with connections[REPLICA].cursor() as cursor:
        cursor.execute(_STATE, [cluster, lsn])
        return cursor.fetchone()


@contextmanager
def _instead_of(primary: Any) -> Iterator[None]:
    """In this thread, the replica answers to the name of the primary."""
    connections[DEFAULT_DB_ALIAS] = connections[REPLICA]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = primary
