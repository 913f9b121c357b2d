#!/usr/bin/env python
"""Django's command line. `bin/manage` runs it with the embedded services."""

import gc
import os
import sys


def main():
    gc.set_threshold(500_000, 20, 20)  # nothing that is imported is garbage: looking for it takes a tenth of the start
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
    from django.core.management import execute_from_command_line
    from django.db import ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        if not is_behind():
            raise
        print(f"The database is not up to date ({str(error).splitlines()[0]}): run migrate first.", file=sys.stderr)
        sys.exit(2)
    finally:
        gc.freeze()  # nor is it worth looking for garbage in what ends with the process


def is_behind():
    """Whether migrations wait to be applied."""
    from django.db import ProgrammingError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
    except ProgrammingError:  # before the first `migrate` has ended, the application's role may not even ask
        return False
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


if __name__ == "__main__":
    main()
