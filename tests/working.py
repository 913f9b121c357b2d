"""A Celery worker on the test database, to be watched and killed; ports; and waiting until something is so."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit, urlunsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, connections, transaction

from registry.exports import jobs

ROOT = Path(__file__).parents[1]


def export_path(export):
    """Where the file of an export lies, the shared store being a folder."""
    return settings.EXPORT_FOLDER / jobs.name_of(export)


def worker_environment(**more):
    name = connection.settings_dict["NAME"]
    environment = dict(os.environ) | more
    for variable in ("DATABASE_URL", "OWNER_DATABASE_URL"):
        environment[variable] = urlunsplit(urlsplit(environment[variable])._replace(path=f"/{name}"))
    return environment


@contextmanager
def a_worker(tmp_path, name="worker", **environment):
    """A Celery worker on the test database that is ready, in a process group of its own.

    environment  what it finds changed
    """
    with (tmp_path / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "registry", "worker", "-c", "1", "-l", "info", "-n", f"{name}@test"],
            cwd=ROOT,
            env=worker_environment(**environment),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            # It holds the database's guards against what is declared before it works, and waits for a locked table.
            until(lambda: b" ready." in Path(log.name).read_bytes() or process.poll() is not None)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


PATIENCE = (
    300  # seconds until a test gives up; what goes well takes a fraction, on a machine that is busy elsewhere too
)


def until(condition, seconds=PATIENCE, every=0.05):
    """What `condition` returns, once that is true. Raises AssertionError where it does not come true in time."""
    end = time.monotonic() + seconds
    while not (outcome := condition()):
        assert time.monotonic() < end, f"did not happen in {seconds} s"
        time.sleep(every)
    return outcome


def has_looked_whether_to_stop(job):
    """Wait for two signs of life of a row's worker: between them it has looked whether the job was cancelled by now."""
    for _ in range(2):
        row = type(job).objects.filter(pk=job.pk)
        (before,) = row.values_list("heartbeat_at", flat=True)
        until(row.exclude(heartbeat_at=before).exists)


_ports = itertools.count()


def free_port():
    """A port of this worker of pytest-xdist alone. Below 16 000 the system gives none to connections and to port 0,
    so that nobody takes it between here and the server that is told to listen there; and it is given only once.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 10_000 + worker % 8 * 700 + next(_ports) % 700
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


WAITING = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND %s IN (locktype, mode) AND pid IN (
        SELECT pid FROM pg_locks JOIN pg_database AS d ON d.oid = database WHERE datname = current_database()
    )
"""  # pg_stat_activity, which knows too where a session is, stays as it was when a transaction first read it


def waits(cursor, what):
    """Whether a session of this database waits for a lock; pg_locks lists those of every database.

    what  a type of lock (transactionid) or a mode (AccessExclusiveLock)
    """
    cursor.execute(WAITING, [what])
    return cursor.fetchone()[0] > 0


def every_earlier_transaction_ended():
    """Wait for all that is under way now, in other databases too: a watermark counts no row that is younger than it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())")
        (now,) = cursor.fetchone()

        def ended():
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", [str(now)])
            return cursor.fetchone()[0]

        until(ended, seconds=2 * PATIENCE)  # some tests are one transaction


@contextmanager
def locked(table):
    """Nobody reads the table meanwhile: a worker that needs it stays in the middle of what it does."""
    owner = connections["owner"]
    with transaction.atomic(using="owner"):
        with owner.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """The port of a running registry."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
        with connection.cursor() as cursor:
            # The thread's own session would keep the tables from being emptied.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
