"""Requests within a request: each part of a batch goes by the view of its own address and gets its own answer.

So a batch knows no rule of its own: permissions, checks, versions and the trail are those of single requests.
"""

import io
import json
from dataclasses import dataclass

from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.urls import get_script_prefix, resolve

# What the parts take over from the request that carries them.
FROM_OUTSIDE = (
    "HTTP_ACCEPT_LANGUAGE", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "REMOTE_ADDR", "SCRIPT_NAME",
    "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.url_scheme",
)  # fmt: skip
OF_WHO_ASKS = ("user", "session", "access", "token", "token_fault", "id")


@dataclass(frozen=True)
class Answer:
    """What one part is answered: `body` is what the JSON says, None for none."""

    status: int
    body: object
    location: str
    etag: str

    @property
    def is_refused(self):
        return self.status >= 400


def carried_out(outer, method, address, body=None, *, headers=None, content_type="application/json"):
    """The Answer of the view at `address` (path and query). Nothing stays stored of a part that is refused.

    outer    the HttpRequest that carries the part: who asks, from where, in which language
    headers  name to text, of the part alone
    """
    path, _, query = address.partition("?")
    path = within(path)
    content = b"" if body is None else json.dumps(body).encode()
    environ = {name: outer.META[name] for name in FROM_OUTSIDE if name in outer.META} | {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type if content else "",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        **{f"HTTP_{name.upper().replace('-', '_')}": text for name, text in (headers or {}).items()},
    }
    inner = WSGIRequest(environ)
    for name in OF_WHO_ASKS:
        if hasattr(outer, name):
            setattr(inner, name, getattr(outer, name))
    inner._dont_enforce_csrf_checks = True  # they were, of the request that carries it
    inner.is_part = True
    view = resolve(path)
    with transaction.atomic():
        response = view.func(inner, *view.args, **view.kwargs)
        if response.status_code >= 400:
            transaction.set_rollback(True)
    sent = response.headers
    return Answer(response.status_code, _body(response), sent.get("Location", ""), sent.get("ETag", ""))


def within(path):
    """An address as `reverse` gives it without the prefix under which the product is mounted, as `resolve` takes it."""
    return "/" + path.removeprefix(get_script_prefix())


def _body(response):
    if hasattr(response, "data"):
        return response.data
    return json.loads(response.content) if response.content else None
