"""Where rows are read from: the registry as it is, or a snapshot of it that stands in tables of the transaction."""

from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.db import connection, transaction

from registry.models import AdverseEvent, Assessment, Patient


@dataclass(frozen=True)
class Source:
    """The tables of one state of the registry. Their columns are called the same whichever state it is."""

    patients: str = Patient._meta.db_table
    assessments: str = Assessment._meta.db_table
    events: str = AdverseEvent._meta.db_table

    def reading(self, sql):
        """The statement `sql`, written for the registry as it is, over the tables of this source."""
        for name in ("patients", "assessments", "events"):
            sql = sql.replace(getattr(LIVE, name), getattr(self, name))
        return sql


LIVE = Source()


@contextmanager
def one_moment():
    """A transaction that sees the registry as it is at one moment, whatever others write meanwhile."""
    if connection.in_atomic_block:
        yield  # somebody else's transaction: its isolation cannot be changed any more
        return
    connection.ensure_connection()
    connection.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with transaction.atomic():
            yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            connection.connection.isolation_level = None
