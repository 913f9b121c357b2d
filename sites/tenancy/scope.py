"""The tenancy scope of a transaction: which sites may be read, written and identified, by whom and why.

The database backend (`sites.postgresql`) hands the scope to PostgreSQL at the start of every transaction, where the
row-level-security policies and the audit triggers read it. Outside `scope()` no clinical row exists.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.pq import TransactionStatus


@dataclass(frozen=True)
class Scope:
    """Site ids by what may be done there; and who acts, why.

    read        records may be read
    write       forms may be entered and corrected
    identify    patients' direct identifiers may be read
    query       queries may be raised and closed
    verify      forms may be marked as verified against source
    sign        forms may be signed, and unlocked again
    adjudicate  a patient's segment group may be decided
    `in_error` shows what was entered in error too: without it no row of that kind exists for any query.
    `administers` opens the part of the audit trail that belongs to no site. `link` is the hash of a patient's link: it
    opens that one row, and nothing else, to somebody who is not signed in. `blind` keeps the arms of the study from
    whoever must not know them; `hidden` names the items that tell of the arm, and goes with it.
    """

    read: tuple[int, ...] = ()
    write: tuple[int, ...] = ()
    identify: tuple[int, ...] = ()
    query: tuple[int, ...] = ()
    verify: tuple[int, ...] = ()
    sign: tuple[int, ...] = ()
    adjudicate: tuple[int, ...] = ()
    administers: bool = False
    in_error: bool = False
    blind: bool = False
    hidden: tuple[str, ...] = ()
    link: str = ""
    user_id: int | None = None
    request_id: str = ""
    reason: str = ""


NOTHING = Scope()
_current: ContextVar[Scope] = ContextVar("scope", default=NOTHING)

# The settings that hold site ids, each named after its part of the scope.
SITES = ("read", "write", "identify", "query", "verify", "sign", "adjudicate")
_FLAGS = ("administers", "in_error", "blind")
_SETTINGS = (*(f"{site}_sites" for site in SITES), "user_id", "request_id", "reason", *_FLAGS, "hidden", "link")
_APPLY = "SELECT " + ", ".join(f"set_config('app.{name}', %s, true)" for name in _SETTINGS)

# Session-wide: no scope, and no temporary table in the place of one of ours.
NONE = "SELECT set_config('search_path', 'public, pg_temp', false), " + ", ".join(
    f"set_config('app.{name}', '', false)" for name in _SETTINGS
)
# The same for one transaction, where the session may be somebody else's before and after it.
NONE_HERE = "SELECT set_config('search_path', 'public, pg_temp', true)"


def current() -> Scope:
    return _current.get()


def _array(ids: Any) -> str:
    return "{" + ",".join(str(int(number)) for number in ids) + "}"


def execute(cursor: Any, scope: Any) -> None:
    """Tell PostgreSQL the scope for the rest of the transaction that `cursor` is in."""
    cursor.execute(
        _APPLY,
        [
            *(_array(getattr(scope, site)) for site in SITES),
            str(scope.user_id or ""),
            scope.request_id,
            scope.reason,
            *("on" if getattr(scope, flag) else "off" for flag in _FLAGS),
            "|".join(scope.hidden),
            scope.link,
        ],
    )


def give_reason(connection: Any, reason: str) -> None:
    """Tell PostgreSQL another reason for change, for the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.reason', %s, true)", [reason])


def _apply(connection: Any, scope: Any) -> None:
    with connection.cursor() as cursor:
        execute(cursor, scope)


@contextmanager
def entered(scope: Any, using: str = DEFAULT_DB_ALIAS) -> Iterator[Any]:
    """Everything inside runs under `scope`, also when a transaction is already open."""
    connection = connections[using]
    token = _current.set(scope)
    try:
        if connection.in_atomic_block:
            _apply(connection, scope)
        yield scope
    finally:
        _current.reset(token)
        # A failed transaction accepts no statement; rolling back, if only to a savepoint, undoes the setting too.
        failed = connection.needs_rollback or (
            connection.connection is not None
            and connection.connection.info.transaction_status == TransactionStatus.INERROR
        )
        if connection.in_atomic_block and not failed:
            _apply(connection, _current.get())


def all_site_ids(using: str = DEFAULT_DB_ALIAS) -> tuple[Any, ...]:
    """Ids of every site, ascending. Written out: the models ask this module for what their roles are."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT id FROM study_sites_site ORDER BY id")
        return tuple(pk for (pk,) in cursor.fetchall())


def everything(*, user_id: Any = None, reason: str = "", in_error: bool = False, using: str = DEFAULT_DB_ALIAS) -> Any:
    """The scope of all sites, for commands, tasks and the coordinating centre's own jobs; a context manager.

    in_error  whether what was entered in error is there as well: for what keeps records, and never for what counts
    Site ids are read when it is entered: enter it again after creating a site.
    """
    ids = all_site_ids(using)
    every: dict[str, Any] = dict.fromkeys(SITES, ids)
    here = current()
    of_request: dict[str, Any] = {"request_id": here.request_id, "blind": here.blind, "hidden": here.hidden}
    scope = Scope(**every, administers=True, in_error=in_error, user_id=user_id, reason=reason, **of_request)
    return entered(scope, using)


def with_errors(using: str = DEFAULT_DB_ALIAS) -> Any:
    """The same scope, in which what was entered in error is there as well; a context manager."""
    return entered(replace(current(), in_error=True), using)


def because(reason: Any, using: str = DEFAULT_DB_ALIAS) -> Any:
    """The same scope with a reason for change, which the audit trail keeps; a context manager."""
    return entered(replace(current(), reason=reason), using)
