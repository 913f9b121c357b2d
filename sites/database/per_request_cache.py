"""What a request asks more than once is read once."""

from collections.abc import Callable
from contextvars import ContextVar
from functools import update_wrapper
from typing import Generic, TypeVar

from sites.tenancy.scope import current

T = TypeVar("T")


class ReadOnce(Generic[T]):
    """A function without arguments whose answer is kept for the length of a request; elsewhere it reads every time.

    `forget()` drops the answer, for who changes what was read; `now()` reads whatever is kept.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self.now = read
        self.cached: ContextVar[tuple[object, T] | None] = ContextVar(read.__name__, default=None)
        update_wrapper(self, read)

    def __call__(self) -> T:
        request = current().request_id
        if not request:
            return self.now()
        known = self.cached.get()
        if known is None or known[0] != request:
            known = request, self.now()
            self.cached.set(known)
        return known[1]

    def forget(self) -> None:
        self.cached.set(None)


once_a_request = ReadOnce
