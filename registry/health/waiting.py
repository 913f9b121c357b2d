"""Start order: run a command once what it needs is there: `python -m registry.health.waiting tables -- celery …`.

database  the database of DATABASE_URL (OWNER_DATABASE_URL, where there is one) takes a connection
tables    and has every migration that this version of the product knows

For containers and services whose launcher knows no conditions. Exit status 3 where it did not come in time.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import psycopg

PROJECT = Path(__file__).parents[2]
APPS = {"registry": "registry", "study_sites": "sites"}  # Django's label, and the folder
PATIENCE = 300  # seconds; a long migration holds up its successors, so the launcher tries again after that
PAUSE = 0.5
MIGRATING = 730_118_201_404  # the advisory lock of a `migrate` under way, the guards that it puts in place included


def main(arguments):
    options = parse(arguments)
    url = address("OWNER_DATABASE_URL" if options.need == "database" else "DATABASE_URL") or address("DATABASE_URL")
    deadline = time.monotonic() + options.seconds
    message = None
    while lacking := LACKING[options.need](url):
        if time.monotonic() > deadline:
            print(f"Not there after {options.seconds} s: {lacking}", file=sys.stderr)
            return 3
        if lacking != message:
            print(f"Waiting: {lacking}", file=sys.stderr, flush=True)
            message = lacking
        time.sleep(PAUSE)
    if options.command:
        os.execvp(options.command[0], options.command)  # noqa: S606 - the rest of our own command line
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog="registry.health.waiting", description=__doc__.splitlines()[0])
    parser.add_argument("need", choices=LACKING)
    parser.add_argument("--seconds", type=int, default=PATIENCE)
    parser.add_argument("command", nargs="*", help="what is run then, after --")
    return parser.parse_args(arguments)


def address(name):
    """A database's address from the environment, or from the file that `<name>_FILE` names; as registry/settings.py."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name, "")


def without_database(url):
    """Why the database takes no connection, in a line; empty where it does."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        return f"the database does not answer ({first_line(error)})"
    return ""


def without_tables(url):
    """What migrations the database lacks, in a line; empty where it has all that are in this folder."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            if not connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()[0]:
                return "the database has no tables yet: migrate has not run"
            if not connection.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [MIGRATING]).fetchone()[0]:
                return "migrate is at work"
            applied = set(connection.execute("SELECT app, name FROM django_migrations"))
    except psycopg.Error as error:
        return f"the database does not answer ({first_line(error)})"
    lacking = sorted(known() - applied)
    return f"{len(lacking)} migrations are not applied, the first is {'.'.join(lacking[0])}" if lacking else ""


def known():
    """The product's migrations, by file: {(label of the app, name)}."""
    return {
        (label, path.stem)
        for label, folder in APPS.items()
        for path in (PROJECT / folder / "migrations").glob("[0-9]*.py")
    }


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


LACKING = {"database": without_database, "tables": without_tables}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
