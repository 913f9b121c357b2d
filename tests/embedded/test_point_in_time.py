"""The recipe of docs/operations.md for going back to a moment, tried with PostgreSQL's own programs."""

import re
import shutil
import time

import pytest

from registry.embedded import PROJECT
from registry.embedded.place import place_for
from registry.embedded.postgres import program
from tests.working import until

RECIPE = (PROJECT / "docs/operations.md").read_text()


def recipe(name):
    """A setting as the recipe has it."""
    return re.search(rf"^ +{name} = ('.*?'|\w+)", RECIPE, re.MULTILINE)[1]


class Server:
    """A PostgreSQL in a folder, on a socket there."""

    def __init__(self, place, folder, data):
        self.place, self.folder, self.data = place, folder, data

    def run(self, name, *arguments, **more):
        done = self.place.run(program(name), *arguments, capture_output=True, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, **settings):
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with open(self.data / "postgresql.conf", "a") as configuration:
            configuration.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n{text}")
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.folder / "log", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-m", mode, "stop")

    def ask(self, sql):
        return self.run("psql", "-qAtX", "-h", self.folder, "-U", "postgres", "-c", sql).strip()


@pytest.fixture
def folder():
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="metaspine-pitr-") as name:
        yield Path(name)


def test_a_registry_goes_back_to_the_moment_before_a_mistake(folder):
    place = place_for(folder / "place")
    for name in ("data", "archive", "sockets"):
        (folder / name).mkdir(mode=0o700)
        place.account.own(folder / name)
    folder.chmod(0o711)
    archive = folder / "archive"
    first = Server(place, folder / "sockets", folder / "data")
    first.run("initdb", "-D", first.data, "-U", "postgres", "--auth=trust")
    first.start(
        archive_mode=recipe("archive_mode"),
        archive_command=recipe("archive_command").replace("/archive", str(archive)),
        archive_timeout=recipe("archive_timeout"),
    )
    first.ask("CREATE TABLE patient (id int)")
    base = folder / "sockets/base"
    first.run("pg_basebackup", "-h", first.folder, "-U", "postgres", "-D", base, "-c", "fast", "-X", "none")
    first.ask("INSERT INTO patient SELECT generate_series(1, 7)")
    time.sleep(0.2)
    moment = first.ask("SELECT now()")
    time.sleep(0.2)
    first.ask("DELETE FROM patient; SELECT pg_switch_wal()")
    first.stop()  # what was not archived yet is, as it ends
    shutil.rmtree(first.data)

    again = Server(place, first.folder, base)
    (base / "recovery.signal").touch()
    place.account.own(base / "recovery.signal")
    again.start(
        restore_command=recipe("restore_command").replace("/archive", str(archive)),
        recovery_target_time=f"'{moment}'",
        recovery_target_action=recipe("recovery_target_action"),
        archive_mode="off",
    )
    try:
        until(lambda: again.ask("SELECT pg_is_in_recovery()") == "f")
        assert again.ask("SELECT count(*) FROM patient") == "7"
        again.ask("INSERT INTO patient VALUES (8)")  # it is a primary again
    finally:
        again.stop("immediate")
