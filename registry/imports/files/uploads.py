"""What an import keeps between two steps: the uploaded files and what was found in them, encrypted in the database.

Any web process or worker reads them. They hold birth dates and answers, so each import has a key of its own, encrypted
with the deployment's key, and everything goes once the import is decided or forgotten.
"""

import hashlib
import os
from itertools import islice

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.utils import timezone

from registry.models import Import, ImportPart
from registry.services.records.identity import unwrapped_key, wrapped_key

LARGEST = 25_000_000  # bytes of one file; for more there is the command
MOST_FILES = 10
PIECE = 1 << 20
TOGETHER = 10  # pieces in a statement: the pages of a difference view are hundreds of small ones
_NONCE = 12
UNDECIDED = (Import.Status.OPEN, Import.Status.CHECKED, Import.Status.FAILED, Import.Status.CANCELLED)


def new_import(user_id, files, **fields):
    """Keep `files` (name → uploaded file, or bytes) and return their Import."""
    job = Import(requested_by_id=user_id, **fields)
    key, job.key = wrapped_key(str(job.pk))
    job.save()
    for number, (name, upload) in enumerate(files.items()):
        pieces = upload.chunks(PIECE) if hasattr(upload, "chunks") else [upload]
        digest, size = hashlib.sha256(), 0
        for position, piece in enumerate(pieces):
            digest.update(piece)
            size += len(piece)
            _part(job, key, f"file:{number}", position, piece).save()
        job.files.append({"name": name[:120], "size": size, "sha256": digest.hexdigest()})
    job.save(update_fields=["files"])
    return job


def _part(job, key, name, position, content):
    nonce = os.urandom(_NONCE)
    bound = f"{job.pk}:{name}:{position}".encode()
    sealed = nonce + AESGCM(key).encrypt(nonce, content, bound)
    return ImportPart(belongs_to=job, name=name, position=position, content=sealed)


def keep(job, name, pieces):
    """Keep `pieces` (bytes) of an import under `name`, instead of what was kept there."""
    key = unwrapped_key(job.key, str(job.pk))
    job.parts.filter(name=name).delete()
    parts = (_part(job, key, name, position, content) for position, content in enumerate(pieces))
    while some := [*islice(parts, TOGETHER)]:
        ImportPart.objects.bulk_create(some)


def stored(job, name, position=None):
    """The pieces kept under `name`, as an iterator of bytes, or the one at `position` (None where there is none)."""
    key = unwrapped_key(job.key, str(job.pk))
    parts = job.parts.filter(name=name).order_by("position")
    if position is not None:
        part = parts.filter(position=position).first()
        return part and _opened(job, key, part)
    return (_opened(job, key, part) for part in parts.iterator(chunk_size=4))


def _opened(job, key, part):
    content = bytes(part.content)
    bound = f"{job.pk}:{part.name}:{part.position}".encode()
    return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], bound)


def write_file(job, number, path):
    """Write the uploaded file `number` of an import to `path`; False where it is not kept any more."""
    with path.open("wb") as stream:
        for piece in stored(job, f"file:{number}"):
            stream.write(piece)
    return path.stat().st_size > 0 or job.files[number]["size"] == 0


def forget(job):
    """Remove everything that an import keeps."""
    job.parts.all().delete()


def forget_old():
    """Discard what nobody decided about in time; returns how many imports."""
    late = Import.objects.filter(status__in=UNDECIDED, heartbeat_at__lt=timezone.now() - settings.IMPORT_FILES_KEPT)
    ids = list(late.values_list("pk", flat=True))
    ImportPart.objects.filter(belongs_to__in=ids).delete()
    Import.objects.filter(pk__in=ids, status__in=UNDECIDED).update(
        status=Import.Status.DISCARDED, finished_at=timezone.now()
    )
    return len(ids)
