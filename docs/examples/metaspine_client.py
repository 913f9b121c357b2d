"""A client of the registry's API in Python, with nothing but the standard library.

    METASPINE_URL=https://registry.example.org METASPINE_TOKEN=msp_… python metaspine_client.py

prints the mean EQ VAS of each timepoint. As a module it reads and writes; see docs/api.md.
"""

import json
import os
import time
import uuid
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen


class Refused(Exception):
    """The registry did not do it. `status`, `errors` (field to reasons) and the whole problem document say why."""

    def __init__(self, status, problem):
        self.status, self.problem, self.errors = status, problem, problem.get("errors", {})
        super().__init__(f"{status} {problem.get('detail') or problem.get('title', '')} {self.errors or ''}".strip())


class Registry:
    def __init__(self, url, token):
        self.base, self.token = urljoin(url, "/api/v1/"), token

    def ask(self, method, path, body=None, **headers):
        """(answer, headers) of one request. Waits and asks again where the registry asks for patience."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} | headers
        data = None if body is None else json.dumps(body).encode()
        while True:
            try:
                with urlopen(Request(urljoin(self.base, path), data, sent, method=method), timeout=60) as answer:
                    content = answer.read()
                    return json.loads(content) if content else None, answer.headers
            except HTTPError as error:
                with error:
                    problem = json.loads(error.read() or b"{}")
                if error.code != 429:
                    raise Refused(error.code, problem) from None
                time.sleep(int(error.headers["Retry-After"]))

    def get(self, path):
        return self.ask("GET", path)[0]

    def all(self, path, **filters):
        """Every row of a list, page by page."""
        address = f"{path}?{urlencode({'limit': 500} | filters)}"
        while address:
            page = self.get(address)
            yield from page["items"]
            address = page["next"]

    def create(self, path, body):
        """What was created. The key makes it safe to ask again when an answer was lost on the way."""
        return self.ask("POST", path, body, **{"Idempotency-Key": uuid.uuid4().hex})[0]

    def change(self, path, body, read=None):
        """What is stored now. Only what differs need be sent; Refused with 412 if somebody else was first."""
        _record, headers = self.ask("GET", read or path)
        return self.ask("PATCH", path, body, **{"If-Match": headers["ETag"]})[0]


def mean_by_timepoint(registry, name):
    """{timepoint: (how many, mean)} of a number of the assessments."""
    values = {}
    for assessment in registry.all("assessments", state="complete,verified,locked"):
        if assessment[name] is not None:
            values.setdefault(assessment["timepoint"], []).append(assessment[name])
    return {timepoint: (len(some), sum(some) / len(some)) for timepoint, some in values.items()}


if __name__ == "__main__":
    means = mean_by_timepoint(Registry(os.environ["METASPINE_URL"], os.environ["METASPINE_TOKEN"]), "eq_vas")
    for timepoint, (n, mean) in means.items():
        print(f"{timepoint}\t{n}\t{mean:.1f}")
