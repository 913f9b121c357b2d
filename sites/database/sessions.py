"""Sessions in the database: Django's, read by a statement that is written out, because every request begins with it."""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from sites.database.fast_rows import rows_of

READ = f"SELECT {rows_of(Session).sql} FROM {Session._meta.db_table} WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Any:
        session = next(iter(rows_of(Session).read(READ, [self.session_key, timezone.now()])), None)
        if session is None:
            self._session_key = None  # a new one begins, under another key
        return session
