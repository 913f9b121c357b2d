"""The whole registry as Parquet and as SPSS file, against psql's COPY of the same rows.

1 000 000 assessments and their patients, with totals and HSUV. Limit: less than 1 GB of memory.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.scratch import registry_of

PROJECT = Path(__file__).resolve().parents[2]
ASSESSMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
LIMIT = 1000  # MB
EXPORT = """
import resource, sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "export_data", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def by_command(path, *options):
    """Seconds, megabytes at the most, and rows of assessments of an export by the command, in a process of its own."""
    command = [sys.executable, "-c", EXPORT, str(path), *options]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    seconds = time.perf_counter() - started
    line = next(line for line in done.stdout.splitlines() if "assessments:" in line)
    return seconds, int(done.stdout.split()[-1]), int(line.split()[1])


def by_psql():
    """Seconds of psql copying the bare tables to nothing, as the application's role in the scope of every site."""
    from sites.models import Site

    ids = ",".join(map(str, Site.objects.values_list("pk", flat=True)))
    environment = os.environ | {"PGOPTIONS": f"-c app.read_sites={{{ids}}}"}
    copies = [f"COPY (SELECT * FROM {table}) TO STDOUT" for table in ("registry_patient", "registry_assessment")]
    started = time.perf_counter()
    command = ["psql", os.environ["DATABASE_URL"], "-qAtX"]
    subprocess.run(command, input=";\n".join(copies), text=True, stdout=subprocess.DEVNULL, env=environment, check=True)
    return time.perf_counter() - started


def main():
    with registry_of(int(ASSESSMENTS / 1.87)), tempfile.TemporaryDirectory() as folder:
        peer = by_psql()
        print(f"{'psql, both tables as text':34}{peer:7.1f} s")
        for format in ("csv", "parquet", "sav"):
            options = ("--format", format, "--content", "items", "totals", "hsuv")
            if format == "sav":
                options += ("--missing", "tagged")
            seconds, megabytes, rows = by_command(Path(folder) / f"{format}.zip", *options)
            print(
                f"{format + f', {rows:,} assessments':34}{seconds:7.1f} s {seconds / peer:6.1f} times psql "
                f"{megabytes:6,} MB (limit: {LIMIT:,} MB)"
            )
            if megabytes > LIMIT:
                sys.exit(f"{format} takes more than {LIMIT:,} MB")


if __name__ == "__main__":
    main()
