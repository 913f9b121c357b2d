"""Shared folder: whether the processes of all hosts see the same files.

A worker leaves a mark in the folder of exports now and then, and notes in the database which; whoever looks compares.
"""

import os
import uuid

from django.conf import settings

from registry.health import heartbeats

NAME = "store"  # of the row in the database
MARK = ".shared"
SAME, OTHER, CLOSED, UNKNOWN = "same", "other", "closed", "unknown"


def mark():
    """Leave a new mark; called by a worker. OSError where the folder cannot be written."""
    folder = settings.EXPORT_FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = uuid.uuid4().hex
    unfinished = folder / f"{MARK}.{text}"
    unfinished.write_text(text)
    unfinished.replace(folder / MARK)
    heartbeats.hold(NAME, text)


def compared():
    """SAME, OTHER, CLOSED (nothing can be written there) or UNKNOWN (no worker has been there yet)."""
    noted = heartbeats.holder(NAME)
    if noted is None:
        return UNKNOWN
    try:
        here = (settings.EXPORT_FOLDER / MARK).read_text()
    except OSError:
        return OTHER
    if not os.access(settings.EXPORT_FOLDER, os.W_OK):
        return CLOSED
    # Between the file and the row of a worker that marks just now there is a moment.
    return SAME if here == noted or here == heartbeats.holder(NAME) else OTHER
