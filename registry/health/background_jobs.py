"""Background jobs as operators see them: those of each kind that wait or failed; no plan, no patient."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from registry.models import ComparisonRun, Erasing, Export, Freezing, Import
from registry.services.jobs import why_failed
from sites.models import User

DAYS = 7
KINDS = {
    "comparison": ComparisonRun,
    "erasure": Erasing,
    "export": Export,
    "import": Import,
    "snapshot": Freezing,
}
UNDER_WAY = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """One job: its kind, its key, who asked for it (id and name), when it was asked for or ended, and what it says."""

    kind: str
    key: str
    person: str
    at: datetime
    error: str
    status: str


# Of all kinds at once: those that are under way, and those that failed lately.
_LATELY = " UNION ALL ".join(
    f"""SELECT '{kind}', j.id::text, u.name, u.email, j.requested_at, j.finished_at, to_jsonb(j.error)::text, j.status
    FROM {model._meta.db_table} AS j LEFT JOIN {User._meta.db_table} AS u ON u.id = j.requested_by_id
    WHERE j.status = ANY (%(under_way)s) OR j.status = 'failed' AND j.finished_at > %(since)s"""
    for kind, model in KINDS.items()
)


def lately(days=DAYS):
    """(jobs that wait or run, the oldest first; jobs that failed in the last days, the newest first)"""
    since = timezone.now() - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(_LATELY, {"under_way": list(UNDER_WAY), "since": since})
        rows = cursor.fetchall()
    waiting, failed = [], []
    for kind, key, name, email, asked, ended, error, status in rows:
        at, into = (asked, waiting) if status in UNDER_WAY else (ended, failed)
        into.append(Job(kind, key, name or email or "–", at, why_failed(json.loads(error or "null")), status))
    return sorted(waiting, key=_at), sorted(failed, key=_at, reverse=True)


def _at(job):
    return job.at
