"""What a person may see of the audit trail, narrowed by the filters in the address."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

from django.apps import apps
from django.db import connection, models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.models import Change, Heartbeat, Patient, Postponed, Utility, Watermark
from registry.services.entry.transfers import sites_with_trail
from registry.web.audit import history, subjects
from registry.web.audit.history import ROW_ACTIONS
from registry.web.shared.lookup import number_in
from sites.audit import sealing
from sites.models import AuditEvent, Site, User
from sites.tenancy.access import Can
from sites.tenancy.scope import with_errors

ACTS = "acts"  # any of them
UNRECORDED = (Change, Utility, Watermark, Heartbeat, Postponed)  # computed again, or of no record: not in the trail
_KNOWN = frozenset((*ROW_ACTIONS, ACTS, *history.ACTS))


@dataclass(frozen=True)
class Filters:
    """Every filter as it was asked for; what cannot be read is as if it were not there."""

    site: int | None = None
    person: int | None = None
    row: str = ""  # a patient's number, or the key of any row
    table: str = ""
    action: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, sent):
        return cls(
            site=number_in(sent.get("site")),
            person=number_in(sent.get("person")),
            row=sent.get("row", "").strip()[:64],
            table=sent.get("table", "") if sent.get("table", "") in tables() else "",
            action=sent.get("action", "") if sent.get("action", "") in _KNOWN else "",
            first=_day(sent.get("first")),
            last=_day(sent.get("last")),
        )

    def as_address(self):
        """The filters that are set, by name, as text."""
        return {name: str(value) for name, value in vars(self).items() if value not in (None, "")}


# Days before and after any event: of those at the ends of the calendar there is no day before, or none after.
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def _day(text):
    try:
        return min(max(date.fromisoformat(text or ""), EARLIEST), LATEST)
    except ValueError:
        return None


@cache
def tables():
    """Name of every table that the trail is about to what it holds, in words."""
    return {
        model._meta.db_table: model._meta.verbose_name_plural
        for label in ("registry", "study_sites")
        for model in apps.get_app_config(label).get_models()
        if model not in (AuditEvent, *UNRECORDED)
    }


@cache
def encrypted():
    """Table to the names of its encrypted columns: their values are shown to nobody."""
    return {
        model._meta.db_table: frozenset(
            field.column for field in model._meta.fields if isinstance(field, models.BinaryField)
        )
        for label in ("registry", "study_sites")
        for model in apps.get_app_config(label).get_models()
    }


def table_in_words(name):
    """What a table holds; the seals have no model, and their fields are shown to nobody."""
    return _("seals of the audit trail") if name == sealing.SEALS else tables().get(name, name)


def table_choices():
    return _table_choices(get_language())


@cache
def _table_choices(_language):
    return sorted(((name, str(capfirst(words))) for name, words in tables().items()), key=lambda table: table[1])


def action_choices():
    """Changes of rows, then acts: any of them, or one."""
    return _action_choices(get_language())


@cache
def _action_choices(_language):
    of_rows = [*((name, str(words)) for name, words in ROW_ACTIONS.items()), (ACTS, _("Other acts"))]
    return of_rows, sorted(((name, str(words)) for name, words in history.ACTS.items()), key=lambda act: act[1])


def sites_of(access):
    return Site.of(access.sites_for(Can.READ))


def people_of(access):
    """People that the person may know of: those of their sites and of the centre; for administrators everybody."""
    people = User.objects.order_by("name", "email")
    if not access.may(Can.ADMINISTER):
        theirs = Q(memberships__site_id__in=access.sites_for(Can.READ)) | Q(
            memberships__isnull=False, memberships__site=None
        )
        people = people.filter(theirs).distinct()
    return list(people.values_list("pk", "name"))


class _Action(Value):
    """The name of an action as the statement itself has it: of one that comes as a parameter a plan for any action may
    be kept, which passes over the indexes of the few acts and reads the trail from its end.
    """

    def as_sql(self, compiler, connection):
        if self.value not in _KNOWN:
            raise ValueError(self.value)
        return f"'{self.value}'", []


def trail(access, filters):
    """The events, in no order: of the sites that `access` reads, and for administrators of the platform.

    The row-level-security policy says the same. The site stands in the condition because its index needs it.
    """
    seen = Q(site_id__in=access.sites_for(Can.READ))
    if access.may(Can.ADMINISTER):
        seen |= Q(site_id=None)
    events = AuditEvent.objects.filter(seen)
    if filters.site is not None:
        events = events.filter(site_id=filters.site)
    if filters.person is not None:
        events = events.filter(user_id=filters.person)
    if filters.table:
        events = events.filter(table_name=filters.table)
    if filters.action == ACTS:
        events = events.exclude(action__in=[_Action(name) for name in ROW_ACTIONS])
    elif filters.action:
        events = events.filter(action=_Action(filters.action))
    events = _of_days(events, access, filters)
    if filters.row:
        events = events.filter(_of_row(access, filters.row))
    return events


def _of_days(events, access, filters):
    if filters.first:
        begin = _midnight(filters.first)
        events = events.filter(at__gte=begin)
        if access.may_everywhere(Can.READ):
            events = events.filter(pk__gt=_around(begin - LONGEST)[0])
    if filters.last:
        end = _midnight(filters.last + timedelta(days=1))
        events = events.filter(at__lt=end)
        if access.may_everywhere(Can.READ):
            events = events.filter(pk__lt=_around(end + LONGEST)[1])
    return events


# An event has the moment at which its transaction began and a number that was given later, so that the numbers follow
# the moments but for as long as a transaction takes: none takes this long.
LONGEST = timedelta(days=2)
NEAR = 1000  # numbers
AROUND = """
    WITH RECURSIVE search (low, high) AS (
        SELECT coalesce(min(id), 0) - 1, coalesce(max(id), 0) + 1 FROM study_sites_auditevent
        UNION ALL
        SELECT CASE WHEN probe.at < %(moment)s THEN probe.id ELSE low END,
               CASE WHEN probe.at < %(moment)s THEN high ELSE (low + high) / 2 END
        FROM search CROSS JOIN LATERAL (
            SELECT id, at FROM study_sites_auditevent WHERE id >= (low + high) / 2 ORDER BY id LIMIT 1
        ) AS probe WHERE high - low > %(near)s
    ) SELECT max(low), min(high) FROM search
"""


def _around(moment):
    """(number of an event before a moment, number of which and after which all are at it or later), near each other.

    The trail is read from its end: of a day long ago it would be read down to there. Found by halves in the index of
    the numbers, for who reads most of the trail; among the events of a single site one would look for each long.
    """
    with connection.cursor() as cursor:
        cursor.execute(AROUND, {"moment": moment, "near": NEAR})
        return cursor.fetchone()


def _midnight(day):
    return timezone.make_aware(datetime.combine(day, time.min))


def _of_row(access, row):
    """A patient's number stands for all of the patient's records; anything else for the row of that key."""
    with with_errors():
        patient = Patient.objects.visible_to(access).filter(pk=row.upper()).only("site_id").first()
        keys = subjects.rows_of(patient.pk, patient.site_id) if patient else {}
    if patient is None:
        return Q(row_id=row)
    condition = Q()
    for table, of_table in keys.items():
        condition |= Q(table_name=table, row_id__in=of_table)
    return condition & Q(site_id__in=sites_with_trail(patient))
