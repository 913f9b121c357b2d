"""Copies of the tests' own PostgreSQL, made by pg_basebackup: a standby that follows it, or a primary of its own."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from registry.embedded.place import place_for
from registry.embedded.postgres import PORT, program


class Server:
    """A PostgreSQL in a folder of its own, on a socket there.

    source  the folder of the socket of the server that it is a copy of
    """

    def __init__(self, place, folder, source, *, follows):
        self.place, self.folder, self.data = place, folder, folder / "data"
        options = ["-c", "fast", "-X", "stream", *(["-R"] if follows else [])]
        self.run("pg_basebackup", "-h", source, "-p", PORT, "-U", "postgres", "-D", self.data, *options)

    def run(self, name, *arguments):
        done = self.place.run(program(name), *arguments, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, **settings):
        words = {"unix_socket_directories": self.folder, "max_wal_senders": 10} | settings
        options = " ".join(f"-c {name}='{value}'" for name, value in words.items())
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.log_file, "-o", options, "start")
        return self

    def stop(self, mode="immediate"):
        self.place.run(program("pg_ctl"), "-D", self.data, "-w", "-s", "-m", mode, "stop", capture_output=True)

    def promote(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "promote")

    def ask(self, sql):
        return self.run("psql", "-qAtX", "-h", self.folder, "-p", PORT, "-U", "postgres", "-c", sql).strip()

    @property
    def log_file(self):
        return self.data / "server.log"

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")


@contextmanager
def copies():
    """`copy(source, follows=…)` makes a Server, not yet started, of the server at the socket folder `source`."""
    place, made = place_for(os.environ["METASPINE_DATA"]), []

    def copy(source=None, *, follows):
        folder = Path(tempfile.mkdtemp(prefix="metaspine-copy-"))
        place.account.own(folder)
        made.append(Server(place, folder, source or place.sockets, follows=follows))
        return made[-1]

    try:
        yield copy
    finally:
        for server in made:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)


def address(url, *servers, **options):
    """The database's address at other servers: the first of them that suits the options."""
    hosts = ",".join(str(server.folder) for server in servers)
    ports = ",".join(str(PORT) for _server in servers)
    return urlunsplit(urlsplit(url)._replace(query=urlencode({"host": hosts, "port": ports} | options)))
