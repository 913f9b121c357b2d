"""bin/demo: migrate, load the synthetic registry, run worker and web, show what was computed, serve until stopped."""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from registry.embedded import PROJECT, CannotStart
from registry.embedded.place import default_data
from registry.embedded.services import running

WEB_SECONDS = 60  # until the web process answers for the first time
STOP_SECONDS = 10  # until a process that was asked to stop is made to


def main(arguments):
    """Returns the exit code."""
    options = parse(arguments)
    refuse_taken_port(options.port)
    say("Starting PostgreSQL and the broker ...")
    with running(data_of(options.study)) as services, contextlib.ExitStack() as stack:
        only_one(stack, services.environment["METASPINE_DATA"])
        demo = Demo(services, options.port)
        stack.callback(demo.stop)
        demo.manage("migrate", "--verbosity", "0")
        demo.manage("load_demo", *(["--study", options.study] if options.study else []))
        demo.start_worker()
        demo.start_web()
        if not options.study:  # a study is computed as it is asked for
            demo.manage("demo_ready", "--wait")
        demo.wait_for_web()
        say(f"\n{demo.address}")
        demo.manage("demo_summary")
        if not options.once:
            say("\nCtrl-C stops everything.")
            demo.serve()
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="bin/demo", description="The registry with synthetic patients, on this machine."
    )
    parser.add_argument("--once", action="store_true", help="do everything except serving, then stop")
    parser.add_argument("--study", metavar="NAME", help="another published study: wang2025 or zheng2021")
    port = os.environ.get("METASPINE_PORT", "8000")
    parser.add_argument("--port", type=int, default=port, help="of the web address (METASPINE_PORT, or 8000)")
    return parser.parse_args(arguments)


def data_of(study):
    """The data folder: the one that was chosen, or one for each study beside the demonstration's own."""
    place = default_data()
    if not study or os.environ.get("METASPINE_DATA"):
        return place
    return place.with_name(f"{place.name}-{study}")


def refuse_taken_port(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise CannotStart(f"Port {port} cannot be used (taken?): choose another, bin/demo --port 8001.") from None


def only_one(stack, data):
    lock = stack.enter_context(open(f"{data}/demo.lock", "a"))  # noqa: SIM115 - the stack closes it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(
            f"bin/demo is running with {data}: stop it, or choose another folder, METASPINE_DATA=/path/to/folder."
        ) from None


MARK = "synthetic"  # a file in the data folder of a demonstration


class Demo:
    """The demo's processes, each leading a group of its own, so that stopping reaches all they have started."""

    def __init__(self, services, port):
        self.services = services
        self.data = services.environment["METASPINE_DATA"]
        self.address = f"http://127.0.0.1:{port}/"
        self.bind = f"127.0.0.1:{port}"
        self.processes = {}
        # Settings meant for a real installation (host names, TLS) stay out; the defaults fit this machine.
        self.environment = services.environ(without="METASPINE_") | {
            "METASPINE_SYNTHETIC": "1",
            "METASPINE_SECOND_FACTOR": "none",  # a password opens every login that the summary prints
        }
        Path(self.data, "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        open(f"{self.data}/{MARK}", "a").close()  # bin/manage tells by it that the patients do not exist

    def manage(self, *arguments):
        """Run one management command to its end, and stop everything should it fail or a process die meanwhile."""
        command = self.launch(f"manage.py {arguments[0]}", [str(PROJECT / "manage.py"), *arguments])
        while command.poll() is None:
            self.check(except_for=command)
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(0.2)
        del self.processes[f"manage.py {arguments[0]}"]
        if command.returncode:
            raise CannotStart(f"bin/manage {' '.join(arguments)} failed; its words are above.")

    def start_worker(self):
        schedule = f"{self.data}/celerybeat-schedule"
        clock = ["-B", "--schedule", schedule, "--scheduler", "registry.health.beat:OneScheduler"]
        for name, options in {
            "worker": ["--queues", "urgent", *clock],
            "jobs": ["--queues", "jobs,figures"],
        }.items():
            options += ["--concurrency", "1", "--loglevel", "INFO", "--hostname", f"{name}@%h"]
            self.launch(name, ["-m", "celery", "-A", "registry", "worker", *options], log=True)

    def start_web(self):
        self.launch("web", ["-m", "gunicorn", "--bind", self.bind, "registry.wsgi"], log=True)

    def launch(self, name, arguments, log=False):
        """Start Python in a group of its own; it is told to stop should this process be killed."""
        setpriv = shutil.which("setpriv")
        tell = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(open(self.log(name), "ab")) if log else None
            process = subprocess.Popen(
                [*tell, sys.executable, *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[self.services.lease],
            )
        self.processes[name] = process
        return process

    def log(self, name):
        return f"{self.data}/logs/{name}.log"

    def check(self, except_for=None):
        for name, process in self.processes.items():
            if process is not except_for and process.poll() is not None:
                raise CannotStart(f"The {name} process stopped by itself; see {self.log(name)}")

    def wait_for_web(self):
        deadline = time.monotonic() + WEB_SECONDS
        while not self.answers():
            self.check()
            if time.monotonic() > deadline:
                raise CannotStart(f"The web process does not answer; see {self.log('web')}")
            time.sleep(0.1)

    def answers(self):
        try:
            urllib.request.urlopen(self.address, timeout=10).close()  # noqa: S310 - our own address
        except urllib.error.HTTPError as answer:
            raise CannotStart(f"The first page fails with {answer.code}; see {self.log('web')}") from None
        except OSError:
            return False
        return True

    def serve(self):
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self):
        """Ask every process to stop, wait a little, then end their groups."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def say(text):
    print(text, flush=True)
