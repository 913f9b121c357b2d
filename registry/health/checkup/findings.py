"""What a check is given, what it returns, and how checks are carried out."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.functional import Promise

from registry.health import heartbeats
from sites.logs.redaction import redacted
from sites.tenancy.scope import current, everything

log = logging.getLogger(__name__)

OK, NOTE, WARNING, FAILED, OFF = "ok", "note", "warning", "failed", "off"
WORST_FIRST = (FAILED, WARNING, NOTE, OK, OFF)


@dataclass(frozen=True)
class Finding:
    """How one part is: `state` is OK, NOTE, WARNING, FAILED, or OFF for what the installation does without.

    text  one sentence, in the language of whoever asks; what to do stands in it where something is to be done
    more  further lines, such as one for each queue
    """

    state: str
    text: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A part of the installation: `name` is a word for programs, `title` for people (lazy), `look` finds how it is."""

    name: str
    title: str | Promise
    look: Callable[["Looking"], Finding]


@dataclass
class Looking:
    """What checks share: the request where a page asks, and what several of them want from the database."""

    request: HttpRequest | None = None
    beats: dict = field(default_factory=dict)  # name: (seconds since, seconds it took, error)

    def ask(self, sql, *values):
        """The first row of a query."""
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchone()

    def rows(self, sql, *values):
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()


def examine(checks, request=None):
    """[(Check, Finding, seconds)], in the order of the checks."""
    looking = Looking(request)
    looking.beats = _or_nothing(heartbeats.all_of_them)
    return [_examined(check, looking) for check in checks]


def _or_nothing(read):
    try:
        with transaction.atomic():
            return read()
    except Exception:  # the check of the database says what is wrong
        log.warning("signs of life cannot be read", exc_info=True)
        return {}


def _examined(check, looking):
    began = time.monotonic()
    try:
        with everything(user_id=current().user_id, reason="check-up"), transaction.atomic():
            finding = check.look(looking)
    except Exception as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        finding = Finding(FAILED, redacted(f"{type(error).__name__}: {words[0]}")[:300])
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
    return check, finding, time.monotonic() - began


def worst(examined):
    """The worst state among findings."""
    states = {finding.state for _check, finding, _seconds in examined}
    return next(state for state in WORST_FIRST if state in states)
