"""gunicorn.conf.py: how web processes are renewed."""

import os
import runpy
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from django.conf import settings

PARENT = 4711


class Worker(SimpleNamespace):
    @property
    def pid(self):
        """Slow, so that threads which look at it do so at once."""
        time.sleep(0.005)
        return self.number


def test_a_worker_that_ends_has_its_successor_first_and_once(monkeypatch):
    """As gunicorn calls the hooks: after each request in the worker, and in its parent when a worker has ended."""
    hooks = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    sent = []
    monkeypatch.setattr(os, "kill", lambda *signalled: sent.append(signalled))
    worker = Worker(alive=True, nr=99, max_requests=100, number=5000, ppid=PARENT)

    def ask():
        hooks["post_request"](worker, None, {}, None)

    ask()
    assert sent == []
    worker.nr, worker.alive = 100, False  # what gunicorn notes before the last request is answered
    with ThreadPoolExecutor(4) as threads:  # the last request, and those that were on their way
        list(threads.map(lambda _request: ask(), range(4)))
    ask()
    assert sent == [(PARENT, signal.SIGTTIN)]  # "one worker more"
    worker.number = 5001  # its successor, a process with what the first one remembered
    worker.nr, worker.alive = 3, True
    ask()
    worker.alive = False  # told to end by its parent: nobody succeeds it
    ask()
    assert len(sent) == 1
    server = SimpleNamespace(num_workers=3, cfg=SimpleNamespace(workers=2))
    hooks["child_exit"](server, worker)
    assert server.num_workers == 2
    hooks["child_exit"](server, worker)  # one that failed has asked for none, and gets one all the same
    assert server.num_workers == 2
