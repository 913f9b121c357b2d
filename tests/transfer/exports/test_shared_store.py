"""The shared store in an S3-compatible bucket (moto's server): exports there as in a folder, and when it is away."""

import io
import os
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from registry import settings as declared
from registry.exports import jobs
from registry.exports.choices import Choices
from registry.health import shared_folder
from registry.models import Export
from registry.services.files import shared_store
from registry.tasks import sweep
from sites.tenancy.access import access_of
from tests.working import free_port, until

MOTO = "from moto.server import main; import sys; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def server():
    """The address of an S3 server that keeps its buckets in memory."""
    port = free_port()
    command = [sys.executable, "-c", MOTO, "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))

    def answers():
        assert process.poll() is None, "the store ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 60):
            return True

    until(answers)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def bucket(server, settings, tmp_path):
    """A new bucket as the shared store of this process; returns django-storages' view of it."""
    name = f"registry-{time.time_ns()}"
    settings.EXPORT_FOLDER = tmp_path / "exports"
    settings.STORE = declared.bucket(f"s3://{name}/exports?endpoint={server}&region=eu-west-1", "key", "secret")
    shared_store.store().connection.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return shared_store.store()


@pytest.fixture
def away(settings, tmp_path):
    """A bucket of a server that is not there."""
    settings.EXPORT_FOLDER = tmp_path / "exports"
    settings.STORE = declared.bucket("s3://registry/exports?endpoint=http://127.0.0.1:9&region=eu-west-1", "k", "s")


@pytest.fixture
def exported(good, bring_in, alice):
    """An export of alice's that was asked for and carried out."""
    assert bring_in(good).stored

    def perform():
        export = jobs.request(access=access_of(alice), choices=Choices())
        jobs.perform(export.pk, reporting=False)
        return Export.objects.get(pk=export.pk)

    return perform


def left_in(folder):
    return [path.name for path in folder.iterdir()]


def test_an_export_lies_in_the_bucket_and_is_fetched_whole_and_in_parts(bucket, exported, alice, client, settings):
    export = exported()
    assert (export.status, left_in(settings.EXPORT_FOLDER)) == ("done", [])
    assert bucket.listdir("")[1] == [f"{export.pk}.zip"]
    client.force_login(alice)
    address = f"/export/{export.pk}/file/"
    answer = client.get(address)
    content = b"".join(answer.streaming_content)
    assert (int(answer["Content-Length"]), answer["Content-Disposition"]) == (
        export.size,
        f'attachment; filename="{export.filename}"',
    )
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.testzip() is None
    part = client.get(address, headers={"Range": "bytes=5-99"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, content[5:100])
    assert b"".join(client.get(address, headers={"Range": "bytes=-7"}).streaming_content) == content[-7:]
    assert client.get(address, headers={"Range": f"bytes={len(content)}-"}).status_code == 416


def test_files_in_the_bucket_expire_and_what_nobody_has_goes(bucket, exported, settings, monkeypatch):
    over, fresh = exported(), exported()
    Export.objects.filter(pk=over.pk).update(expires_at=timezone.now())
    nobodys = shared_store.private_folder() / "new"
    nobodys.write_bytes(b"rows")
    shared_store.put(nobodys, "f6f0c5c4-0000-4000-8000-000000000000.zip")
    assert jobs.expire() == 1
    assert set(bucket.listdir("")[1]) == {f"{fresh.pk}.zip", "f6f0c5c4-0000-4000-8000-000000000000.zip"}
    later = timezone.now() + timedelta(days=1, minutes=1)
    monkeypatch.setattr(jobs.timezone, "now", lambda: later)
    jobs.expire()
    assert bucket.listdir("")[1] == [f"{fresh.pk}.zip"]


def test_hosts_with_one_bucket_see_the_same_and_another_prefix_is_told(db, bucket, settings):
    assert shared_folder.compared() == shared_folder.UNKNOWN
    shared_folder.mark()
    assert shared_folder.compared() == shared_folder.SAME
    settings.STORE = settings.STORE | {"location": "elsewhere"}
    assert shared_folder.compared() == shared_folder.OTHER
    assert shared_store.words().endswith("/elsewhere") and "secret" not in shared_store.words()


def test_a_bucket_that_is_away_fails_the_export_with_its_reason_and_holds_up_nothing_else(
    away, exported, alice, client, settings
):
    export = exported()
    assert (export.status, left_in(settings.EXPORT_FOLDER)) == ("failed", [])
    assert export.error["en"].startswith("The server has no room for the file, or its store does not answer.")
    Export.objects.filter(pk=export.pk).update(status="done", expires_at=timezone.now())
    sweep()
    assert Export.objects.get(pk=export.pk).status == "done"  # it is taken away once the store is back
    client.force_login(alice)
    client.raise_request_exception = False
    answer = client.get(f"/export/{export.pk}/file/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")


@pytest.mark.parametrize("address", ["/srv/files", "s3:///prefix", "https://bucket"])
def test_a_store_that_is_neither_folder_nor_bucket_is_refused(address):
    with pytest.raises(ImproperlyConfigured, match=r"begins with s3://"):
        declared.bucket(address, "key", "secret")
