"""Who a session belongs to."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection
from django.utils import timezone

from sites.database.fast_rows import rows_of
from sites.models import User
from sites.people.sessions import person_read
from sites.tenancy.access import read_beside, running_beside

RUNNING = running_beside("role, site_id::text", "%(user)s")
PERSON = f"SELECT {rows_of(User).sql}, {RUNNING} FROM {User._meta.db_table} WHERE id = %(user)s"


class Backend(ModelBackend):
    """Django's, but every request of a session asks for its person and their roles, which came with the session or are
    read by one statement."""

    def get_user(self, user_id: Any) -> Any:
        user = person_read(user_id) or _read(user_id, timezone.localdate())
        return user if user is not None and self.user_can_authenticate(user) else None


def _read(user_id: Any, day: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(PERSON, {"user": user_id, "day": day})
        row = cursor.fetchone()
    if row is None:
        return None
    *columns, running = row
    user: Any = rows_of(User).instance(columns)
    read_beside(user, day, running)
    return user
