"""Django's PostgreSQL backend, which starts every transaction by setting the tenancy scope.

`SET LOCAL` in a middleware would be lost: the view's transaction starts later, and streamed responses and tasks start
their own. The start of a transaction is the one place none of them can go around.
"""

from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from sites.tenancy import scope

LIMITS = "SELECT set_config('statement_timeout', %s, {local}), set_config('lock_timeout', %s, {local})"


def _limits() -> list[str]:
    return [f"{settings.STATEMENT_SECONDS}s", f"{settings.LOCK_SECONDS}s"]


class DatabaseWrapper(base.DatabaseWrapper):
    def init_connection_state(self) -> None:
        """A new connection begins with no scope and with our tables first, whatever defaults its role has.

        Any role may give itself defaults, and those of a scope would outlive whoever slipped them in.
        """
        super().init_connection_state()
        self._keep_reason()
        with self.connection.cursor() as cursor:
            cursor.execute(scope.NONE)
            cursor.execute(LIMITS.format(local="false"), _limits())

    def _set_autocommit(self, autocommit: Any) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc] # private to Django: its stubs do not know it
        self._keep_reason()
        current = scope.current()
        pooled = settings.DATABASE_POOLER
        if not autocommit and (pooled or current is not scope.NOTHING):
            # self.connection is open and its transaction is just beginning; Django's own bookkeeping of the atomic
            # block is not finished, so the cursor is psycopg's, not Django's.
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                if pooled:  # the session may have been opened by another, so what a new one begins with is said here
                    cursor.execute(scope.NONE_HERE)
                    cursor.execute(LIMITS.format(local="true"), _limits())
                scope.execute(cursor, current)

    def take_back_reason(self) -> None:
        """The statement just made has set a reason of its own: the scope's comes back before the transaction's next
        statement. Most often there is none, and the reason goes with the transaction."""
        if self._reason_back not in self.execute_wrappers:
            self.execute_wrappers.insert(0, self._reason_back)  # whoever adds one for a while takes the last away

    def _reason_back(self, execute: Any, *statement: Any) -> Any:
        self._keep_reason()
        scope.give_reason(self, scope.current().reason)
        return execute(*statement)

    def _keep_reason(self) -> None:
        """Nothing is to be taken back: it was, or the transaction in which it was set is over."""
        if self._reason_back in self.execute_wrappers:
            self.execute_wrappers.remove(self._reason_back)
