"""The difference view: which rows an import would add, change or leave, in pages that a person can turn.

Pages are made during the dry run, while the stage is there, and kept sealed with the import.
"""

import json

from registry.imports.checking.comparing import NOTHING, differences_of, same_key, shown_value, touched
from registry.imports.checking.staging import HIDDEN, stage
from registry.services.files import file_formats
from registry.services.files.file_formats import column_of

KINDS = ("changed", "new", "unchanged")
PAGE = 50
MOST = 10_000  # rows of each kind and file; the counts say how many there are
NEW_CELLS = 12  # of a new row


def pages(cursor, file, row_of):
    """{kind: [page, …]} of one file; a page is a list of {row, key, cells: [[column, old, new], …]}.

    row_of  line of the registry's file → row of what was uploaded
    """
    return {kind: _paged(_ROWS[kind](cursor, file, row_of)) for kind in KINDS}


def _paged(rows):
    rows = list(rows)
    return [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]


def _key(file, alias):
    return f"concat_ws(' · ', {', '.join(f'{alias}.{column_of(name)}' for name in file.key)})"


def _changed(cursor, file, row_of):
    names = [item.name for item in file.stored if item.name not in file.key]
    columns = [f"{alias}.{column_of(name)}" for name in names for alias in ("s", "t")]
    cursor.execute(
        f"""
        SELECT {_key(file, "s")}, c.line, c.birth_differs, c.missing::text, {file.missing_of("t")}::text,
               {", ".join(columns)}
        FROM {touched(file)} AS c JOIN {stage(file)} AS s USING (line)
        JOIN {file.table} AS t ON {same_key(file, "s", "t")}
        WHERE NOT c.is_new ORDER BY c.line LIMIT {MOST}
        """
    )
    for key, line, *row in cursor.fetchall():
        cells = [list(cell) for cell in differences_of(file, names, *row)]
        yield {"row": row_of(line), "key": key, "cells": cells}


def _new(cursor, file, row_of):
    items = [item for item in file.stored if item.name not in file.key]
    columns = ", ".join(f"s.{column_of(item.name)}" for item in items)
    place = "s.site_code" if file == file_formats.PATIENTS else "NULL"
    cursor.execute(
        f"SELECT {_key(file, 's')}, c.line, {place}, {columns} FROM {touched(file)} AS c "
        f"JOIN {stage(file)} AS s USING (line) WHERE c.is_new ORDER BY c.line LIMIT {MOST}"
    )
    for key, line, site, *values in cursor.fetchall():
        given = [(item, value) for item, value in zip(items, values, strict=True) if value is not None]
        cells = [["site_code", NOTHING, site]] if site else []
        cells += [
            [item.name, NOTHING, HIDDEN if item.identifying else shown_value(item, value)]
            for item, value in given[:NEW_CELLS]
        ]
        yield {"row": row_of(line), "key": key, "cells": cells, "more": max(0, len(given) - NEW_CELLS)}


def _unchanged(cursor, file, row_of):
    cursor.execute(
        f"SELECT {_key(file, 's')}, s.line FROM {stage(file)} AS s "
        f"WHERE NOT EXISTS (SELECT FROM {touched(file)} AS c WHERE c.line = s.line) ORDER BY s.line LIMIT {MOST}"
    )
    for key, line in cursor.fetchall():
        yield {"row": row_of(line), "key": key, "cells": []}


_ROWS = {"changed": _changed, "new": _new, "unchanged": _unchanged}


def dumped(page):
    return json.dumps(page, ensure_ascii=False).encode()


def loaded(content):
    return json.loads(content) if content else []
