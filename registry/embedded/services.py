"""Start and stop the services together, safely among several clients.

Two locks in the data folder do it, and the operating system drops them with the process, however it ends:
`start.lock` is held by who starts, `clients.lock` is shared by all who use the services. Who leaves and can have
`clients.lock` alone was the last, and stops them.
"""

import contextlib
import fcntl
import os
import signal
import threading
from typing import NamedTuple

from registry.embedded import broker, postgres
from registry.embedded.keys import keys
from registry.embedded.place import place_for


class Services(NamedTuple):
    environment: dict  # what registry/settings.py reads
    lease: int  # file descriptor; who inherits it counts as a user of the services

    def environ(self, without="-"):
        """The process's environment with ours in it, less what would override it and what begins with `without`."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.removesuffix("_FILE") not in self.environment and not name.startswith(without)
        }
        return environment | self.environment


@contextlib.contextmanager
def running(data, synced=True):
    """Services for the length of a block; yields Services. Raises CannotStart.

    synced  False for data that nobody misses after a loss of power; it counts where PostgreSQL does not run yet
    """
    place = place_for(data)
    with open(place.data / "clients.lock", "a") as clients:
        try:
            with open(place.data / "start.lock", "a") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                # Waits here while somebody who left is stopping them.
                fcntl.flock(clients, fcntl.LOCK_SH)
                environment = ensure(place, synced)
            yield Services(environment, clients.fileno())
        finally:
            with undisturbed(), contextlib.suppress(BlockingIOError):
                fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop(place)


def ensure_services(data):
    """Start what does not run yet and return the environment to use it. The caller is not counted as a client."""
    place = place_for(data)
    with open(place.data / "start.lock", "a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        return ensure(place)


def stop_services(data):
    """Stop the services where nobody uses them. Returns whether they are stopped."""
    place = place_for(data)
    with open(place.data / "clients.lock", "a") as clients:
        try:
            fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        stop(place)
        return True


def ensure(place, synced=True):
    secret = keys(place)
    if place.sockets is None:
        # Servers whose sockets are gone cannot be reached: away with them before new ones start on the same files.
        stop(place)
        place.make_sockets()
    roles = {role: secret.pop(role) for role in (postgres.OWNER, postgres.APPLICATION)}
    postgres.start(place, roles, synced)
    broker.start(place)
    return secret | {
        "DATABASE_URL": postgres.url(place, postgres.APPLICATION, roles[postgres.APPLICATION]),
        "OWNER_DATABASE_URL": postgres.url(place, postgres.OWNER, roles[postgres.OWNER]),
        "REDIS_URL": broker.url(place),
        "METASPINE_DATA": str(place.data),
        "DJANGO_SETTINGS_MODULE": "registry.settings",
        "PATH": f"{os.environ.get('PATH', os.defpath)}:{postgres.program('psql').parent}",  # for `manage.py dbshell`
    }


def stop(place):
    broker.stop(place)
    postgres.stop(place)
    place.remove_sockets()


@contextlib.contextmanager
def undisturbed():
    """Stopping takes under a second; a second Ctrl-C must not leave half of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
