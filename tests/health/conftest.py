import os
import signal
import subprocess
from contextlib import suppress

import pytest
import redis

from registry.embedded import broker
from tests.guard.faults.test_faults import environment, ten_sites  # noqa: F401  fixtures
from tests.working import until


class OwnBroker:
    """A broker of the test's own, which it may stop, freeze and start again."""

    def __init__(self, folder):
        self.socket = folder / "broker.sock"
        self.url = f"redis+socket://{self.socket}"
        self.start()

    def start(self):
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.socket.parent)]
        self.process = subprocess.Popen([str(broker.program()), *options], stdout=subprocess.DEVNULL)
        until(self.answers)

    def answers(self):
        assert self.process.poll() is None, "the broker ended"
        with suppress(redis.ConnectionError), redis.Redis(unix_socket_path=str(self.socket)) as client:
            return client.ping()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def own_broker(tmp_path_factory):
    own = OwnBroker(tmp_path_factory.mktemp("b"))
    yield own
    with suppress(ProcessLookupError):
        own.thaw()
    own.stop()
