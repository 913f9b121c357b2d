"""Sessions in the database: Django's, read together with the person whose session it is and their roles, by a statement
that is written out, because every request begins with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from sites.database.fast_rows import rows_of
from sites.database.first_read import first_row
from sites.models import User
from sites.tenancy.access import read_beside, running_beside

# Whose it is stands in the session itself, which PostgreSQL cannot read, and in the list of a person's sessions.
READ = f"""
    SELECT {rows_of(Session).of("s")}, {rows_of(User).of("u")}, {running_beside("role, site_id::text", "u.id")}
    FROM {Session._meta.db_table} AS s LEFT JOIN {UserSession._meta.db_table} AS l ON l.session_key = s.session_key
    LEFT JOIN {User._meta.db_table} AS u ON u.id = l.user_id
    WHERE s.session_key = %(key)s AND s.expire_date > %(now)s
"""


class SessionStore(db.SessionStore):
    """`person` is who was read with the session, and with the roles of that day; None where the list has none."""

    person: Any = None

    def _get_session_from_db(self) -> Any:
        sessions, users, day = rows_of(Session), rows_of(User), timezone.localdate()
        row = first_row(READ, {"key": self.session_key, "now": timezone.now(), "day": day})
        if row is None:
            self._session_key = None  # a new one begins, under another key
            return None
        *columns, running = row
        of_session, of_user = columns[: len(sessions.fields)], columns[len(sessions.fields) :]
        if of_user[0] is not None:
            user: Any = users.instance(of_user)
            read_beside(user, day, running)
            self.person = user
        return sessions.instance(of_session)


_asking: ContextVar[Any] = ContextVar("session", default=None)


@contextmanager
def asking(session: Any) -> Iterator[None]:
    """While it is found out who a request's session belongs to: `person_read` knows whom it was read with."""
    token = _asking.set(session)
    try:
        yield
    finally:
        _asking.reset(token)


def person_read(user_id: Any) -> Any:
    """The User of this id, if the session that is asked about was read with them; else None. Given once."""
    session = _asking.get()
    person = getattr(session, "person", None)
    if person is None or person.pk != user_id:
        return None
    session.person = None
    return person
