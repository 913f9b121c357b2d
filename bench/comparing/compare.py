"""The segment comparison of a million patients against one GROUP BY scan of the same columns.

    bin/bench compare [--patients 1000000]

Prints both times, their ratio (limit 5) and the peak memory of the comparison (limit 300 MB); exit 1 above a limit.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.scratch import registry_of

ROOT = Path(__file__).parents[2]
TIMES, MEGABYTES = 5, 300


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--patients", type=int, default=1_000_000)
    count = arguments.parse_args().patients
    with registry_of(count):
        scan = timed_scan()
        seconds, peak, compared = timed_comparison()
    ratio = seconds / scan
    print(f"one GROUP BY scan   {scan:8.1f} s")
    print(f"compare_segments    {seconds:8.1f} s   {compared:,} of {count:,} patients compared")
    print(f"ratio               {ratio:8.1f}     limit {TIMES}")
    print(f"peak memory         {peak:8.0f} MB  limit {MEGABYTES} MB")
    return 0 if ratio <= TIMES and peak < MEGABYTES else 1


def timed_scan():
    """Seconds of a GROUP BY over the very columns that the comparison reads, the better of two runs."""
    from django.db import connection, transaction

    from registry.analysis.data import frame
    from sites.tenancy.scope import everything

    joins, columns = [], []
    for place, code in enumerate(("preop", "1m")):
        name = f"a{place}"
        condition = f"{name}.patient_id = p.patient_id AND {name}.timepoint_id = '{code}'"
        joins.append(f"LEFT JOIN registry_assessment AS {name} ON {condition}")
        columns += [column.select.replace("a.", f"{name}.") for column in frame.ASSESSMENT_COLUMNS]
    names = ", ".join(f"c{place}" for place in range(len(frame.PATIENT_COLUMNS) + len(columns)))
    sql = f"""
        SELECT count(*) FROM (
            SELECT {names}, count(*) FROM (
                SELECT {", ".join([column.select for column in frame.PATIENT_COLUMNS] + columns)}
                FROM registry_patient AS p {" ".join(joins)}
            ) AS rows ({names}) GROUP BY {names}
        ) AS grouped
    """
    times = []
    for _ in range(2):
        with everything(reason="bench"), transaction.atomic(), connection.cursor() as cursor:
            started = time.perf_counter()
            cursor.execute(sql)
            cursor.fetchall()
            times.append(time.perf_counter() - started)
    return min(times)


def timed_comparison():
    """Seconds and peak megabytes of `manage.py compare_segments` as a process of its own, and how many it compared."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "result.json"
        command = [sys.executable, "manage.py", "compare_segments", "--output", str(output)]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=os.environ, check=True)
        seconds = time.perf_counter() - started
        compared = json.loads(output.read_bytes())["cohort"]["n"]
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, compared


if __name__ == "__main__":
    sys.exit(main())
