"""Rows of a query on their way out: blocks of bytes as COPY writes them, or one compact frame of typed columns."""

import io

from django.db import connection

from sites.database.copying import blocks

BLOCK = 1 << 18


def csv_blocks(sql):
    """The rows as CSV without a header, in blocks of whole lines."""
    return _blocks(f"COPY ({sql}) TO STDOUT WITH (FORMAT csv)")


def json_blocks(sql, written):
    """The rows as one JSON object a line; `written` are their Outputs."""
    # row_to_json takes longer than all else that PostgreSQL does for a row, and this runs while that reads on.
    for part in _frames(sql, schema(written)):
        yield part.write_ndjson().encode()


def _blocks(statement):
    with connection.cursor() as cursor:
        # Without this the planner sorts a million rows before the first one leaves; the index has them nearly in order.
        cursor.execute("SET LOCAL enable_sort = off")
        yield from blocks(cursor, statement, BLOCK)


def schema(written):
    """Name to polars type of some Outputs: the smallest integers that hold the declared range."""
    import polars as pl

    kinds = {"number": pl.Float64, "date": pl.Date, "code": pl.String, "text": pl.String}
    return {variable.name: kinds.get(variable.kind) or _integer(pl, variable) for variable in written}


def _integer(pl, column):
    variable = column.variable
    low, high = variable.minimum, variable.maximum
    if column.choices:
        codes = [choice.code for choice in column.choices]
        low, high = min(codes), max(codes)
    small = low is not None and high is not None and low > -32_000 and high < 32_000
    return pl.Int16 if small else pl.Int32


def frame(sql, written, tick):
    """A polars DataFrame of the query's rows, read in blocks: never more text in memory than one block."""
    import polars as pl

    types = schema(written)
    enums = {
        variable.name: pl.Enum([choice.code for choice in variable.choices])
        for variable in written
        if variable.kind == "code"
    }
    parts, rows = [pl.DataFrame(schema=types)], 0
    for part in _frames(sql, types):
        parts.append(part.with_columns(pl.col(name).cast(kind) for name, kind in enums.items()))
        rows += part.height
        tick(rows)
    parts[0] = parts[0].with_columns(pl.col(name).cast(kind) for name, kind in enums.items())
    return pl.concat(parts, rechunk=True)


def _frames(sql, types):
    import polars as pl

    for block in csv_blocks(sql):
        yield pl.read_csv(io.BytesIO(block), has_header=False, schema=types)
