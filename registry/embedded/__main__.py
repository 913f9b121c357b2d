"""python -m registry.embedded run|manage|demo|stop: what the scripts in bin/ call."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from registry.embedded import PROJECT, CannotStart, demo
from registry.embedded.place import default_data
from registry.embedded.services import running, stop_services

# A command that a signal ends leaves through `finally`, so that the services are stopped.
ENDING = (signal.SIGTERM, signal.SIGHUP)


def main(arguments):
    """Returns the exit code."""
    for number in ENDING:
        signal.signal(number, leave)
    action, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if action == "manage":
        return manage(rest)
    if action == "demo":
        return demo.main(rest)
    return other(arguments)


def leave(number, frame):
    sys.exit(128 + number)


def manage(arguments):
    """manage.py with the embedded services, or with those of the environment where it names a database.

    METASPINE_DATA asks for the embedded ones; DATABASE_URL alone is somebody's own server.
    """
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    if "DATABASE_URL" in os.environ and "METASPINE_DATA" not in os.environ:
        os.execv(sys.executable, command)  # noqa: S606 - our own Python
    with running(default_data()) as services:
        if (Path(services.environment["METASPINE_DATA"]) / demo.MARK).exists():
            services.environment["METASPINE_SYNTHETIC"] = "1"  # so that exports of the command line say so too
        return foreground(command, services)


def other(arguments):
    parser = argparse.ArgumentParser(prog="python -m registry.embedded", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="run a command with the services")
    run.add_argument("--temporary", action="store_true", help="in a data folder that is removed afterwards")
    run.add_argument("--unsynced", action="store_true", help="do not wait for the disk: a loss of power takes the data")
    run.add_argument("command", nargs="+")
    actions.add_parser("stop", help="stop services that nobody uses")
    options = parser.parse_args(arguments)
    if options.action == "stop":
        if stop_services(default_data()):
            return 0
        raise CannotStart(f"The services of {default_data()} are in use: end bin/demo and bin/manage first.")
    with contextlib.ExitStack() as stack:
        if options.temporary:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metaspine-data-"))) / "data"
        else:
            data = default_data()
        return foreground(options.command, stack.enter_context(running(data, synced=not options.unsynced)))


def foreground(command, services):
    """Run a command at the terminal, as if it had been called directly: its exit code, its signals."""
    child, early = None, []

    def forward(number, frame):
        # At a terminal Ctrl-C reaches the whole foreground group, the child included.
        if number == signal.SIGINT and at_terminal():
            return
        if child:
            child.send_signal(number)
        else:
            early.append(number)  # while the child is being started

    before = {number: signal.signal(number, forward) for number in (*ENDING, signal.SIGINT)}
    try:
        child = subprocess.Popen(command, env=services.environ(), pass_fds=[services.lease])
        for number in early:
            child.send_signal(number)
        code = child.wait()
    except OSError as error:
        raise CannotStart(f"Cannot run {command[0]}: {error.strerror}.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def at_terminal():
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    with contextlib.closing(os.fdopen(terminal)):
        return os.tcgetpgrp(terminal) == os.getpgrp()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as reason:
        sys.exit(f"{reason}")
    except KeyboardInterrupt:
        sys.exit(130)
