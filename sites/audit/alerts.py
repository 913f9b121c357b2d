"""Alerts: refusals that somebody should look at, told to administrators by mail once for each kind and hour.

The audit trail is the only source: whatever path a refusal takes, it is an event there, with the person. A task looks
at what is new (`due`); nothing is asked of the request that was refused. 21 CFR 11.300(d) asks for this.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites import audit
from sites.models import Alert, AuditEvent, Membership, Site, User
from sites.tenancy.access import Role
from sites.tenancy.scope import current, everything

# Action in the trail to what it is called.
KINDS = {
    "sign_in_locked": _("Lockouts after too many wrong passwords, codes, links or tokens"),
    "signing_refused": _("Signatures that were refused"),
    "unlocking_refused": _("Unlockings that were refused"),
    "token_refused": _("API tokens that were refused"),
    "verification_failed": _("Verifications that failed"),
    "signature_broken": _("Broken signatures that somebody came upon"),
    "downloads_limited": _("Downloads that were stopped: too many in an hour"),
    "sealing_stopped": _("The sealing of the audit trail stopped"),
    "sealing_refused": _("The sealing of the audit trail was refused: what was sealed before is not there"),
    "guards_changed": _("Guards of the database were changed"),
    "safety_mail_failed": _("Mails about serious adverse events failed, and are tried again"),
    "backup_overdue": _("Backups are too old or cannot be restored"),
}
PAUSE = timedelta(hours=1)  # between two mails of one kind
SETTLED = timedelta(minutes=2)  # after which what began then has been committed, in whatever order
UNSEALED = timedelta(minutes=30)  # that an event may wait for its seal: six rounds of the sealer


@dataclass(frozen=True)
class Due:
    """What administrators are told in one mail: `about` are names of people and codes of sites, each with its count."""

    kind: str
    count: int
    about: tuple[tuple[str, int], ...]


def administrators() -> Any:
    """The active people who administer today."""
    running = Membership.objects.running(timezone.localdate()).filter(role=Role.ADMIN)
    return User.objects.filter(is_active=True, pk__in=running.values("user"))


def verification_failed(what: Any, findings: Any) -> None:
    """Put a verification on record that found something. `what` was verified, such as `audit trail`."""
    with everything(user_id=current().user_id, reason="verification"), transaction.atomic():
        audit.record("verification_failed", detail={"what": what, "findings": findings})


def sealing_stopped(why: str = "") -> None:
    """Put on record that events are not sealed, once an hour; `why` is the name of a fault, where there was one."""
    with everything(reason="sealing"), transaction.atomic():
        lately = AuditEvent.objects.filter(action="sealing_stopped", at__gt=timezone.now() - PAUSE)
        if (why or is_sealing_behind()) and not lately.exists():
            audit.record("sealing_stopped", table="study_sites_auditseal", detail={"why": why} if why else {})


def is_sealing_behind() -> bool:
    """Whether events have waited for their seal for longer than they may."""
    with everything(user_id=current().user_id), transaction.atomic():
        return waits_for_a_seal()


def waits_for_a_seal() -> bool:
    """The same of the events in scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(made_at) FROM study_sites_auditseal")
        (sealed_at,) = cursor.fetchone()
    if sealed_at and sealed_at > timezone.now() - UNSEALED:
        return False
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [timezone.now() - UNSEALED, sealed_at or datetime.min.replace(tzinfo=UTC)])
        return cursor.fetchone()[0]


_OLD = """
    SELECT EXISTS (SELECT FROM study_sites_auditevent
                   WHERE table_name <> 'study_sites_auditseal' AND at < %s AND at > %s)
"""


def due(settled: Any = SETTLED) -> list[Due]:
    """The Due of this moment, each told now and not again. Call it in the scope of `everything`, in a transaction."""
    upto = AuditEvent.objects.filter(at__lte=timezone.now() - settled).aggregate(last=Max("pk"))["last"] or 0
    return [alert for alert in (_due(kind, upto) for kind in KINDS) if alert]


def _due(kind: Any, upto: Any) -> Due | None:
    """The Due of a kind, or None; only events after those that were looked at before are looked at."""
    Alert.objects.get_or_create(kind=kind, defaults={"event_id": upto})
    alert = Alert.objects.select_for_update(skip_locked=True).filter(kind=kind).first()
    if alert is None or alert.event_id >= upto:
        return None
    events = list(AuditEvent.objects.filter(action=kind, pk__gt=alert.event_id, pk__lte=upto).order_by("pk"))
    now = timezone.now()
    if events and alert.told_at and alert.told_at > now - PAUSE:
        return None  # they wait for the hour to be over
    alert.event_id = upto
    alert.told_at = now if events else alert.told_at
    alert.save()
    return Due(kind, len(events), _about(events)) if events else None


def _about(events: Any) -> tuple[tuple[str, int], ...]:
    """Whom or where events are about: the person whose secret it was, else who acted, and the site."""
    users = dict(User.objects.filter(pk__in={_person(event) for event in events}).values_list("pk", "name"))
    sites = dict(Site.objects.values_list("pk", "code"))
    named = ((users.get(_person(event), ""), sites.get(event.site_id, "")) for event in events)
    counted = Counter(", ".join(filter(None, pair)) for pair in named)
    return tuple((name, n) for name, n in counted.most_common() if name)


def _person(event: Any) -> Any:
    of_person = event.table_name == User._meta.db_table and event.row_id.isdecimal()
    return int(event.row_id) if of_person else event.user_id


def lately(since: Any) -> Any:
    """How many of each kind there were since a moment: [(kind, words, count)], for administrators; counts alone."""
    with everything(user_id=current().user_id), transaction.atomic():
        counted = Counter(AuditEvent.objects.filter(action__in=KINDS, at__gt=since).values_list("action", flat=True))
    return [(kind, words, counted[kind]) for kind, words in KINDS.items() if counted[kind]]
