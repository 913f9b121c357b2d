"""Reading much at once: COPY, and several statements' worth of one moment of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction


@contextmanager
def one_moment() -> Iterator[None]:
    """A transaction that sees the registry as it is at one moment, whatever others write meanwhile."""
    if connection.in_atomic_block:
        yield  # somebody else's transaction: its isolation cannot be changed any more
        return
    connection.ensure_connection()
    connection.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with transaction.atomic():
            yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            connection.connection.isolation_level = None


def blocks(cursor: Any, statement: Any, size: Any = 1 << 16) -> Iterator[bytes]:
    """What a COPY … TO STDOUT sends: bytes of whole rows, at least `size` of them but in the last block.

    psycopg waits for each row anew, which costs as much as the row. Here it waits for the first only, and what has
    come by then is taken from libpq as it is.
    """
    server = cursor.connection.pgconn
    with cursor.copy(statement) as copy:
        block, length = bytearray(), 1
        while length >= 0 and (row := copy.read()):  # waits; raises what the server says; empty at the end
            block += row
            while (taken := server.get_copy_data(1))[0] > 0:
                block += taken[1]
                if len(block) >= size:
                    yield bytes(block)
                    block.clear()
            length = taken[0]  # 0: nothing has come yet; −1: that was all
        if length < 0:
            _finish(server)
        if block:
            yield bytes(block)


def _finish(server: Any) -> None:
    """Take the end of a COPY from the connection; raise what the server says went wrong on the way."""
    results = []
    while (result := server.get_result()) is not None:
        results.append(result)
    for result in results:
        if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
