"""The secrets of one data folder: made once, kept in `secrets.json`, readable by the owner alone."""

import base64
import json
import os
import secrets

from registry.embedded import CannotStart
from registry.embedded.postgres import APPLICATION, OWNER


def keys(place):
    """{name: secret} of this data folder, made at its first use.

    Raises CannotStart where they are gone but data are there: new keys could not read the identifiers any more.
    """
    path = place.data / "secrets.json"
    if not path.exists():
        if place.cluster.exists():
            raise CannotStart(
                f"{path} is missing: restore it from the backup; without it the identifiers are unreadable."
            )
        write(place, path, make())
    return json.loads(path.read_text())


def make():
    return {
        OWNER: secrets.token_hex(24),
        APPLICATION: secrets.token_hex(24),
        "METASPINE_SECRET_KEY": secrets.token_urlsafe(50),
        "METASPINE_FIELD_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


def write(place, path, content):
    """All or nothing, and never readable by others, not even for a moment."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    if place.data.stat().st_uid == place.account.uid:
        place.account.own(unfinished)
    unfinished.rename(path)
