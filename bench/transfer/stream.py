"""Bulk reads of the API over HTTP, against the download of the same table as CSV; the client packages; the codebook.

1 000 000 assessments as NDJSON and as CSV: at least 0.3 times the rows a second of the download. A tenth of them by the
packages for Python and R: at least half as fast as fetching the same rows as CSV and reading them by polars or readr,
which gives columns without types, labels, orders. The codebook's PDF: less than 0.2 s.
"""

import io
import shutil
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving

ASSESSMENTS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 1_000_000
ROUNDS = 3
LIMIT, CLIENT_LIMIT, PDF_LIMIT = 0.3, 0.5, 0.2
CLIENTS = Path(__file__).resolve().parents[2] / "clients"
IN_R = """
arguments <- commandArgs(TRUE)
for (file in list.files(arguments[1], full.names = TRUE)) source(file)
here <- registry(arguments[2], arguments[3])
usual <- list(content = "items,totals,hsuv,changes", value_sets = "JP", site_code = arguments[4])
seconds <- function(what) { started <- proc.time()[["elapsed"]]; what; proc.time()[["elapsed"]] - started }
plain <- function() {
  file <- tempfile(fileext = ".csv")
  ask(here, "data/assessments", usual, "text/csv", to = file)
  nrow(readr::read_csv(file, show_col_types = FALSE, progress = FALSE))
}
for (round in 1:3) cat(seconds(plain()), seconds(assessments(here, labels = TRUE, site_code = arguments[4])), "\\n")
"""


def token_of(user):
    """A token of `user` that may export."""
    from django.utils import timezone

    from sites.people import tokens
    from sites.tenancy.access import access_of
    from sites.tenancy.scope import everything

    with everything(reason="bench"):
        until = timezone.now() + timedelta(days=1)
        return tokens.issue(access=access_of(user), user=user, name="bench", scopes=["export"], expires_at=until).text


def by_stream(port, token, kind):
    """Seconds and rows of `/api/v1/data/assessments` as ndjson or csv."""
    visitor = Visitor(port, token=token)
    started = time.perf_counter()
    visitor.connection.request("GET", f"/api/v1/data/assessments?format={kind}", headers=visitor.headers)
    response = visitor.connection.getresponse()
    assert response.status == 200, (response.status, response.read()[:300])
    rows = sum(block.count(b"\n") for block in iter(lambda: response.read(1 << 16), b""))
    seconds = time.perf_counter() - started
    visitor.close()
    return seconds, rows - (kind == "csv")


def main():
    with registry_of(int(ASSESSMENTS / 1.87)):
        from bench.transfer.export import by_http

        user = person("statistician")
        token = token_of(user)
        with serving(workers=1) as (port, _process):
            visitor = Visitor(port, user)
            visitor.get("/export/")  # everything imported and connected
            by_stream(port, token, "csv")
            taken = {"download": [], "ndjson": [], "csv": []}
            for _round in range(ROUNDS):  # in turns, so that a busy machine is busy for all
                taken["download"].append(by_http(visitor)[:2])
                for kind in ("ndjson", "csv"):
                    taken[kind].append(by_stream(port, token, kind))
            address, sites = f"http://127.0.0.1:{port}", a_tenth_of_sites()
            packages = {"Python": in_python(address, token, sites), "R": in_r(address, token, sites)}
        best = {kind: min(rounds) for kind, rounds in taken.items()}
        assert len({rows for _, rows in best.values()}) == 1, best
        print(f"{best['download'][1]:,} assessments, best of {ROUNDS}")
        for kind, (seconds, rows) in best.items():
            ratio = (
                f"   ratio {best['download'][0] / seconds:.2f} (limit: at least {LIMIT})" if kind != "download" else ""
            )
            print(f"{kind:10} {rows / seconds:10,.0f} rows a second{ratio}")
        for name, ways in packages.items():
            plain, packaged = map(min, zip(*ways, strict=True))
            print(
                f"package for {name:6} {packaged:6.2f} s, fetched and read as CSV {plain:6.2f} s"
                f"   ratio {plain / packaged:.2f} (limit: at least {CLIENT_LIMIT})"
            )
        print(f"codebook's PDF {seconds_of_pdf():.3f} s of processor time (limit: {PDF_LIMIT} s)")


def a_tenth_of_sites():
    """Codes of the sites that have a tenth of the patients, as `site_code` takes them."""
    from sites.models import Site

    codes = list(Site.objects.order_by("code").values_list("code", flat=True))
    return ",".join(codes[: max(1, round(len(codes) / 10))])


def in_python(address, token, sites):
    """[(seconds of fetching CSV and reading it, seconds of the package)]"""
    import polars as pl

    sys.path.insert(0, str(CLIENTS / "python" / "metaspine"))
    from metaspine import registry

    here, usual = (
        registry(address, token),
        {"content": "items,totals,hsuv,changes", "value_sets": "JP", "site_code": sites},
    )

    def plain():
        content = here.connection.get("data/assessments", usual, "text/csv")
        return pl.read_csv(io.BytesIO(content), infer_schema_length=None)

    ways = (plain, lambda: here.assessments(labels=True, site_code=sites))
    return [tuple(_seconds(way) for way in ways) for _ in range(ROUNDS)]


def in_r(address, token, sites):
    """The same in R, from one process."""
    command = [shutil.which("Rscript"), "-", str(CLIENTS / "r" / "metaspine" / "R"), address, token, sites]
    written = subprocess.run(command, input=IN_R, capture_output=True, text=True, check=True).stdout
    return [tuple(map(float, line.split())) for line in written.splitlines()]


def _seconds(act):
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def seconds_of_pdf():
    """Processor time of the codebook of everything that an export can have, once the font is loaded."""
    from registry.exports import codebook
    from registry.exports.choices import CONTENT, Choices

    choices, taken = Choices(content=tuple(choice.code for choice in CONTENT)), []
    for _round in range(6):
        started = time.process_time()
        codebook.as_pdf(choices, "Codebook", "A note")
        taken.append(time.process_time() - started)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    main()
