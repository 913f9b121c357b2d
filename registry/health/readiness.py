"""Readiness: whether this process can serve, and whether what works in the background does.

`readiness()` asks the database two questions on the connection of the request, and the broker to store a word. It
tells words only: whoever may ask it need not sign in.
"""

import time
from functools import cache

from django.conf import settings
from django.core.cache import cache as broker
from django.db import Error, connection

from registry.guards import checking
from registry.health import heartbeats
from registry.health.waiting import known

OK, FAILED, SILENT = "ok", "failed", "silent"
SERVING = ("database", "migrations", "guards")  # without these nothing is served; without the rest people work on
SILENCE = 120  # seconds without a sign of life of beat or a queue after which it counts as away
# The table that a person's scope is computed from has no policy itself.
OPEN = "study_sites_membership"
GUARDS_EVERY = 300  # seconds

_QUESTION = f"""
    SELECT (SELECT count(*) FROM django_migrations WHERE app || '.' || name = ANY(%s)),
           (SELECT count(*) FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'site_id' AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> '{OPEN}'
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity)),
           (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
           current_setting('transaction_read_only')::bool
"""


def readiness():
    """{what: "ok", "failed" or "silent"}, in the order in which an operator looks."""
    checks = dict.fromkeys(SERVING, FAILED)
    ages = None
    try:
        with connection.cursor() as cursor:
            cursor.execute(_QUESTION, [_migrations()])
            applied, unguarded, bypasses, read_only = cursor.fetchone()
        checks["database"] = FAILED if read_only else OK  # a standby takes no save, and no session
        checks["migrations"] = OK if applied == len(_migrations()) else FAILED
        checks["guards"] = FAILED if unguarded or bypasses or not _guarded() else OK
        ages = heartbeats.ages()
    except Error:
        connection.close()
    checks["broker"] = OK if broker_answers() else FAILED
    checks["beat"] = _voice(ages, [heartbeats.BEAT])
    checks["worker"] = _voice(ages, [heartbeats.QUEUE + name for name in settings.QUEUES])
    return checks


def serves(checks):
    """Whether pages and the API can be served."""
    return all(checks[name] == OK for name in SERVING)


def _voice(ages, names):
    if ages is None:
        return FAILED
    return OK if all(ages.get(name, SILENCE + 1) <= SILENCE for name in names) else SILENT


_checked = (-GUARDS_EVERY, False)  # when all guards were last compared with what is declared, and whether they are so


def _guarded():
    """Every policy, trigger, function and right is as declared; compared as often as an operator may care to wait."""
    global _checked
    at, good = _checked
    if not good or time.monotonic() - at > GUARDS_EVERY:
        good = not checking.differences()
        _checked = (time.monotonic(), good)
    return good


@cache
def _migrations():
    return sorted(".".join(migration) for migration in known())


_answered = (0.0, False)  # when the broker was last asked, and whether it answered


def broker_answers():
    """Whether the broker takes a message; asked at most once a second by a process."""
    global _answered
    at, answers = _answered
    if time.monotonic() - at > 1:
        answers = broker.answers()
        _answered = (time.monotonic(), answers)
    return answers
