"""Files between their upload and the decision to import them: in a private folder of the server, for half an hour.

Only the person who uploaded them finds them again. They are read anew when the import is confirmed.
"""

import os
import re
import secrets
import shutil
import tempfile
import time
from pathlib import Path

LARGEST = 25_000_000  # bytes of one file; for more there is the command
KEPT = 30 * 60  # seconds
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")


def _root():
    """The private folder; another user's folder of that name, or a link, is never used."""
    root = Path(tempfile.gettempdir()) / f"metaspine-uploads-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if root.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{root} is not a private folder of this user")
    return root


def _folder(user_id, token):
    return _root() / f"{int(user_id)}-{token}"


def hold(user_id, files):
    """Keep `files`, a mapping of our own file names to uploaded files; returns a token."""
    token = secrets.token_urlsafe(24)
    folder = _folder(user_id, token)
    folder.mkdir(mode=0o700)
    for name, upload in files.items():
        with (folder / name).open("wb") as stream:
            for chunk in upload.chunks():
                stream.write(chunk)
    return token


def held(user_id, token):
    """The folder of what this person uploaded, or None where there is none any more."""
    if not _TOKEN.fullmatch(token):
        return None
    folder = _folder(user_id, token)
    if not folder.is_dir() or _is_old(folder):
        return None
    return folder


def discard(user_id, token):
    if folder := held(user_id, token):
        shutil.rmtree(folder, ignore_errors=True)


def forget_old():
    """Remove what nobody decided about in time."""
    for folder in _root().iterdir():
        if _is_old(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_old(folder):
    try:
        return time.time() - folder.stat().st_mtime > KEPT
    except FileNotFoundError:
        return True
