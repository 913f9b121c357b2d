"""Shared store: finished files that the processes of all hosts see, in a folder that they mount or in an S3 bucket.

`METASPINE_STORE` chooses; both are Django storages (django-storages brings S3). A file is written where its writer runs
(`settings.EXPORT_FOLDER`), and put into the store once it is whole. What goes wrong there is an OSError, `StoreAway`
where a bucket does not answer or refuses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage

BLOCK = 1 << 18
PATIENCE = {"connect_timeout": 3, "read_timeout": 30, "retries": {"max_attempts": 2}}


class StoreAway(OSError):
    """The bucket does not answer, or refuses; the text says which and why."""


def store() -> Storage:
    """The store as Django knows storages: a bucket where METASPINE_STORE names one, else the folder of exports."""
    if settings.STORE:
        return _bucket(tuple(sorted(settings.STORE.items())))
    return FileSystemStorage(
        settings.EXPORT_FOLDER, file_permissions_mode=0o600, directory_permissions_mode=0o700, allow_overwrite=True
    )


@cache
def _bucket(options: tuple) -> Storage:
    from botocore.config import Config  # 0.3 s, and only where there is a bucket
    from storages.backends.s3 import S3Storage

    client = Config(**PATIENCE, s3={"addressing_style": "path"}, signature_version="s3v4")
    return S3Storage(**dict(options), client_config=client, default_acl=None, querystring_auth=True)


def words() -> str:
    """Where the store is, for operators: the folder, or the bucket without its keys."""
    if not settings.STORE:
        return str(settings.EXPORT_FOLDER)
    named = "/".join(settings.STORE[part] for part in ("bucket_name", "location") if settings.STORE[part])
    return f"s3://{named}"


@contextmanager
def _answering() -> Iterator[None]:
    """What a bucket's client raises, as StoreAway."""
    if not settings.STORE:
        yield
        return
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreAway(f"{words()}: {error}") from error


def private_folder() -> Path:
    """The folder where files are written, for this user's processes alone."""
    settings.EXPORT_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings.EXPORT_FOLDER


class _Finished(File):
    """A file that a storage on the same disk renames, and another reads."""

    def __init__(self, content: Any, path: Path) -> None:
        super().__init__(content)
        self.path = path

    def temporary_file_path(self) -> str:
        return str(self.path)


def put(path: Path, name: str) -> None:
    """Put the finished file at `path` into the store under a name, in one step for whoever reads; it is moved."""
    with _answering():
        with path.open("rb") as content:
            store().save(name, _Finished(content, path))
        path.unlink(missing_ok=True)


def delete(name: str) -> None:
    """Take a file away; nothing where it is gone."""
    with _answering():
        store().delete(name)


def names() -> list[tuple[str, datetime]]:
    """The files of the store: (name, when it was put there)."""
    with _answering():
        there = store()
        if not settings.STORE and not settings.EXPORT_FOLDER.is_dir():
            return []
        return [(name, there.get_modified_time(name)) for name in there.listdir("")[1]]


@dataclass(frozen=True)
class Stored:
    """A file of the store: its name, its size in bytes, and when it was put there."""

    name: str
    size: int
    modified: datetime

    def whole(self) -> Any:
        """All of it: a file where there is one on this machine, which the web server sends by itself; else blocks."""
        return self.blocks(0, self.size - 1) if settings.STORE else store().open(self.name)

    def blocks(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes from `first` to `last`, both included, as they come."""
        with _answering():
            yield from (_of_bucket if settings.STORE else _of_folder)(self.name, first, last)


def _of_folder(name: str, first: int, last: int) -> Iterator[bytes]:
    with store().open(name) as content:
        content.seek(first)
        left = last - first + 1
        while left and (block := content.read(min(BLOCK, left))):
            left -= len(block)
            yield block


def _of_bucket(name: str, first: int, last: int) -> Iterator[bytes]:
    """As they are asked for: the storage itself would fetch all of a file before the first byte of it."""
    there: Any = store()
    file = there.bucket.Object(there._normalize_name(name))
    yield from file.get(Range=f"bytes={first}-{last}")["Body"].iter_chunks(BLOCK)


def find(name: str) -> Stored | None:
    """The file of that name, or None."""
    with _answering():
        there = store()
        if not there.exists(name):
            return None
        return Stored(name, there.size(name), there.get_modified_time(name))


def read(name: str) -> bytes | None:
    """What a small file holds, or None where there is none."""
    if (file := find(name)) is None:
        return None
    return b"".join(file.blocks(0, file.size - 1)) if file.size else b""
