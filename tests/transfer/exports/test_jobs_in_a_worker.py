"""Exports by a real worker: killed, cancelled and expired; and a download that broke off, over a real connection."""

import hashlib
import http.client
import os
import signal
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from registry import tasks
from registry.analysis.running import freezing
from registry.exports import jobs
from registry.exports.choices import Choices
from registry.health import shared_folder
from registry.models import Export, Freezing, Snapshot
from sites.models import Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.analysis.conftest import answers, patient, store
from tests.api.conftest import issued
from tests.conftest import person
from tests.working import PATIENCE, a_worker, export_path, has_looked_whether_to_stop, locked, serving, until

pytestmark = pytest.mark.celery
LAST_READ = "registry_adverseevent"  # by then the file has been begun


@pytest.fixture
def bob(committed, broker, folder):
    north = Site.objects.create(code="N01", name="North Hospital")
    visits = {"preop": answers("45344", 30), "1m": answers("13315", 90)}
    store(north, [patient(visits=visits) for _ in range(9)])
    return person("Bob", Role.STATISTICIAN)


@pytest.fixture
def access(bob):
    access = access_of(bob)
    with entered(access.scope()):
        yield access


def left_in(folder):
    """Endings of the files but the mark by which hosts know that they share the folder."""
    return sorted(path.suffix for path in folder.glob("*") if path.name != shared_folder.MARK)


def state_of(export):
    export.refresh_from_db()
    return export.status


def fetched(port, path, token, at_most=None, **headers):
    """(status, headers, bytes) of a GET; with `at_most` the connection is dropped after so many bytes."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    asking.request("GET", path, headers={"Authorization": f"Bearer {token}", **headers})
    answer = asking.getresponse()
    content = answer.read(at_most)
    asking.close()
    return answer.status, answer.headers, content


def test_a_killed_worker_leaves_no_file_and_the_next_one_writes_it_whole(bob, access, folder, tmp_path):
    environment = {"METASPINE_EXPORTS": str(folder)}
    export = jobs.request(access=access, choices=Choices())
    with a_worker(tmp_path, "first", **environment) as first, locked(LAST_READ):
        tasks.send(export)
        until(lambda: state_of(export) == "running" and left_in(folder) == [".part"])
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert (state_of(export), left_in(folder), export_path(export).exists()) == ("running", [".part"], False)
    Export.objects.filter(pk=export.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    tasks.sweep()
    assert state_of(export) == "queued"
    with a_worker(tmp_path, "second", **environment) as second:
        until(lambda: state_of(export) == "done")
        # Killed while it freezes, it leaves no snapshot; the next one makes it, of the moment at which it begins.
        asked = freezing.request(access=access, label="Board")
        with locked(LAST_READ):
            tasks.send(asked)
            until(lambda: state_of(asked) == "running")
            os.killpg(second.pid, signal.SIGKILL)
            second.wait()
    assert (state_of(asked), Snapshot.objects.exists()) == ("running", False)
    began = timezone.now()
    Freezing.objects.update(heartbeat_at=began - timedelta(hours=1))
    tasks.sweep()
    assert freezing.perform(asked.pk)
    made = Snapshot.objects.get(pk=asked.pk)
    assert (state_of(asked), asked.attempts, made.rows["patients"], made.created_at > began) == ("done", 2, 9, True)
    assert export.attempts == 2
    content = export_path(export).read_bytes()
    assert (export.size, export.sha256) == (len(content), hashlib.sha256(content).hexdigest())

    # A download that broke off goes on over another connection, and what arrives is what was written.
    path, token = f"/api/v1/exports/{export.pk}/file", issued(bob)
    with serving() as port:
        status, headers, begun = fetched(port, path, token, at_most=1000)
        assert (status, len(begun)) == (200, 1000)
        again = {"Range": f"bytes={len(begun)}-", "If-Range": headers["ETag"]}
        status, headers, rest = fetched(port, path, token, **again)
        assert (status, headers["Content-Range"]) == (206, f"bytes 1000-{export.size - 1}/{export.size}")
        assert hashlib.sha256(begun + rest).hexdigest() == export.sha256

        # Its time over, the sweeper takes the file away, and after a day what the killed worker had begun.
        Export.objects.filter(pk=export.pk).update(expires_at=timezone.now())
        tasks.sweep()
        assert (state_of(export), left_in(folder)) == ("expired", [".part"])
        status, _headers, _content = fetched(port, path, token)
        assert status == 409
    (begun,) = (path for path in folder.iterdir() if path.suffix == ".part")
    yesterday = time.time() - timedelta(days=2).total_seconds()
    os.utime(begun, (yesterday, yesterday))
    tasks.sweep()
    assert left_in(folder) == []


def test_an_export_cancelled_while_it_is_written_leaves_nothing(access, folder, tmp_path):
    export = jobs.request(access=access, choices=Choices())
    with a_worker(tmp_path, METASPINE_EXPORTS=str(folder)):
        with locked(LAST_READ):
            tasks.send(export)
            until(lambda: state_of(export) == "running" and left_in(folder) == [".part"])
            jobs.cancel(access=access, export=export)
            has_looked_whether_to_stop(export)
        until(lambda: state_of(export) == "cancelled")
    assert left_in(folder) == []
