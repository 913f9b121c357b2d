"""Request id: one for each request and for what workers do because of it; in logs, answers, error pages and the trail.

Ours alone: an id that a client sends would let anybody write one into the trail. Imports nothing of Django.
"""

import uuid
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-ID"

_request = ContextVar("request_id", default="")
_task = ContextVar("task", default="")


def new() -> str:
    """A new id, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def current() -> str:
    """The id of the request that this code serves; "" where there is none."""
    return _request.get()


def current_task() -> str:
    """The name of the task that this code carries out; "" where there is none."""
    return _task.get()


def begin(request: Any, task: str = "") -> None:
    """From now on this context works for that request, or carries out that task because of it."""
    _request.set(request)
    _task.set(task)
