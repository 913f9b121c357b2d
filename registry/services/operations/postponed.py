"""Postponed messages: what could not be sent to the workers is kept in the database until the broker answers again."""

import json
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import transaction

from registry.models import Postponed

BATCH = 100


def keep(task: Any, args: Any, kwargs: Any) -> None:
    """Keep a call of `task` (its full name) with plain values. It commits with the transaction that it is part of."""
    content = json.dumps([list(args or ()), dict(kwargs or {})]).encode()
    Postponed.objects.create(task=task, arguments=_cipher().encrypt(content))


def send_all(send: Any) -> int:
    """Send what was kept, oldest first: `send(task, args, kwargs)`, which raises where the broker is away again.

    Returns how many were sent. A message whose sending is interrupted is sent again: tasks may run twice.
    """
    sent = 0
    while True:
        with transaction.atomic():
            rows = list(Postponed.objects.select_for_update(skip_locked=True).order_by("pk")[:BATCH])
            for row in rows:
                args, kwargs = json.loads(_cipher().decrypt(bytes(row.arguments)))
                send(row.task, args, kwargs)
            Postponed.objects.filter(pk__in=[row.pk for row in rows]).delete()
        sent += len(rows)
        if len(rows) < BATCH:
            return sent


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
