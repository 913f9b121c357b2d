"""Every assessment out over HTTP, against psql's own COPY of the same table.

1 000 000 assessments. Limits: at least 0.5 times psql's rows a second, the first byte within a second, and less than
50 MB more memory in the web server.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving

ASSESSMENTS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 1_000_000
ROUNDS = 3


AS_EXPORTED = " -c enable_sort=off"  # what the export sets, so that the same query has the same plan


def by_psql(select, settings=""):
    """Seconds and rows of `psql` copying `select` to a pipe, as the application's role in the scope of every site."""
    from sites.models import Site

    ids = ",".join(map(str, Site.objects.values_list("pk", flat=True)))
    environment = os.environ | {"PGOPTIONS": f"-c app.read_sites={{{ids}}}{settings}"}
    command = ["psql", os.environ["DATABASE_URL"], "-qAtc", f"COPY ({select}) TO STDOUT WITH (FORMAT csv)"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        rows = sum(block.count(b"\n") for block in iter(lambda: process.stdout.read(1 << 16), b""))
    return time.perf_counter() - started, rows


def by_http(visitor):
    """Seconds, rows without the header, and seconds to the first byte, of the download of assessments.csv."""
    fields = urlencode({"what": "assessments", "csrfmiddlewaretoken": visitor.token})
    started = time.perf_counter()
    visitor.connection.request("POST", "/export/download/", fields, visitor.headers)
    response = visitor.connection.getresponse()
    assert response.status == 200, (response.status, response.read()[:300])
    rows = response.read(1).count(b"\n")
    first = time.perf_counter() - started
    rows += sum(block.count(b"\n") for block in iter(lambda: response.read(1 << 16), b""))
    return time.perf_counter() - started, rows - 1, first


def memory(process):
    """Megabytes held by the server's workers together: the most each ever had."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sum(_peak(child) for child in children) / 1024


def _peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main():
    if not shutil.which("psql"):
        sys.exit("needs psql")
    with registry_of(int(ASSESSMENTS / 1.87)):
        from registry.exports.data import tables
        from registry.services.files import file_formats
        from sites.models import Site

        sites = tuple(Site.objects.values_list("pk", flat=True))
        selection = tables.Selection(sites)
        with serving(workers=1) as (port, process):
            visitor = Visitor(port, person("statistician"))
            visitor.get("/export/")  # everything imported and connected
            before = memory(process)
            query = tables.select_sql(file_formats.ASSESSMENTS, selection)
            # In turns, so that a busy moment is nobody's alone.
            rounds = [
                (
                    by_psql("SELECT * FROM registry_assessment"),
                    by_psql(query),
                    by_psql(query, AS_EXPORTED),
                    by_http(visitor),
                )
                for _ in range(ROUNDS)
            ]
            psql, planned, same, http = (min(runs) for runs in zip(*rounds, strict=True))
            growth = memory(process) - before
        assert psql[1] == http[1], (psql, http)
        print(
            f"{psql[1]:,} assessments, {len(tables.header(file_formats.ASSESSMENTS, selection))} columns, "
            f"best of {ROUNDS}"
        )
        print(f"psql, the bare table         {psql[1] / psql[0]:10,.0f} rows a second")
        print(f"psql, the export's own query {same[1] / same[0]:10,.0f} rows a second, as the export has it planned")
        print(f"the same, planned otherwise  {planned[1] / planned[0]:10,.0f} rows a second")
        print(f"download of assessments.csv  {http[1] / http[0]:10,.0f} rows a second")
        print(f"ratio to the bare table      {psql[0] / http[0]:10.2f}   (limit: at least 0.50)")
        print(f"ratio to the same query      {same[0] / http[0]:10.2f}   (limit: at least 0.90)")
        print(f"first byte                   {http[2]:10.3f} s (limit: 1 s)")
        print(f"memory of the web server     {growth:10.1f} MB more (limit: 50 MB)")


if __name__ == "__main__":
    main()
