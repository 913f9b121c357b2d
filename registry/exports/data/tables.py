"""The rows of one file as COPY writes them: SQL from the declarations, constant memory, always the same order.

Identifiers leave only where they are asked for, and then only for the sites whose identifiers the scope may read: a
birth date is decrypted here, row by row. Without them `age_at_surgery` stands in its place, and free text is left out.
"""

import csv
import io
from dataclasses import dataclass

from django.db import connection

from registry.instruments import levels
from registry.instruments.timepoints import SCHEDULE
from registry.services.files import file_formats
from registry.services.files.data_use import WITHDRAWN
from registry.services.files.file_formats import column_of
from registry.services.records.identity import opened
from sites.database import copying

BLOCK = 1 << 16
AGE = "age_at_surgery"
SEALED = "sealed"  # a column in front of the others that never reaches the file


@dataclass(frozen=True)
class Selection:
    """Which rows, and whether with identifiers. `sites` are ids."""

    sites: tuple[int, ...]
    identified: bool = False


def header(file, selection):
    """The names of the columns, in order: items as declared, then reasons for missing values."""
    return [name for name, _ in _columns(file, selection)]


def _columns(file, selection):
    """(name, SQL) of each column; the birth date's is empty, to be filled in by Python."""
    columns = []
    for item in file.items:
        if item.name == "birth_date" and not selection.identified:
            columns.append((AGE, f"t.{AGE}"))
        elif selection.identified or not item.identifying:
            columns.append((item.name, _value(item)))
    shown = {name for name, _ in columns}
    for reason in file.reasons:
        name = reason.name.removesuffix(file_formats.MISSING_SUFFIX)
        if name in shown:
            columns.append((reason.name, f"t.missing ->> '{name}'"))
    return columns


def _value(item):
    column = f"t.{column_of(item.name)}"
    if item.name == "site_code":
        return "site.code"
    if item.name == "birth_date":
        return "NULL"
    if item.kind == "levels":
        names = (f"CASE WHEN {column} & {levels.mask([level])} > 0 THEN '{level}' END" for level in levels.LEVELS)
        return f"nullif(array_to_string(ARRAY[{', '.join(names)}], ';'), '')"
    if item.kind == "time":
        return f"to_char({column}, 'HH24:MI')"
    if item.kind == "text":
        return file_formats.guarded_sql(column)
    return column


# What names a row orders the rows; timepoints stand in the order of the protocol, and after them any others, `u2`
# before `u10`.
_VISITS = ", ".join(f"'{visit.code}'" for visit in SCHEDULE)
ORDER = {
    "timepoint": f"array_position(ARRAY[{_VISITS}]::varchar[], t.timepoint_id), length(t.timepoint_id), t.timepoint_id"
}


def select_sql(file, selection):
    """The query behind a file, the birth date left empty."""
    return _select(file, selection, _columns(file, selection))


def _select(file, selection, columns, limit=None):
    joins = []
    if "site_code" in file.columns:
        joins.append("JOIN study_sites_site AS site ON site.id = t.site_id")
    if any(name == SEALED for name, _ in columns):
        joins.append("LEFT JOIN registry_identity AS i ON i.patient_id = t.patient_id")
    order = ", ".join(ORDER.get(name, f"t.{column_of(name)}") for name in file.key)
    return (
        f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns)} FROM {file.table} AS t {' '.join(joins)} "
        f"WHERE {_wanted(selection)} ORDER BY {order}" + (f" LIMIT {int(limit)}" if limit else "")
    )


def _wanted(selection):
    """The condition on a file's rows. Without identifiers they are for analysis, so data that must not be used stay
    out; with them they are a site's own record, which is whole."""
    mine = f"t.site_id = ANY ({_array(selection.sites)})"
    return mine if selection.identified else f"{mine} AND NOT EXISTS ({_LEFT_OUT})"


_LEFT_OUT = f"SELECT FROM ({WITHDRAWN}) AS w WHERE w.patient_id = t.patient_id"


def left_out(selection):
    """How many patients of these sites are not in the files, because their data must no longer be used."""
    if selection.identified:
        return 0
    with connection.cursor() as cursor:
        mine = f"t.site_id = ANY ({_array(selection.sites)})"
        cursor.execute(f"SELECT count(*) FROM {file_formats.PATIENTS.table} AS t WHERE {mine} AND EXISTS ({_LEFT_OUT})")
        return cursor.fetchone()[0]


def _array(ids):
    return f"'{{{','.join(str(int(number)) for number in ids)}}}'::bigint[]"


def blocks(file, selection, *, limit=None):
    """The file as blocks of bytes, header first, within the caller's transaction and scope."""
    columns = _columns(file, selection)
    with connection.cursor() as cursor:
        # Without this the planner sorts a million rows before the first one leaves; the index has them nearly in order.
        cursor.execute("SET LOCAL enable_sort = off")
        yield _line(header(file, selection))
        if selection.identified and "birth_date" in file.columns:
            yield from _with_birth_dates(cursor, file, selection, columns, limit)
        else:
            yield from _copied(cursor, _select(file, selection, columns, limit))


def _line(cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _copied(cursor, select):
    return copying.blocks(cursor, f"COPY ({select}) TO STDOUT WITH (FORMAT csv)", BLOCK)


def _with_birth_dates(cursor, file, selection, columns, limit):
    """Blocks of patients.csv; the ciphertexts come in a column of their own, in front of the others."""
    sealed = (SEALED, "encode(i.key, 'hex') || ':' || encode(i.birth_date, 'hex')")
    patient_at, born_at = (file.columns.index(name) for name in ("patient_id", "birth_date"))
    rows = _rows(_copied(cursor, _select(file, selection, [sealed, *columns], limit)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for ciphertexts, *cells in rows:
        if ciphertexts:
            key, birth_date = map(bytes.fromhex, ciphertexts.split(":"))
            cells[born_at] = opened(cells[patient_at], key, {"birth_date": birth_date})["birth_date"].isoformat()
        writer.writerow(cells)
        if text.tell() > BLOCK:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _rows(stream):
    """The rows of a stream of CSV blocks, each of whole lines."""
    for block in stream:
        yield from csv.reader(io.StringIO(block.decode(), newline=""))


def preview(file, selection, rows):
    """(header, first rows) of a file, as lists of text."""
    text = b"".join(blocks(file, selection, limit=rows)).decode()
    first, *rest = csv.reader(io.StringIO(text, newline=""))
    return first, rest


def count(file, selection):
    """How many rows the file has."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {file.table} AS t WHERE {_wanted(selection)}")
        return cursor.fetchone()[0]
