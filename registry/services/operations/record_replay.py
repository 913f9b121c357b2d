"""Replay of the audit trail: what each record must hold by its events, compared with what it holds.

Triggers record every change, so a cell that differs was changed past them: by the database's owner with triggers off,
for instance. Rows are compared in the database, in sets that spill to its disk; cells only of those that differ.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connection

from sites.database.copying import one_moment
from sites.tenancy.scope import everything

TRAIL = "study_sites_auditevent"
OF_THE_PROTOCOL = ("registry_timepoint", "registry_scheduleversion", "registry_scheduledvisit")
AT_ONCE = 1000  # differing rows that are read at a time

# Arguments of audit triggers: key, column with the site, columns left out (registry/guards/sql/audit.sql).
AUDITED = """
SELECT c.relname, string_to_array(encode(t.tgargs, 'escape'), '\\000')
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE t.tgname = 'audit_update' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
COLUMNS = """
SELECT a.attname, a.attgenerated <> '' FROM pg_attribute AS a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
# The last event of each row, how many it has, and the last that deleted it.
HISTORY = f"""
CREATE TEMPORARY TABLE replay_history ON COMMIT DROP AS
SELECT row_id, max(id) AS last, count(*) AS events, coalesce(max(id) FILTER (WHERE action = 'delete'), 0) AS gone
FROM {TRAIL} WHERE table_name = %s AND action IN ('insert', 'update', 'delete') GROUP BY row_id;
"""
LAID_OVER = (
    "CREATE OR REPLACE AGGREGATE pg_temp.laid_over (jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}')"
)
# What an event says of its row; those of many rows at once hold it as text.
TOLD = "CASE jsonb_typeof(e.new) WHEN 'string' THEN (e.new #>> '{}')::jsonb ELSE e.new END"


@dataclass(frozen=True)
class Table:
    """One audited table.

    columns   names of the columns whose values the trail has
    hidden    names of the others: left out of the trail, or generated from columns
    defaults  column to what rows from before the column have in it, as JSON text
    """

    name: str
    key: str
    columns: frozenset
    hidden: tuple
    defaults: dict


@dataclass(frozen=True)
class Unexplained:
    """A row, or a cell of it, that no event explains.

    what  "cell" (another value than by the last event), "row" (no event tells of it) or "gone" (none removed it)
    at    moment of the last event about the row
    """

    table: str
    row: str
    what: str
    column: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        where = f"{self.table} {self.row}"
        if self.what == "row":
            return f"{where}: no event tells of this row"
        if self.what == "gone":
            return f"{where}: the row is not there, and no event removed it"
        return f"{where}, {self.column}: is not what the trail says since {self.at:%Y-%m-%d %H:%M:%S} UTC"


def verify() -> Any:
    """Compare every record with its events; yields (table name, rows, iterator of Unexplained) for each table.

    One state of the database, whatever is saved meanwhile. Each iterator ends with the next table.
    """
    with everything(reason="verify_records", in_error=True), one_moment():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '64MB'")
            cursor.execute(LAID_OVER)
            audited = _tables(cursor)
        for table in audited:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS pg_temp.replay_history")
                cursor.execute(HISTORY, [table.name])
                cursor.execute("ANALYZE pg_temp.replay_history")
                cursor.execute(f"SELECT count(*) FROM {table.name}")
                (rows,) = cursor.fetchone()
            cells = _unexplained(table)
            yield table.name, rows, cells
            cells.close()  # whoever has seen enough


def _tables(cursor: Any) -> list:
    cursor.execute(AUDITED)
    tables = []
    for name, (key, _site, *left_out) in cursor.fetchall():
        cursor.execute(COLUMNS, [name])
        columns = cursor.fetchall()
        left_out = {column.lstrip("*") for column in left_out}
        hidden = {column for column, generated in columns if generated} | left_out
        tables.append(
            Table(
                name, key, frozenset(column for column, _ in columns) - hidden, tuple(sorted(hidden)), _defaults(name)
            )
        )
    return tables


def _defaults(table: Any) -> dict:
    """Column to the plain default (text, number, truth, empty list) that a migration gave rows from before the column.

    What a row was inserted with is in its event, all but nulls: the default speaks only where no event does.
    """
    model = next((model for model in apps.get_models(include_auto_created=True) if model._meta.db_table == table), None)
    defaults = {}
    for field in model._meta.local_concrete_fields if model else ():
        if not field.null and (field.default in (list, dict) or isinstance(field.default, (str, int, float))):
            defaults[field.column] = json.dumps(field.default() if callable(field.default) else field.default)
        elif not field.null and field.blank and field.empty_strings_allowed and not field.has_default():
            defaults[field.column] = '""'  # what Django gives such a column
    return defaults


def _unexplained(table: Any) -> Any:
    row = f"r.{table.key}::text"
    # The schedule of the protocol came with the tables, before there was a trail.
    without_events = "false" if table.name in OF_THE_PROTOCOL else "true"
    yield from (
        Unexplained(table.name, row_id, "row")
        for (row_id,) in _read(
            f"""
        SELECT {row} FROM {table.name} AS r
        WHERE {without_events} AND NOT EXISTS (
            SELECT FROM replay_history AS h WHERE h.row_id = {row} AND h.last > h.gone) ORDER BY 1""",
        )
    )
    yield from (
        Unexplained(table.name, row_id, "gone")
        for (row_id,) in _read(
            f"""
        SELECT h.row_id FROM replay_history AS h
        WHERE h.last > h.gone AND NOT EXISTS (SELECT FROM {table.name} AS r WHERE {row} = h.row_id) ORDER BY 1""",
        )
    )
    for row_id, at, stored, holds in _read(_differing(table), {"table": table.name, "hidden": list(table.hidden)}):
        for column in _differing_cells(table, json.loads(stored), json.loads(holds)):
            yield Unexplained(table.name, row_id, "cell", column, at)


def _differing(table: Any) -> str:
    """SQL of the rows that are not what their events say. Most rows have one event, which is compared as it is."""
    pairs = [f"{json.dumps(column)}: {default}" for column, default in sorted(table.defaults.items())]
    before = "'{" + ", ".join(pairs).replace("'", "''") + "}'::jsonb"
    return f"""
        WITH told AS (
            SELECT h.row_id, e.at, {TOLD} AS told FROM replay_history AS h JOIN {TRAIL} AS e ON e.id = h.last
            WHERE h.events = 1 AND e.action = 'insert'
            UNION ALL
            SELECT h.row_id, max(e.at), pg_temp.laid_over({TOLD} ORDER BY e.id)
            FROM replay_history AS h JOIN {TRAIL} AS e
                ON e.table_name = %(table)s AND e.row_id = h.row_id AND e.id > h.gone
            WHERE h.events > 1 AND h.last > h.gone AND e.action IN ('insert', 'update') GROUP BY h.row_id
        )
        SELECT row_id, at, told::text, holds::text
        FROM (
            SELECT t.row_id, t.at, jsonb_strip_nulls({before} || t.told) - %(hidden)s::text[] AS told,
                   jsonb_strip_nulls(to_jsonb(r)) - %(hidden)s::text[] AS holds
            FROM told AS t JOIN {table.name} AS r ON r.{table.key}::text = t.row_id OFFSET 0
        ) AS compared
        WHERE told <> holds ORDER BY row_id
    """


def _differing_cells(table: Any, stored: Any, holds: Any) -> list:
    """Columns in which a row is not what its events say. A column that is no more is nobody's concern."""
    return sorted(column for column in table.columns if stored.get(column) != holds.get(column))


def _read(sql: str, params: Any = None) -> Iterator[Any]:
    """Rows of a query, a thousand at a time, through a cursor of the server."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(AT_ONCE):
            yield from rows
