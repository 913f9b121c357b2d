"""Pipeline of a large file of new rows: they are stored while the rest of it is still read and checked.

A thread reads the file, checks it as any other on a connection of its own, and hands on each block of records; this
connection stores them in the import's transaction. So PostgreSQL inserts on one core what is read on another. It is a
bet on rows that are all new and without fault: whatever else shows, what was stored is taken back to a savepoint.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from itertools import islice
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event

import psycopg
from django.db import DatabaseError, connection, connections, transaction

from registry.imports.checking import staging
from registry.imports.storing import statements
from registry.instruments import catalogue
from registry.services.files import file_formats

MANY = 20_000  # rows; of fewer a second connection saves nothing
MANY_BYTES = 50 * MANY
LEAST, MOST = 10, 50  # blocks of a thousand rows in a statement: each looks for the patients, and keeps what it adds
AHEAD = 200  # blocks that may wait, so that the checks of the whole set begin long before the last is stored
PAUSE = 0.2  # seconds between looks whether the other side has given up
LOCK_MS = 5000  # for which either connection waits for a lock
# A thread that waits for the other is nothing that PostgreSQL sees, so where somebody's ALTER stands between both
# connections it finds no deadlock: one of them has to give up.
NO_LONG_WAIT = """
    WITH before AS MATERIALIZED (SELECT setting, setting::int AS ms FROM pg_settings WHERE name = 'lock_timeout')
    SELECT setting, set_config('lock_timeout', CASE WHEN ms BETWEEN 1 AND %s THEN setting ELSE %s END, true) FROM before
"""


class Otherwise(Exception):
    """Not all rows are new and without fault."""


def fits(files, given):
    """Whether an import is of assessments alone, and of many.

    given  name of a file to its Path or `reading.Rows`
    """
    if list(files) != [file_formats.ASSESSMENTS]:
        return False
    table = given[file_formats.ASSESSMENTS.name]
    return table.stat().st_size >= MANY_BYTES if isinstance(table, Path) else len(table) >= MANY


def store_while_read(file, check):
    """Store the rows of `file` while `check` reads it; returns what that tells, or None where nothing was stored.

    check  called in a thread with a function that takes the records of a block; returns (number of rows, what it tells)
           and raises `Otherwise` where the file has to go the common way
    Raises whatever else `check` raises.
    """
    handed_on, version = _HandedOn(), catalogue.current().version

    def checked():
        try:
            with transaction.atomic(), _no_long_wait():
                return check(handed_on.put)
        except BaseException:
            handed_on.take_back()
            raise
        finally:
            handed_on.end()
            connections.close_all()  # of this thread

    with ThreadPoolExecutor(1) as threads:
        checking = threads.submit(copy_context().run, checked)
        try:
            with transaction.atomic():
                with _no_long_wait():
                    stored = _store(file, handed_on)
                rows, findings = checking.result()
                if stored != rows or catalogue.current().version != version:  # each statement judged by what was then
                    raise Otherwise
                return findings
        except (Otherwise, DatabaseError, psycopg.Error):  # a COPY raises psycopg's own
            return None
        finally:
            handed_on.given_up.set()


@contextmanager
def _no_long_wait():
    """No lock is waited for longer than LOCK_MS, nor than was set: that is a DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(NO_LONG_WAIT, [LOCK_MS, str(LOCK_MS)])
        before = cursor.fetchone()[0]
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])


def _store(file, handed_on):
    """Insert what is handed on; returns how many rows there were."""
    stored = 0
    with connection.cursor() as cursor:
        staging.create_stage(cursor, file, derived=False)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # keys are looked up while their rows are at hand
        for records in handed_on.some():
            cursor.execute(f"TRUNCATE {staging.stage(file)}")
            with cursor.copy(staging.copy_sql(file)) as copy:
                copy.write(records)
            stored += statements.store_all(cursor, file)
    return stored


class _HandedOn:
    """Blocks of records on their way from the thread that reads to the one that stores."""

    def __init__(self):
        self.queue, self.given_up = Queue(AHEAD), Event()

    def put(self, records):
        """Hand on a block, or None as the end; raises `Otherwise` where nobody takes it any more."""
        while not self.given_up.is_set():
            try:
                self.queue.put(records, timeout=PAUSE)
            except Full:
                continue
            return
        raise Otherwise

    def take_back(self):
        """Nobody needs what waits: the one who stores comes to its end at once."""
        with suppress(Empty):
            while True:
                self.queue.get_nowait()

    def end(self):
        with suppress(Otherwise):
            self.put(None)

    def some(self):
        """The records of LEAST blocks, and up to MOST of those that were read while the ones before were stored.

        The first block goes alone: until then nothing is stored.
        """
        blocks, least = iter(self.queue.get, None), 1
        while some := [*islice(blocks, least)]:
            least = LEAST
            yield "".join([*some, *islice(blocks, min(self.queue.qsize(), MOST - LEAST))])
