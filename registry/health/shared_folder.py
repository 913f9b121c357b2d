"""Shared files: whether the processes of all hosts see the same store.

A worker leaves a mark in the shared store now and then, and notes in the database which; whoever looks compares.
"""

import os
import uuid

from django.conf import settings

from registry.health import heartbeats
from registry.services.files import shared_store

NAME = "store"  # of the row in the database
MARK = ".shared"
NOT_ASKED = object()
SAME, OTHER, CLOSED, UNKNOWN = "same", "other", "closed", "unknown"


def mark():
    """Leave a new mark; called by a worker. OSError where nothing can be written."""
    text = uuid.uuid4().hex
    unfinished = shared_store.private_folder() / f"{MARK}.{text}"
    unfinished.write_text(text)
    shared_store.put(unfinished, MARK)
    heartbeats.hold(NAME, text)


def compared(noted=NOT_ASKED):
    """SAME, OTHER, CLOSED (nothing can be written there) or UNKNOWN (no worker has been there yet).

    noted  the mark that a worker left last, None for none, where the caller has asked the database for it
    """
    if noted is NOT_ASKED:
        noted = heartbeats.holder(NAME)
    if noted is None:
        return UNKNOWN
    here = (shared_store.read(MARK) or b"").decode()
    if here and not settings.STORE and not os.access(settings.EXPORT_FOLDER, os.W_OK):
        return CLOSED
    # Between the file and the row of a worker that marks just now there is a moment.
    return SAME if here == noted or here == heartbeats.holder(NAME) else OTHER
