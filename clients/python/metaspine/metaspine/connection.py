"""HTTP with a token: one request, its refusals, and waiting where the registry asks for patience."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

TRIES = 4  # the first, and three after the registry has asked for patience
NO_REGISTRY = "Is it the address of a registry, of a version that has this?"
LONGEST_WAIT = 120  # seconds
Value = str | Sequence[str]


class Refused(Exception):
    """The registry did not do it: `status`, `errors` (name to reasons) and the whole `problem` document say why."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.errors: Mapping[str, list[str]] = problem.get("errors", {})
        super().__init__(f"{status} {problem.get('detail') or problem.get('title', '')} {self.errors or ''}".strip())


class Connection:
    """Where the registry is and who asks; it keeps nothing open.

    ValueError for an address that would send the token unencrypted to another machine.
    """

    def __init__(self, url: str, token: str, timeout: float = 300.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a registry: https://registry.example.org")
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("a token is sent by https only")
        token = (token or "").strip()  # as a file has it, with the end of its line
        if not token:
            raise ValueError("the token is empty: issue one on the page “API tokens”")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("this is no token: one is of letters, digits, - and _")
        prefix = re.split("/api(?:/|$)", parts.path)[0].rstrip("/")  # of a registry beside others on its host
        self.base = f"{parts.scheme}://{parts.netloc}{prefix}/api/v1/"
        self.timeout = timeout
        self._token = token

    def __repr__(self) -> str:
        return f"Connection({self.base!r})"  # never the token

    def get(self, path: str, query: Mapping[str, Value], accept: str) -> bytes:
        """The body of an answer, whole. Raises Refused, and ConnectionError where nobody answers."""
        text = urlencode({name: value if isinstance(value, str) else ",".join(value) for name, value in query.items()})
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        request = Request(f"{self.base}{path}{'?' + text if text else ''}", headers=headers)
        for left in reversed(range(TRIES)):
            try:
                with urlopen(request, timeout=self.timeout) as answer:
                    content: bytes = answer.read()
                    kind = answer.headers.get_content_type()
                    if kind != accept:
                        raise Refused(answer.status, {"detail": f"{self.base} answers with {kind}. {NO_REGISTRY}"})
                    return content
            except HTTPError as error:
                with error:
                    problem = _problem(error.read())
                wait = error.headers.get("Retry-After", "")
                if not problem:
                    problem = {"detail": f"{error.reason}: {self.base} says no more. {NO_REGISTRY}"}
                if error.code != 429 or not left or not wait.isdecimal() or int(wait) > LONGEST_WAIT:
                    raise Refused(error.code, problem) from None
                time.sleep(int(wait))
            except (URLError, TimeoutError, ConnectionError) as error:
                reason = getattr(error, "reason", error)
                raise ConnectionError(f"no registry answers at {self.base}: {reason}") from None
        raise AssertionError  # the last try returns or raises


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
