"""The tables of docs/performance.md that benchmarks write themselves, between two comments that name the benchmark."""

import datetime as dt
import os
import platform
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def markdown(header, rows):
    """A table in Markdown of texts; columns after the first are aligned to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(name, table, document=DOCUMENT):
    """Replace a benchmark's table in the document, with day and machine. ValueError where it has no place there."""
    begin, end = f"<!-- bench {name} -->", f"<!-- end of bench {name} -->"
    text = document.read_text(encoding="utf-8")
    before, found_begin, rest = text.partition(begin)
    _old, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{document} has no lines {begin} and {end}")
    of = f"{dt.date.today():%d %B %Y}, {os.cpu_count()} cores, Python {platform.python_version()}".lstrip("0")
    document.write_text(f"{before}{begin}\n\n{of}:\n\n{table}\n\n{end}{after}", encoding="utf-8")
