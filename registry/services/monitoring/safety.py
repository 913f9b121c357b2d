"""Serious adverse events: who is told, the notices and their mails, and the line listing of every event.

Who is told stands in the protocol (`safety`), with date, author and reason. `tell` looks at what is stored, so that a
form, the API and an import lead to the same notices; it is called every minute. The mail names the site and nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from registry.instruments.base import Label
from registry.instruments.core.adverse_events import SERIOUS
from registry.models import AdverseEvent, ProtocolVersion, SafetyNotice
from registry.protocol.definitions import Fault
from registry.services import current_protocol
from registry.services.protocol import publishing
from sites.models import User
from sites.tenancy.access import Access, Can, access_of
from sites.tenancy.scope import everything

PART = "safety"
GIVES_UP = 12  # tries, in about two hours; from then on administrators are alerted, and it is tried once an hour
OFTEN = 3  # failed tries from which on administrators are alerted


# -- Who is told -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Who is told of serious events, and since when: nobody is told of what was recorded before they were named."""

    people: tuple[int, ...] = ()
    since: datetime | None = None
    later: Mapping[int, datetime] = field(default_factory=dict)  # of those who were named after the first

    def since_for(self, person: int) -> datetime | None:
        return self.later.get(person, self.since)


def recipients() -> Told:
    """The declaration that holds."""
    document = current_protocol.document_of(current_protocol.version())
    declared = document.get(PART)
    if not declared:
        return Told()
    later = {int(key): datetime.fromisoformat(at) for key, at in declared.get("later", {}).items()}
    return Told(tuple(declared["people"]), datetime.fromisoformat(declared["since"]), later)


def candidates() -> list[User]:
    """Active people who may read patients somewhere, by name: those who may be told."""
    people = User.objects.filter(is_active=True).order_by("name", "pk")
    return [person for person in people if access_of(person).may(Can.READ)]


@transaction.atomic
def declare(*, access: Access, people: Iterable[int], note: str) -> ProtocolVersion:
    """Declare who is told from now on, as the protocol's next version. Raises PermissionDenied, InvalidDefinition."""
    access.require(Can.ADMINISTER)
    known = {person.pk for person in candidates()}
    wanted = sorted(set(people))
    faults = [
        Fault(0, "people", str(key), Label("is nobody who reads patients", "患者情報を閲覧できる人ではありません"))
        for key in wanted
        if key not in known
    ]
    if faults:
        raise publishing.InvalidDefinition(faults)
    document = publishing.newest_document()
    before = document.get(PART) or {}
    named, now = before.get("people") or [], timezone.now().isoformat()
    later = {str(key): before.get("later", {}).get(str(key)) for key in wanted if key in named}
    later |= {str(key): now for key in wanted if named and key not in named}
    declared = {
        "people": wanted,
        "since": before["since"] if named else now,
        "later": {key: at for key, at in later.items() if at},
    }
    return publishing.store(access, document | {PART: declared}, note)


# -- Notices and mails -------------------------------------------------------------------------------------------------


def tell(now: datetime) -> int:
    """Make the notices that lack and send the mails that wait; returns how many failed again and again.

    Two workers send a mail once: a notice is locked while it is tried.
    """
    with everything(reason="safety notices"), transaction.atomic():
        _make(recipients())
        waiting = list(_waiting(now).values_list("pk", flat=True)) if settings.MAIL else []
    return sum(_try(pk, now) for pk in waiting)


def _make(declared: Told) -> None:
    if not declared.people:
        return
    for person in User.objects.filter(pk__in=declared.people, is_active=True):
        told_already = SafetyNotice.objects.filter(
            event=OuterRef("pk"), person=person, seriousness=OuterRef("ae_seriousness")
        )
        events = AdverseEvent.objects.filter(
            ~Exists(told_already),
            ae_seriousness__in=SERIOUS,
            updated_at__gte=declared.since_for(person.pk),
            site_id__in=access_of(person).sites_for(Can.READ),
        )
        SafetyNotice.objects.bulk_create(
            (
                SafetyNotice(
                    site_id=event.site_id,
                    patient_id=event.patient_id,
                    event_id=event.pk,
                    person=person,
                    seriousness=event.ae_seriousness,
                )
                for event in events
            ),
            ignore_conflicts=True,
        )


def _waiting(now: datetime) -> QuerySet:
    """Notices whose mail is to be tried now: each later than the one before, and then every hour."""
    due = Q(tries=0)
    for tries in range(1, GIVES_UP):
        due |= Q(tries=tries, tried_at__lte=now - timedelta(minutes=min(2 ** (tries - 1), 30)))
    due |= Q(tries__gte=GIVES_UP, tried_at__lte=now - timedelta(hours=1))
    return SafetyNotice.objects.filter(due, sent_at=None, acknowledged_at=None, event__in_error=None)


def _try(pk: int, now: datetime) -> bool:
    """Send one mail; whether it failed and has failed before so often that administrators must know."""
    with everything(reason="safety notices"), transaction.atomic():
        notice = SafetyNotice.objects.select_for_update(skip_locked=True).filter(pk=pk, sent_at=None).first()
        if notice is None or not _still_reads(notice):
            return False
        try:
            letter(notice).send()
        except OSError as error:
            notice.fault = type(error).__name__[:100]
        else:
            notice.sent_at, notice.fault = now, ""
        notice.tries, notice.tried_at = min(notice.tries + 1, 30_000), now
        notice.save(update_fields=["fault", "sent_at", "tries", "tried_at"])
        return notice.sent_at is None and notice.tries >= OFTEN


def _still_reads(notice: SafetyNotice) -> bool:
    return notice.person.is_active and access_of(notice.person).may(Can.READ, notice.site_id)


def letter(notice: SafetyNotice) -> mail.EmailMessage:
    """The mail of a notice: that there is a serious event at a site, and where to look. It names no patient."""
    with override(notice.person.language):
        subject = _("Metaspine: serious adverse event at %(site)s") % {"site": notice.site.code}
        body = render_to_string(
            "monitoring/serious_event.txt",
            {"site": notice.site, "address": settings.ADDRESS + reverse("safety"), "synthetic": settings.SYNTHETIC},
        )
    headers = {"Auto-Submitted": "auto-generated"}
    return mail.EmailMessage(subject, body.strip() + "\n", None, [notice.person.email], headers=headers)


@transaction.atomic
def acknowledge(*, access: Access, notice_id: int) -> SafetyNotice:
    """Note that the person of this access has seen an event. Raises SafetyNotice.DoesNotExist for anybody else's."""
    notices = SafetyNotice.objects.select_for_update().filter(site_id__in=access.sites_for(Can.READ))
    notice = notices.get(pk=notice_id, person_id=access.user_id)
    if notice.acknowledged_at is None:
        notice.acknowledged_at = timezone.now()
        notice.save(update_fields=["acknowledged_at"])
    return notice


_NUMBER = """
    SELECT count(*) FROM registry_safetynotice AS n JOIN registry_adverseevent AS e ON e.id = n.event_id
    WHERE n.person_id = %s AND n.acknowledged_at IS NULL AND n.site_id = ANY (%s) AND e.in_error IS NULL
"""


def to_acknowledge(access: Access) -> list[SafetyNotice]:
    """The person's own notices that wait for them."""
    return list(_own_waiting(access).select_related("event", "site").order_by("pk"))


def number_to_acknowledge(access: Access) -> int:
    """How many notices wait for the person. Written out: it is asked on every start page."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER, [access.user_id, list(access.sites_for(Can.READ))])
        return cursor.fetchone()[0]


def _own_waiting(access: Access) -> QuerySet:
    return SafetyNotice.objects.filter(
        person_id=access.user_id, acknowledged_at=None, site_id__in=access.sites_for(Can.READ), event__in_error=None
    )


# -- Line listing ------------------------------------------------------------------------------------------------------

FILTERS = ("kind", "ae_seriousness", "ae_relatedness", "ae_expectedness", "ae_outcome", "ae_ctcae_grade")


@dataclass(frozen=True)
class Wanted:
    """What a line listing is narrowed to: site's code, codes by item, onset from and to; `serious` alone."""

    site: str = ""
    codes: tuple[tuple[str, Any], ...] = ()
    first: date | None = None
    last: date | None = None
    serious: bool = False


def listing(access: Access, wanted: Wanted, after: AdverseEvent | None = None) -> QuerySet:
    """The adverse events of the sites that one may read, the newest first; those that come `after` one of
    them, where it is given.
    """
    rows = AdverseEvent.objects.filter(site_id__in=access.sites_for(Can.READ), **dict(wanted.codes))
    if wanted.site:
        rows = rows.filter(site__code=wanted.site)
    if wanted.serious:
        rows = rows.filter(ae_seriousness__in=SERIOUS)
    if wanted.first:
        rows = rows.filter(onset_date__gte=wanted.first)
    if wanted.last:
        rows = rows.filter(onset_date__lte=wanted.last)
    if after:
        rows = rows.filter(Q(onset_date__lt=after.onset_date) | Q(onset_date=after.onset_date, pk__lt=after.pk))
    return rows.select_related("site").order_by("-onset_date", "-pk")


def with_notices(events: Iterable[AdverseEvent]) -> list[AdverseEvent]:
    """Some events with counts of their notices: `told`, `mailed`, `noted`, `failing`."""
    events = list(events)
    counts = {
        "told": Count("pk"),
        "mailed": Count("pk", Q(sent_at__isnull=False)),
        "noted": Count("pk", Q(acknowledged_at__isnull=False)),
        "failing": Count("pk", Q(sent_at=None) & ~Q(fault="")),
    }
    of_events = SafetyNotice.objects.filter(event_id__in=[event.pk for event in events]).order_by().values("event_id")
    by_event: dict[Any, Any] = {counted["event_id"]: counted for counted in of_events.annotate(**counts)}
    for event in events:
        for name in counts:
            setattr(event, name, by_event.get(event.pk, {}).get(name, 0))
    return events
