"""Real servers in folders of their own; nothing here touches the services the other tests run with."""

import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from registry.embedded import PROJECT
from tests.working import PATIENCE

OURS = ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "METASPINE_")


class Launcher:
    """Calls `python -m registry.embedded` with one data folder, as the scripts in bin/ do."""

    def __init__(self, data, project=PROJECT):
        self.data = data
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = inherited | {"METASPINE_DATA": str(data), "PYTHONPATH": str(project)}
        self.project = project

    def start(self, *arguments):
        command = [sys.executable, "-m", "registry.embedded", *arguments]
        return subprocess.Popen(
            command,
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments, timeout=PATIENCE):
        """(exit code, standard output, standard error)"""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    def shell(self, script):
        """Run a shell script with the services; refuses to go on where it fails."""
        code, out, err = self.call("run", "--", "sh", "-c", script)
        assert (code, err) == (0, "")
        return out

    def servers(self):
        """{name: process} of the servers living on this data folder."""
        files = {"postgres": "postgres/postmaster.pid", "broker": "broker/broker.pid"}
        by_name = {}
        for name, file in files.items():
            try:
                process = psutil.Process(int((self.data / file).read_text().split()[0]))
                if process.status() != psutil.STATUS_ZOMBIE:
                    by_name[name] = process
            except (FileNotFoundError, psutil.NoSuchProcess):
                continue
        return by_name

    def leaves_nothing(self):
        """Whether no process of any kind works in this folder or names it in command line or environment."""
        return not until(lambda: survivors(self.data), wanted=[])


def survivors(data):
    rows = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
            traces = [process.cwd(), process.environ().get("METASPINE_DATA", ""), *process.cmdline()]
            if alive and any(str(data) in trace for trace in traces):
                rows.append(process)
        except psutil.Error:
            continue
    return rows


def until(look, wanted=None, seconds=PATIENCE):
    """Look until something is there (or equals `wanted`), and return what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if (seen if wanted is None else seen == wanted) or time.monotonic() > deadline:
            return seen
        time.sleep(0.02)


@pytest.fixture(scope="session")
def used_before(tmp_path_factory):
    """A data folder whose files a first start has made; copying it is quicker than making them again."""
    data = tmp_path_factory.mktemp("used") / "data"
    Launcher(data).shell("true")
    return data


def looked_after(data, project):
    """A launcher whose processes are ended after the test, whatever the test left behind."""
    yield Launcher(data, project)
    for process in survivors(data):
        process.kill()


@pytest.fixture
def fresh(tmp_path):
    """For first starts: the data folder does not exist yet."""
    yield from looked_after(tmp_path / "data of a study", PROJECT)


@pytest.fixture
def launcher(tmp_path, used_before):
    data = tmp_path / "data of a study"
    subprocess.run(["cp", "-a", used_before, data], check=True)
    yield from looked_after(data, PROJECT)


@pytest.fixture
def demo(tmp_path, used_before):
    """bin/demo's launcher in a project with the smallest commands, worker and web process it can start."""
    project, data = tmp_path / "project", tmp_path / "data of a study"
    shutil.copytree(PROJECT / "registry/embedded", project / "registry/embedded")
    shutil.copytree(PROJECT / "docker", project / "docker")
    for name, text in STAND_IN.items():
        (project / name).write_text(text)
    subprocess.run(["cp", "-a", used_before, data], check=True)
    yield from looked_after(data, project)


STAND_IN = {
    "manage.py": """
import os, sys
print(*sys.argv[1:], os.environ["METASPINE_SYNTHETIC"], os.environ.get("METASPINE_TLS"), flush=True)
sys.exit(sys.argv[1] == os.environ.get("FAILING"))
""",
    "registry/__init__.py": "",
    "registry/celery.py": """
import os, celery
app = celery.Celery(broker=os.environ["REDIS_URL"])
""",
    "registry/wsgi.py": """
import os
def application(environ, start_response):
    start_response(os.environ.get("STATUS", "200 OK"), [])
    return [b"here"]
""",
}
