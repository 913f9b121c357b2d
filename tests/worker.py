"""Loaded before the settings (`-p tests.worker`): each worker of pytest-xdist has its own database and broker.

The environment says so, hence the processes that the tests start (a web server, a Celery worker) follow.
"""

import os
import re
from urllib.parse import urlsplit

BROKERS = 8  # of the 16 databases that Redis has, the first half is left to other runs


def own(worker):
    """Point DATABASE_URL, OWNER_DATABASE_URL and REDIS_URL to places of this worker ("gw0", "gw1", …)."""
    for variable in ("DATABASE_URL", "OWNER_DATABASE_URL"):
        url = urlsplit(os.environ[variable])
        os.environ[variable] = url._replace(path=f"{url.path}_{worker}").geturl()
    number = BROKERS + int(worker.removeprefix("gw")) % BROKERS
    url = os.environ["REDIS_URL"]
    if url.startswith("redis+socket"):
        bare = re.sub(r"[?&]virtual_host=\d+", "", url)
        os.environ["REDIS_URL"] = f"{bare}{'&' if '?' in bare else '?'}virtual_host={number}"
    else:
        os.environ["REDIS_URL"] = urlsplit(url)._replace(path=f"/{number}").geturl()


if "PYTEST_XDIST_WORKER" in os.environ:
    own(os.environ["PYTEST_XDIST_WORKER"])
