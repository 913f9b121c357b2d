"""For how long records of access are kept: sessions, invitations that nobody accepted, API tokens that ended.

The audit trail is not among them: the application has no right to remove anything from it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from sites import audit
from sites.models import ApiToken, Invitation


@dataclass(frozen=True)
class Old:
    """Rows whose time is over: a queryset, and the moment before which it was over."""

    rows: object
    before: datetime


def old_access(now: datetime | None = None) -> list[Old]:
    """What is old among the records of access: an Old each."""
    now = now or timezone.now()
    before = now - settings.ACCESS_RECORDS_KEPT
    return [
        Old(Session.objects.filter(expire_date__lt=now), now),
        Old(UserSession.objects.filter(last_seen_at__lt=before), before),
        Old(
            Invitation.objects.filter(accepted_at=None).filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)),
            before,
        ),
        Old(ApiToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)), before),
    ]


def purge(rows: Any, dry_run: bool = False) -> dict:
    """Delete the rows of some Olds, each on record as an act; returns name of table to number of rows.

    Call it in the system's scope, in a transaction.
    """
    counts = {}
    for row in rows:
        table = row.rows.model._meta.db_table
        counts[table] = row.rows.count() if dry_run else row.rows.delete()[0]
        if counts[table] and not dry_run:
            detail = {"rows": counts[table], "before": row.before.isoformat(timespec="seconds")}
            audit.record("purged", table=table, detail=detail)
    return counts
