"""CSV and JSON Lines: straight from COPY, in constant memory."""

import codecs
import csv
import io
from contextlib import closing

from registry.exports.data import copy_rows
from registry.exports.formats import files


def csv_files(archive, part):
    write = write_marked_csv if part.choices.marked else write_csv
    return files.streams(archive, part, write)


def jsonl_files(archive, part):
    return files.streams(archive, part, write_jsonl)


def header(written):
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(variable.name for variable in written)
    return line.getvalue().encode()


def write_csv(stream, sql, written, tick):
    """Write a header and the rows; returns the number of rows."""
    stream.write(header(written))
    return _poured(stream, copy_rows.csv_blocks(sql), tick)


def write_marked_csv(stream, sql, written, tick):
    """As `write_csv`, behind the byte order mark by which Excel knows that a text is UTF-8."""
    stream.write(codecs.BOM_UTF8)
    return write_csv(stream, sql, written, tick)


def write_jsonl(stream, sql, written, tick):
    """Write one object a line; returns the number of lines."""
    return _poured(stream, copy_rows.json_blocks(sql, written), tick)


def _poured(stream, blocks, tick):
    count = 0
    with closing(blocks):  # a COPY that is left halfway holds its connection until its generator is closed
        for block in blocks:
            stream.write(block)
            count += block.count(b"\n")
            tick(count)
    return count
