"""The utilities of a million assessments against CREATE TABLE AS SELECT of the same columns.

    bin/bench utilities [--assessments 1000000]

Prints both times and their ratio (limit 5); exit 1 above it.
"""

import argparse
import sys
import time

from bench.shared.scratch import registry_of

TIMES = 5
SHARE = 1.87  # assessments a patient that the scratch registry has


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--assessments", type=int, default=1_000_000)
    with registry_of(round(arguments.parse_args().assessments / SHARE)):
        copied, plain = timed_copy()
        computed, seconds = timed_computation()
        again, idle = timed_computation()
    ratio = seconds / plain
    print(f"CREATE TABLE AS     {plain:8.1f} s   {copied:,} assessments")
    print(f"compute_utilities   {seconds:8.1f} s   {computed:,} utilities")
    print(f"once more           {idle:8.1f} s   {again:,} changed")
    print(f"ratio               {ratio:8.1f}     limit {TIMES}")
    return 0 if ratio <= TIMES and again == 0 else 1


def timed_copy():
    """Rows and seconds of copying the columns that a utility consists of into a new table."""
    from django.db import connections

    from sites.tenancy.scope import current, everything, execute

    with everything(using="owner", reason="bench"), connections["owner"].cursor() as cursor:
        cursor.execute("BEGIN")
        execute(cursor, current())
        started = time.perf_counter()
        cursor.execute(
            "CREATE TABLE bench_copy AS SELECT site_id, id AS assessment_id, 'JP'::varchar(8) AS value_set, "
            "eq5d_state, eq5d_state::double precision AS hsuv FROM registry_assessment WHERE eq5d_state IS NOT NULL"
        )
        rows = cursor.rowcount
        cursor.execute("COMMIT")
        return rows, time.perf_counter() - started


def timed_computation():
    from django.db import transaction

    from registry.services import outcomes
    from sites.tenancy.scope import everything

    with everything(reason="bench"):
        started = time.perf_counter()
        with transaction.atomic():
            rows = outcomes.compute_utilities("JP")
        return rows, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
