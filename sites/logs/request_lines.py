"""Django's own log lines about a request: the view in the place of the address, which holds patients' numbers.

Where the database is away, one line a request says so; its traceback would be the same for everybody.
"""

import logging
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest

# Said by Django, and by psycopg where it is asked past Django (COPY).
_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# A standby, which nobody promoted yet or which a primary became: it answers, and stores nothing.
READ_ONLY = psycopg.errors.ReadOnlySqlTransaction.sqlstate
# It ended the session of a transaction in which nothing was asked for too long, as it does of its own after an hour.
ENDED = psycopg.errors.IdleInTransactionSessionTimeout.sqlstate


def is_database_away(error: BaseException | None) -> bool:
    """Whether an error says that the database takes nothing at the moment, so that the same may be asked later."""
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "__cause__", None), "sqlstate", None)
    return isinstance(error, _AWAY) or state in (READ_ONLY, ENDED)


class RequestFilter(logging.Filter):
    def filter(self, record: Any) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            view = request.resolver_match.view_name if request.resolver_match else "no view"
            record.msg, record.args = record.getMessage().replace(request.path, view), ()
            _shorten(record)
        return True


def _shorten(record: Any) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and is_database_away(error):
        reason = (str(error).splitlines() or [""])[0]
        record.msg, record.exc_info, record.exc_text = f"{record.msg}: {type(error).__name__}: {reason}", None, None
