"""The statement by which a request begins: it shows by itself whether the connection that was kept still holds.

Django asks a kept connection for a row before a request's first statement (`CONN_HEALTH_CHECKS`): one round to
PostgreSQL more. What only reads, outside of a transaction, can be asked once more on a new connection instead.
"""

from typing import Any

from django.db import InterfaceError, OperationalError, connection


def first_row(sql: str, parameters: Any) -> Any:
    """The first row that `sql`, which only reads, selects; None where there is none.

    Where the kept connection broke since the last request, it is asked once more on a new one.
    """
    health: Any = connection  # the stubs do not know what Django notes of its health
    if health.connection is None or health.in_atomic_block or health.health_check_done:
        return _row(sql, parameters)
    health.health_check_done = True  # by this statement
    try:
        return _row(sql, parameters)
    except (OperationalError, InterfaceError):
        if health.is_usable():  # it holds: the statement was refused, as one that takes too long is
            raise
        health.close()
        return _row(sql, parameters)


def _row(sql: str, parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()
