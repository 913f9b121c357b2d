"""One table of an export as a stream: the rows and columns that the file would have, read while they are sent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection

from registry.exports.choices import InvalidChoices
from registry.exports.data import copy_rows
from registry.exports.data.datasets import count_sql, outputs, select_sql
from registry.exports.formats import files, frames, text
from registry.instruments.base import Label
from sites.database.copying import one_moment
from sites.tenancy.scope import current, entered

BLOCK = 1 << 18


@dataclass(frozen=True)
class Table:
    """What a stream has: a Dataset of a Selected, its Outputs, and ids of sites."""

    dataset: object
    written: tuple
    sites: tuple[int, ...]

    @property
    def sql(self):
        return select_sql(self.dataset, self.written, self.sites)

    def count(self):
        """How many rows it has."""
        with connection.cursor() as cursor:
            cursor.execute(count_sql(self.dataset, self.sites))
            return cursor.fetchone()[0]


def table_of(chosen, name, fields=(), site_codes=()):
    """The Table `name` of a Selected, with only these columns and sites where any are named.

    KeyError where there is no such table; InvalidChoices names a column that it does not have.
    """
    dataset = {dataset.name: dataset for dataset in chosen.datasets}[name]
    written = {column.name: column for column in outputs(dataset, chosen.choices)}
    if unknown := [field for field in fields if field not in written]:
        raise InvalidChoices(
            "fields",
            Label("“{one}” is no column of {table}", "「{one}」は{table}の列ではありません").format(
                one=unknown[0][:80], table=name
            ),
        )
    columns = tuple(written[field] for field in fields) if fields else tuple(written.values())
    sites = tuple(pk for pk, code in chosen.sites.items() if not site_codes or code in site_codes)
    return Table(dataset, columns, sites)


def blocks(table, choices, note=""):
    """The table as bytes in the format of the Choices (csv, jsonl or parquet), within the caller's transaction."""
    return WRITERS[choices.format](table, choices.language, note)


def _csv(table, language, note):
    yield text.header(table.written)
    yield from copy_rows.csv_blocks(table.sql)


def _jsonl(table, language, note):
    return copy_rows.json_blocks(table.sql, table.written)


def _parquet(table, language, note):
    """A Parquet file ends with what it holds: it is written whole, outside of memory, before its first byte leaves."""
    frame = copy_rows.frame(table.sql, table.written, lambda rows: None)
    with files.temporary("parquet") as path:
        frames.write_parquet(path, frame, table.written, language, note)
        del frame
        with path.open("rb") as content:
            while block := content.read(BLOCK):
                yield block


WRITERS = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


def streamed(blocks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """The blocks, read when the response is sent: then the request's transaction is over, so this opens its own."""
    scope = current()

    def stream():
        with entered(scope), one_moment():
            yield from blocks()

    return stream()
