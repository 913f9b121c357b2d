"""Django's own log lines about a request: the view in the place of the address, which holds patients' numbers.

Where the database is away, one line a request says so; its traceback would be the same for everybody.
"""

import logging
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest

# Said by Django, and by psycopg where it is asked past Django (COPY).
DATABASE_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


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
    if isinstance(error, DATABASE_AWAY):
        reason = (str(error).splitlines() or [""])[0]
        record.msg, record.exc_info, record.exc_text = f"{record.msg}: {type(error).__name__}: {reason}", None, None
