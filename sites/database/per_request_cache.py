"""What a request asks more than once is read once."""

from contextvars import ContextVar
from functools import wraps

from sites.tenancy.scope import current


def once_a_request(read):
    """A function without arguments whose answer is kept for the length of a request; elsewhere it reads every time.

    `forget()` drops the answer, for who changes what was read; `now()` reads whatever is kept.
    """
    cached = ContextVar(read.__name__, default=None)

    @wraps(read)
    def asked():
        request = current().request_id
        if not request:
            return read()
        known = cached.get()
        if known is None or known[0] != request:
            known = request, read()
            cached.set(known)
        return known[1]

    asked.now = read
    asked.forget = lambda: cached.set(None)
    return asked
