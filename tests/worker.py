"""Loaded before the settings (`-p tests.worker`): tests have services, and each worker of pytest-xdist its own.

Whoever calls pytest without services, as an editor does, gets temporary ones: the same command is run again with them.
A worker has its own database and broker; the environment says which, hence the processes that the tests start (a web
server, a Celery worker) follow.
"""

import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parent.parent
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


def with_services():
    """Replace this process by the same command with temporary services."""
    services = [sys.executable, "-m", "registry.embedded", "run", "--temporary", "--unsynced", "--"]
    os.execve(sys.executable, [*services, *sys.orig_argv], os.environ | {"PYTHONPATH": str(PROJECT)})  # noqa: S606 - ours


if "PYTEST_XDIST_WORKER" in os.environ:
    own(os.environ["PYTEST_XDIST_WORKER"])
elif "DATABASE_URL" not in os.environ:
    with_services()
