"""Pipeline of a large file of new rows: they are stored while the rest of it is still read and checked.

A thread reads the file, checks it as any other on a connection of its own, and hands on each block of records; this
connection stores them in the import's transaction. So PostgreSQL inserts on one core what is read on another. It is a
bet on rows that are all new and without fault: whatever else shows, what was stored is taken back to a savepoint.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from itertools import islice
from pathlib import Path
from queue import Full, Queue
from threading import Event

from django.db import DatabaseError, connection, connections, transaction

from registry.imports.checking import staging
from registry.imports.storing import statements
from registry.services.files import file_formats

MANY = 20_000  # rows; of fewer a second connection saves nothing
MANY_BYTES = 50 * MANY
LEAST, MOST = 10, 50  # blocks of a thousand rows in a statement: each looks for the patients, and keeps what it adds
AHEAD = 200  # blocks that may wait, so that the checks of the whole set begin long before the last is stored
PAUSE = 0.2  # seconds between looks whether the other side has given up


class Otherwise(Exception):
    """Not all rows are new and without fault."""


def fits(files, given):
    """Whether an import is of assessments alone, and of many.

    given  name of a file to its Path or `reading.Rows`
    """
    if list(files) != [file_formats.ASSESSMENTS]:
        return False
    table = given[file_formats.ASSESSMENTS.name]
    return table.stat().st_size >= MANY_BYTES if isinstance(table, Path) else len(table.rows) >= MANY


def store_while_read(file, check):
    """Store the rows of `file` while `check` reads it; returns what that tells, or None where nothing was stored.

    check  called in a thread with a function that takes the records of a block; returns (number of rows, what it tells)
           and raises `Otherwise` where the file has to go the common way
    """
    handed_on = _HandedOn()

    def checked():
        try:
            with transaction.atomic():
                return check(handed_on.put)
        finally:
            handed_on.end()
            connections.close_all()  # of this thread

    with ThreadPoolExecutor(1) as threads:
        checking = threads.submit(copy_context().run, checked)
        try:
            with transaction.atomic():
                stored = _store(file, handed_on)
                rows, told = checking.result()
                if stored != rows:
                    raise Otherwise
                return told
        except (Otherwise, DatabaseError):
            return None
        finally:
            handed_on.given_up.set()


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

    def end(self):
        with suppress(Otherwise):
            self.put(None)

    def some(self):
        """The records of LEAST blocks, and up to MOST of those that were read while the ones before were stored."""
        blocks = iter(self.queue.get, None)
        while some := [*islice(blocks, LEAST)]:
            yield "".join([*some, *islice(blocks, min(self.queue.qsize(), MOST - LEAST))])
