"""Rows of wide tables by plain SQL: the ORM takes longer to compose a statement of forty columns than PostgreSQL to
run it. What is read are instances of the model, as with the ORM.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import JSONField, Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

STATEMENTS = 1024  # that are kept: a correction has one for each set of columns that change


@dataclass(frozen=True, eq=False)
class Rows:
    """The columns of a model's table for a statement of one's own: `sql` for SELECT and RETURNING, in this order.

    There is one for the fields that a model has at a time: statements are kept by it, not by forty fields.
    """

    model: type[Model]
    fields: tuple

    @cached_property
    def sql(self) -> Any:
        return ", ".join(field.column for field in self.fields)

    @lru_cache(maxsize=256)  # noqa: B019 there are few, and they stay
    def of(self, alias: Any) -> str:
        """The same of a table that a statement calls by another name."""
        return ", ".join(f"{alias}.{field.column}" for field in self.fields)

    @lru_cache(maxsize=STATEMENTS)  # noqa: B019 as above
    def without(self, names: Any) -> "Rows":
        """What a statement that writes the fields `names` (a tuple) has to tell: the other columns, and those that the
        database may write otherwise, the model's `SET_BY_TRIGGERS`."""
        set_there = getattr(self.model, "SET_BY_TRIGGERS", ())
        fields = (field for field in self.fields if field.attname not in names or field.attname in set_there)
        return Rows(self.model, tuple(fields))

    @lru_cache(maxsize=64)  # noqa: B019 as above
    def only(self, names: tuple[str, ...]) -> "Columns":
        """Some of the fields, for what only shows them."""
        fields = {field.attname: field for field in self.fields}
        return Columns(Rows(self.model, tuple(fields[name] for name in dict.fromkeys(names))))

    @cached_property
    def names(self) -> list:
        return [field.attname for field in self.fields]

    @cached_property
    def converters(self) -> list[tuple[int, Any]]:
        """How those are read that need it: (place, converter)."""
        return [
            (place, field.from_db_value) for place, field in enumerate(self.fields) if hasattr(field, "from_db_value")
        ]

    def converted(self, row: Any) -> list:
        row = list(row)
        for place, convert in self.converters:
            row[place] = convert(row[place], None, connection)
        return row

    def instance(self, row: Any) -> Any:
        """A row as an instance of the model, as `Model.from_db` makes it of what is stored, in a quarter of its time.

        Values are put into the instance at once instead of one by one: no field of ours does anything else with them.
        """
        values = self.converted(row)
        if pre_init.receivers or post_init.receivers:  # somebody asked to be told of each instance that is made
            return self.model.from_db(DEFAULT_DB_ALIAS, self.names, values)
        instance: Any = self.model.__new__(self.model)
        state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        instance.__dict__.update(zip(self.names, values, strict=True), _state=state)
        return instance

    def read(self, sql: str, parameters: Any) -> list[Model]:
        """Instances of what `sql` selects."""
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return [self.instance(row) for row in cursor.fetchall()]

    def where(self, condition: str, parameters: Any) -> list[Any]:
        """Instances of the rows that `condition` (SQL, with their order and limit) finds."""
        return self.read(f"SELECT {self.sql} FROM {self.model._meta.db_table} WHERE {condition}", parameters)


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a table as named tuples: an instance of a model takes longer to make than its row to read."""

    rows: Rows

    @cached_property
    def line(self) -> Any:
        columns = [(name, Any) for name in self.rows.names]
        return NamedTuple(self.rows.model.__name__, columns)

    def where(self, condition: str, parameters: Any) -> list[Any]:
        """The rows that `condition` (SQL, with their order and limit) finds."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {self.rows.sql} FROM {self.rows.model._meta.db_table} WHERE {condition}", parameters
            )
            return [self.line._make(self.rows.converted(row)) for row in cursor.fetchall()]


_known: dict[Any, tuple[Any, Rows]] = {}


def rows_of(model: Any) -> Rows:
    """The `Rows` of a model as it is now: a protocol's own items change its fields, which Django then lists anew."""
    fields = model._meta.concrete_fields
    known = _known.get(model)
    if known is None or known[0] is not fields:
        known = _known[model] = fields, Rows(model, tuple(fields))
    return known[1]


# Attributes that an instance gets besides its columns, each with the SQL that says it of the row as it is stored.
Asked = tuple[tuple[str, str], ...]


def insert(instance: Any, names: Any, asked: Asked = ()) -> bool:
    """Insert a new instance with its fields `names` (a tuple); what the database makes of the others it has then.

    Values are cleaned before: what is stored of `names` is what the instance has, except for the `SET_BY_TRIGGERS`.
    A model's `STAMPS` (column to SQL) are written beside them.

    False where the table has a row already beside which this one may not stand: no statement fails for that.
    """
    rows = rows_of(instance._meta.model)
    statement, put = _insertion(rows, names, asked)
    with connection.cursor() as cursor:
        cursor.execute(statement, [write(getattr(instance, name)) for name, write in put])
        row = cursor.fetchone()
    if row is None:
        return False
    _take(instance, rows.without(names), row, asked)
    instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
    return True


def _take(instance: Any, rows: Rows, row: Any, asked: Asked) -> None:
    """Put what a statement returned into an instance: the columns of `rows`, and after them what was `asked`."""
    names = rows.names + [name for name, _sql in asked]
    for name, value in zip(names, rows.converted(row), strict=True):
        setattr(instance, name, value)


def lock(model: Any, condition: Any, parameters: Any) -> Any:
    """The row that `condition` (SQL) finds, locked until the end of the transaction; None where there is none."""
    rows = rows_of(model)
    sql = f"SELECT {rows.sql} FROM {model._meta.db_table} WHERE {condition} FOR UPDATE"
    return next(iter(rows.read(sql, parameters)), None)


def update(instance: Any, names: Any, reason: Any, asked: Asked = ()) -> bool:
    """Write the fields `names` (a tuple) of a stored row for a reason; what the database makes of the row it has then.

    The reason is set in the statement itself, for its triggers, and taken back before the transaction's next one.
    False where the row is gone.
    """
    rows = rows_of(instance._meta.model)
    statement, put = _change(rows, names, asked)
    values = [write(getattr(instance, name)) for name, write in put]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, instance.pk, reason])
        row = cursor.fetchone()
    ours: Any = connection  # the stubs know Django's own alone
    ours.take_back_reason()
    if row is None:
        return False
    _take(instance, rows.without(names), row, asked)
    return True


@lru_cache(maxsize=STATEMENTS)
def _change(rows: Rows, names: Any, asked: Any) -> tuple[str, list[tuple[Any, Callable[..., str | None]]]]:
    """(statement, [(name, how its value is written)])."""
    model, fields = rows.model, {field.attname: field for field in rows.fields}
    put = [fields[name] for name in names]
    assignments = ", ".join(f"{field.column} = %s" for field in put)
    # A subquery that depends on no row is computed before the first row is looked at.
    statement = (
        f"UPDATE {model._meta.db_table} SET {assignments} WHERE {model._meta.pk.column} = %s "
        f"AND (SELECT set_config('app.reason', %s, true)) IS NOT NULL RETURNING {_returned(rows, names, asked)}"
    )
    return statement, [(field.attname, _writer(field)) for field in put]


@lru_cache(maxsize=STATEMENTS)
def _insertion(rows: Rows, names: Any, asked: Any) -> tuple[str, list[tuple[Any, Callable[..., str | None]]]]:
    """(statement, [(name, how its value is written)])."""
    model, fields = rows.model, {field.attname: field for field in rows.fields}
    given = [fields[name] for name in names]
    stamps = getattr(model, "STAMPS", {})
    columns = ", ".join([*(field.column for field in given), *stamps])
    values = ", ".join(["%s"] * len(given) + list(stamps.values()))
    statement = (
        f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({values}) "
        f"ON CONFLICT DO NOTHING RETURNING {_returned(rows, names, asked)}"
    )
    return statement, [(field.attname, _writer(field)) for field in given]


def _returned(rows: Rows, names: Any, asked: Asked) -> str:
    """What a statement that writes the fields `names` tells of the row: as of `Rows.without`, and what was `asked`."""
    return ", ".join([rows.without(names).sql, *(sql for _name, sql in asked)])


def _writer(field: Any) -> Callable[..., str | None]:
    """How a value is sent: as text without a type, so that one prepared statement serves every row."""
    prepared = json.dumps if isinstance(field, JSONField) else field.get_prep_value
    return lambda value: None if value is None else str(prepared(value))
