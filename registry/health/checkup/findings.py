"""What a check is given, what it returns, and how checks are carried out."""

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection, transaction
from django.http import HttpRequest
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from psycopg.pq import TransactionStatus

from registry.health import background_jobs, heartbeats, shared_folder
from sites.logs.redaction import redacted
from sites.tenancy.scope import current, everything

log = logging.getLogger(__name__)

OK, NOTE, WARNING, FAILED, OFF = "ok", "note", "warning", "failed", "off"
WORST_FIRST = (FAILED, WARNING, NOTE, OK, OFF)
REASON = "check-up"
ANEW = "anew"  # in the address of a page that is to look at everything now
PATIENCE = 1.2  # seconds that servers beside the database may take to answer, names included


@dataclass(frozen=True)
class Finding:
    """How one part is: `state` is OK, NOTE, WARNING, FAILED, or OFF for what the installation does without.

    text  one sentence, in the language of whoever asks; what to do stands in it where something is to be done
    more  further lines, such as one for each queue
    """

    state: str
    text: str
    more: tuple[str, ...] = ()


def _nowhere():
    return False


# What the server says of itself, asked at once for the checks that tell of it.
SERVER = """
    SELECT pg_database_size(current_database()) AS size, current_setting('transaction_read_only')::bool AS read_only,
           current_setting('server_version_num')::int AS version, current_user::text AS role,
           (SELECT sum(numbackends) FROM pg_stat_database)::int AS used,
           current_setting('max_connections')::int AS allowed, pg_backend_pid() AS pid,
           ARRAY(SELECT current_setting(name) FROM unnest(%s::text[]) WITH ORDINALITY AS asked (name, place)
                 ORDER BY place) AS limits
"""
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "log_min_duration_statement")


@dataclass(frozen=True)
class Check:
    """A part of the installation: `name` is a word for programs, `title` for people (lazy), `look` finds how it is.

    database   whether it can be looked at only where the database answers
    elsewhere  whether another server is asked: that is done beside the rest, and nobody waits for it past PATIENCE
    """

    name: str
    title: str | Promise
    look: Callable[["Looking"], Finding]
    database: bool = True
    elsewhere: Callable[[], bool] = _nowhere


@dataclass
class Looking:
    """What checks share: the request where a page asks, and what several of them want from the database."""

    request: HttpRequest | None = None
    beats: dict = field(default_factory=dict)  # name: (seconds since, seconds it took, error)
    mark: object = shared_folder.NOT_ASKED  # that a worker left last in the shared store, None for none
    away: str = ""  # why the database does not answer

    @property
    def takes_what_is_kept(self):
        """Whether a check may tell what a worker found some minutes ago: on a page that was not asked to look anew."""
        return self.request is not None and ANEW not in self.request.GET

    @cached_property
    def server(self):
        """The row of SERVER."""
        with connection.cursor() as cursor:
            cursor.execute(SERVER, [list(LIMITS)])
            row = dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))
        return SimpleNamespace(**row)

    @cached_property
    def jobs(self):
        """What `background_jobs.lately` gives."""
        return background_jobs.lately()

    @cached_property
    def queues(self):
        """{name of a queue: messages that wait in it}; None with Redis away."""
        return cache.lengths(settings.QUEUES)

    def ask(self, sql, *values):
        """The first row of a query."""
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchone()

    def rows(self, sql, *values):
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()


def examine(checks, looking=None):
    """[(Check, Finding, seconds)], in the order of the checks; `looking` keeps what they shared."""
    looking = looking or Looking()
    _ask_the_database(looking)
    elsewhere = {check.name for check in checks if check.elsewhere()}
    answers = {check.name: _begun(check, looking) for check in checks if check.name in elsewhere}
    until = time.monotonic() + PATIENCE
    examined = _one_by_one([check for check in checks if check.name not in elsewhere], looking)
    late = Finding(WARNING, _("No answer within %(seconds)s s.") % {"seconds": PATIENCE})
    for check in checks:
        if check.name in elsewhere:
            examined[check.name] = _in_time(answers[check.name], until) or (check, late, PATIENCE)
    return [examined[check.name] for check in checks]


def _one_by_one(checks, looking):
    """{name: (Check, Finding, seconds)}: in one scope and transaction, and in another after a check that broke it."""
    if looking.away:
        return {check.name: _examined(check, looking) for check in checks}
    left, examined = list(checks), {}
    while left:
        began = time.monotonic()
        try:
            with scope():
                while left:
                    began, check = time.monotonic(), left[0]
                    examined[check.name] = check, check.look(looking), time.monotonic() - began
                    left.pop(0)
                    if connection.connection.info.transaction_status == TransactionStatus.INERROR:
                        transaction.set_rollback(True)  # the check kept an error of the database to itself
                        break
        except Exception as error:
            finding = _broken(error)
            if left:
                check = left.pop(0)
                examined[check.name] = check, finding, time.monotonic() - began
    return examined


@contextmanager
def scope():
    """The scope in which is looked, and a transaction; only a savepoint within another of its kind."""
    here = current()
    inside = here.administers and here.reason == REASON
    with nullcontext() if inside else everything(user_id=here.user_id, reason=REASON), transaction.atomic():
        yield


def _broken(error):
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    return Finding(FAILED, _words(error))


def _ask_the_database(looking):
    """Signs of life; where the database does not answer, that is found out, and waited for, once."""
    try:
        with transaction.atomic():
            looking.beats, noted = heartbeats.all_of_them()
            looking.mark = noted.get(shared_folder.NAME)
    except Error as error:  # the check of the migrations tells of a table that is not there
        log.warning("signs of life cannot be read: %s", _words(error))
        if connection.connection is None or connection.connection.closed:
            looking.away = _words(error)


def _begun(check, looking):
    """A queue that will have the finding. The thread is left alone where it hangs, as in the name of a server."""
    answer: queue.Queue = queue.Queue(1)
    language = translation.get_language()

    def look():
        try:
            with translation.override(language):
                answer.put(_examined(check, looking))
        finally:
            connection.close()

    threading.Thread(target=contextvars.copy_context().run, args=(look,), daemon=True).start()
    return answer


def _in_time(answer, until):
    try:
        return answer.get(timeout=max(until - time.monotonic(), 0.001))
    except queue.Empty:
        return None


def _examined(check, looking):
    began = time.monotonic()
    return check, _finding(check, looking), time.monotonic() - began


def _finding(check, looking):
    if not check.database:
        return _look(check, looking)
    if looking.away:
        return Finding(NOTE, _("Not looked at: the database does not answer."))
    if check.elsewhere():  # in a thread each connection to the database is a new one: it makes one where it needs it
        return _look(check, looking)
    try:
        with scope():
            return check.look(looking)
    except Exception as error:
        return _broken(error)


def _look(check, looking):
    try:
        return check.look(looking)
    except Exception as error:
        return Finding(FAILED, _words(error))


def _words(error):
    """What an error says, in one line without secrets."""
    words = str(error).strip().splitlines() or [type(error).__name__]
    return redacted(f"{type(error).__name__}: {words[0]}")[:300]


def worst(examined):
    """The worst state among findings."""
    states = {finding.state for _check, finding, _seconds in examined}
    return next(state for state in WORST_FIRST if state in states)
