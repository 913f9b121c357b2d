"""What a format of an export writes, and two ways to do so: each table into a stream, or as a data frame."""

import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.exports.choices import Choices
from registry.exports.data import copy_rows


@dataclass(frozen=True)
class Part:
    """What a format writes: the tables of all sites together, or those of one.

    tables  (Dataset, Outputs, SQL) of each
    folder  of the files in the archive, with a slash at its end
    note    what every file says of itself; about: (what, value) pairs about the whole export
    tick    to be called with the number of rows written so far; it may raise, to stop
    """

    choices: Choices
    tables: list
    folder: str
    note: str
    about: list
    sites: dict
    tick: Callable

    def name_of(self, dataset):
        return f"{self.folder}{dataset.name}.{self.choices.kind.extension}"


def streams(archive, part, write):
    """Each table as a file. `write(stream, sql, outputs, tick)` returns the number of its rows."""
    return _each(part, lambda dataset, written, sql, tick: _stream(archive, part, write, dataset, written, sql, tick))


def _stream(archive, part, write, dataset, written, sql, tick):
    with archive.entry(part.name_of(dataset), table=dataset.name, columns=len(written)) as stream:
        count = write(stream, sql, written, tick)
    archive.files[-1]["rows"] = count
    return count


def frames(archive, part, write):
    """Each table as a file made of a data frame. `write(path, frame, outputs, language, note)` makes it."""
    return _each(part, lambda dataset, written, sql, tick: _frame(archive, part, write, dataset, written, sql, tick))


def _frame(archive, part, write, dataset, written, sql, tick):
    frame = copy_rows.frame(sql, written, tick)
    count = frame.height
    with temporary(part.choices.kind.extension) as path:
        write(path, frame, written, part.choices.language, part.note)
        del frame
        archive.add_file(part.name_of(dataset), path, table=dataset.name, columns=len(written), rows=count)
    return count


def _each(part, write):
    counts, before = {}, 0
    for dataset, written, sql in part.tables:
        counts[dataset.name] = write(dataset, written, sql, lambda rows, before=before: part.tick(before + rows))
        before += counts[dataset.name]
    return counts


@contextmanager
def temporary(extension):
    """The path of a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="metaspine-") as folder:
        yield Path(folder) / f"data.{extension}"
