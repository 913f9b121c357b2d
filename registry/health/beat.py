"""The beat that is exactly one: however many are started, one has the lease and sends; the others stand by."""

import logging
import os
import time
import uuid
from socket import gethostname

from celery.beat import PersistentScheduler
from django.db import Error, connection

from registry.health import heartbeats

log = logging.getLogger(__name__)

RENEWAL = 20  # seconds; three of them in a lease


class OneScheduler(PersistentScheduler):
    """Celery's scheduler, which sends only while this process has the lease (`heartbeats.leased`)."""

    max_interval = 5

    def __init__(self, *args, **kwargs):
        self.holder = f"{gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.renewed = None
        super().__init__(*args, **kwargs)

    def tick(self, *args, **kwargs):
        if not self._is_the_one():
            return self.max_interval
        return min(super().tick(*args, **kwargs), self.max_interval)

    def _is_the_one(self):
        if self.renewed is not None and time.monotonic() - self.renewed < RENEWAL:
            return True
        had = self.renewed is not None
        self.renewed = time.monotonic() if self._renew() else None
        if had != (self.renewed is not None):
            log.info("the beat is this process" if self.renewed is not None else "another process is the beat")
        return self.renewed is not None

    def _renew(self):
        try:
            leased = heartbeats.leased(heartbeats.BEAT, self.holder)
        except Error as error:
            log.warning("the database does not answer, so nothing is sent: %s", str(error).splitlines()[0])
            leased = None
        finally:
            connection.close()
        if leased is not None:
            heartbeats.touch("beat")
        return bool(leased)
