"""Who a session belongs to."""

from django.contrib.auth.backends import ModelBackend

from sites.models import User
from sites.rows import rows_of


class Backend(ModelBackend):
    """Django's, but every request of a session asks for its person, which plain SQL answers sooner."""

    def get_user(self, user_id):
        rows = rows_of(User)
        found = rows.read(f"SELECT {rows.sql} FROM {User._meta.db_table} WHERE id = %s", [user_id])
        return found[0] if found and self.user_can_authenticate(found[0]) else None
