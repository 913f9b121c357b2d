"""Rows of wide tables by plain SQL: the ORM takes longer to compose a statement of forty columns than PostgreSQL to
run it. What is read are instances of the model, as with the ORM.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from django.db import connection


@dataclass(frozen=True)
class Rows:
    """The columns of a model's table for a statement of one's own: `sql` for SELECT and RETURNING, in this order."""

    model: type
    fields: tuple

    @cached_property
    def sql(self):
        return ", ".join(one.column for one in self.fields)

    @cached_property
    def names(self):
        return [one.attname for one in self.fields]

    @cached_property
    def converters(self):
        """How those are read that need it: (place, converter)."""
        return [(place, one.from_db_value) for place, one in enumerate(self.fields) if hasattr(one, "from_db_value")]

    def converted(self, row):
        row = list(row)
        for place, convert in self.converters:
            row[place] = convert(row[place], None, connection)
        return row

    def read(self, sql, parameters):
        """Instances of what `sql` selects."""
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall()
        return [self.model.from_db(connection.alias, self.names, self.converted(row)) for row in rows]


@cache
def rows_of(model):
    return Rows(model, tuple(model._meta.concrete_fields))
