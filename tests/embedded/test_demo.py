"""bin/demo runs everything, and whatever ends it, nothing it started stays behind."""

import os
import signal
import urllib.request

import psutil
import pytest

from tests.embedded.conftest import survivors, until
from tests.working import PATIENCE, free_port

STEPS = [
    "Starting PostgreSQL and the broker ...",
    "migrate --verbosity 0 1 None",
    "load_demo 1 None",
    "demo_ready --wait 1 None",
]


@pytest.fixture
def port():
    return str(free_port())


def serving(demo, port):
    """Start the demo and return it with its web address, once it serves."""
    process = demo.start("demo", "--port", port)
    lines = iter(process.stdout.readline, "")
    assert any("Ctrl-C" in line for line in lines), process.stderr.read()
    return process, f"http://127.0.0.1:{port}/"


def fetch(address):
    with urllib.request.urlopen(address, timeout=PATIENCE) as page:  # noqa: S310 - our own address
        return page.read()


def test_once_does_everything_but_serve(demo, port):
    demo.environment["METASPINE_TLS"] = "1"  # somebody's real installation; not for the demo
    code, out, err = demo.call("demo", "--once", "--port", port)
    assert (code, err) == (0, "")
    assert out.split("\n") == [*STEPS, "", f"http://127.0.0.1:{port}/", "demo_summary 1 None", ""]
    assert "Listening at" in (demo.data / "logs/web.log").read_text()
    assert demo.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_a_signal_and_leaves_nothing(demo, port, number):
    process, address = serving(demo, port)
    assert fetch(address) == b"here"
    process.send_signal(number)
    assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == 128 + number
    assert demo.leaves_nothing()


def test_after_kill_9_worker_and_web_end_and_the_next_demo_starts(demo, port):
    process, _ = serving(demo, port)
    process.kill()
    process.communicate()
    assert until(lambda: pythons(demo), wanted=[]) == []
    process, address = serving(demo, port)
    assert fetch(address) == b"here"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert demo.leaves_nothing()


def test_a_taken_port_and_a_second_demo_are_refused_in_one_sentence(demo, port):
    process, address = serving(demo, port)
    code, out, err = demo.call("demo", "--port", port)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "bin/demo --port" in err
    code, _, err = demo.call("demo", "--port", "0")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "is running with" in err
    assert fetch(address) == b"here"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)


def test_a_failing_step_or_page_ends_it_with_a_sentence(demo, port):
    for name, value, reason in (
        ("FAILING", "load_demo", "bin/manage load_demo failed"),
        ("STATUS", "500 Broken", "first page fails with 500"),
    ):
        demo.environment[name] = value
        code, _, err = demo.call("demo", "--once", "--port", port)
        assert (code, len(err.splitlines())) == (1, 1)
        assert reason in err
        del demo.environment[name]
    assert demo.leaves_nothing()


def test_a_dying_worker_ends_it(demo, port):
    process, _ = serving(demo, port)
    worker = next(child for child in psutil.Process(process.pid).children() if "celery" in child.cmdline())
    os.killpg(worker.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "worker process stopped by itself" in err
    assert demo.leaves_nothing()


def pythons(demo):
    return [process for process in survivors(demo.data) if "python" in process.name()]
