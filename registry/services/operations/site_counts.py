"""Site counts: how many patients, visits that wait, drafts and open queries each site has.

In a registry of ordinary size they are counted whenever a page asks. Counting a million rows takes seconds, so in a
large one the worker counts them every few minutes (`keep`), and pages show what it kept and when that was.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import TruncMonth
from django.utils import timezone

from registry.models import Assessment, Patient, State, Transfer
from registry.services import current_protocol, watermarks
from registry.services.follow_up import schedule, visits
from registry.services.monitoring import sampling, verified_share
from registry.services.quality import entry_delay, measured_numbers, missing_items, query_rates, visit_states
from registry.services.review import form_states, to_sign
from sites.database.replica import on_replica
from sites.models import Site
from sites.tenancy.scope import current

LARGE = 5_000  # patients from which on counts are kept
KEPT = 24 * 3600  # seconds
READ = tuple(  # what the counts are counted from
    f"registry_{table}"
    for table in ("patient", "assessment", "adverseevent", "ownrecord", "query", "signature", "followupend")
)


def _enrolled(site_ids: Iterable[int], plans: Any, today: Any) -> dict[Any, list[Any]]:
    rows = Patient.objects.filter(site_id__in=site_ids).order_by().values_list("site_id")
    dead = Count("pk", filter=Q(vital_status="dead"))
    counted = rows.annotate(enrolled=Count("pk"), operated=Count("surgery_date"), died=dead)
    return {site_id: numbers for site_id, *numbers in counted}


def _consented(site_ids: Iterable[int], plans: Any, today: Any) -> dict[Any, tuple[Any, Any, Any, dict]]:
    """(patients, first day of consent, last, {first day of a month: patients})."""
    rows = Patient.objects.filter(site_id__in=site_ids).order_by().values_list("site_id")
    by_month: dict[int, dict] = defaultdict(dict)
    months = rows.exclude(consent_date=None).annotate(month=TruncMonth("consent_date"))
    for site_id, month, n in months.values_list("site_id", "month").annotate(Count("pk")):
        by_month[site_id][month] = n
    spans = rows.annotate(Count("pk"), Min("consent_date"), Max("consent_date"))
    return {site_id: (n, first, last, by_month[site_id]) for site_id, n, first, last in spans}


def _drafts(site_ids: Iterable[int], plans: Any, today: Any) -> dict[Any, Any]:
    rows = Assessment.objects.order_by().filter(site_id__in=site_ids, state=State.DRAFT)
    return dict(rows.values_list("site_id").annotate(Count("pk")))


def _unsigned(site_ids: Iterable[int], plans: Any, today: Any) -> dict[Any, tuple[int, int]]:
    pages = {site_id: to_sign.unsigned([site_id], limit=1) for site_id in site_ids}
    return {site_id: (page.can_be_signed, page.total) for site_id, page in pages.items()}


def _left_to_verify(site_ids: Iterable[int], plans: Any, today: Any) -> dict[int, tuple[int, int]]:
    return sampling.forms_left(sampling.plan(), Site.objects.filter(pk__in=site_ids))


# What is counted, each by a function of (site ids, plans, day) that gives {site id: what was counted}.
KINDS: dict[str, Callable[..., dict]] = {
    "enrolled": _enrolled,  # [patients, of them operated, of them died]
    "consented": _consented,  # (patients, first day, last day, {month: patients})
    "waiting": visits.awaited_by_site,  # (visits due, visits overdue)
    "drafts": _drafts,
    "queries": lambda site_ids, plans, today: form_states.open_queries_by_site(site_ids),
    "known": visits.known_by_site,  # {timepoint: (patients who reached it, [of whom each measure is known])}
    "visit_states": visit_states.by_site,  # {visit: {state: patients}}
    "missing_items": missing_items.by_site,  # {kind of form: (finished forms, {item: {reason: forms}})}
    "query_rates": query_rates.by_site,  # Rates
    "measured_numbers": measured_numbers.by_site,  # {item: Moments}
    "unsigned": _unsigned,  # (patients who can be signed now, patients with forms that are not signed)
    "left_to_verify": _left_to_verify,  # (forms that the sampling plan still asks about, forms not verified)
    "verified": verified_share.by_site,  # {kind of form: (finished forms, {item: forms that have it compared})}
    "entry_delay": entry_delay.by_site,  # (forms, median of days, 90th percentile)
}


@dataclass(frozen=True)
class Counted:
    """{site id: what was counted}; sites without any are left out.

    at  when that was so: when it was counted, or found unchanged since; None for now
    """

    by_site: dict
    at: datetime | None = None


def counts(kind: Any, site_ids: Iterable[int], plans: Any, today: Any) -> Counted:
    """The `Counted` of one of KINDS, for some sites."""
    return several((kind,), site_ids, plans, today)[kind]


def several(kinds: Iterable[str], site_ids: Iterable[int], plans: Any, today: Any) -> dict[str, Counted]:
    """The `Counted` of some of KINDS, for some sites: what is kept of them in one question to Redis, seldom two."""
    kinds, site_ids = list(kinds), list(site_ids)
    if not is_large():
        return {kind: Counted(KINDS[kind](site_ids, plans, today)) for kind in kinds}
    stored, unchanged = _stored(kinds, site_ids, today)
    for kind in kinds:
        if lacking := [site_id for site_id in site_ids if site_id not in stored[kind]]:
            stored[kind] |= _store(kind, lacking, plans, today)
    return {kind: _counted_of({site_id: stored[kind][site_id] for site_id in site_ids}, unchanged) for kind in kinds}


def _stored(kinds: list[str], site_ids: list[int], today: Any) -> tuple[dict[str, dict[int, Any]], datetime | None]:
    """({kind: {site id: (when it was counted, what)}} of some sites as far as it is kept, when nothing had changed).

    Of many sites that of every site lies in the cache as a whole: to look three hundred keys up takes a page longer
    than all that it does with them.
    """
    keys = {_key(kind, site_id, today): (kind, site_id) for kind in kinds for site_id in site_ids}
    stored: dict[str, dict[int, Any]] = {kind: {} for kind in kinds}
    if len(site_ids) > FEW:
        every = {_key_of_every_site(kind, today): kind for kind in kinds}
        answers = cache.get_many((*every, _UNCHANGED))
        stored |= {kind: dict(answers.get(key) or {}) for key, kind in every.items()}
        keys = {key: (kind, site_id) for key, (kind, site_id) in keys.items() if site_id not in stored[kind]}
        answers |= cache.get_many(keys) if keys else {}
    else:
        answers = cache.get_many((*keys, _UNCHANGED))
    for key, (kind, site_id) in keys.items():
        if key in answers:
            stored[kind][site_id] = answers[key]
    return stored, answers.get(_UNCHANGED)


def _counted_of(stored: dict[int, Any], unchanged: datetime | None) -> Counted:
    """The `Counted` of {site id: (when it was counted, what, None for nothing)}."""
    at = min((at for at, _value in stored.values()), default=None)
    values = {site_id: value for site_id, (_at, value) in stored.items() if value is not None}
    return Counted(values, max(at, unchanged) if at and unchanged else at)


_UNCHANGED = "site_counts:unchanged"  # when the worker looked last: until then nothing had changed that is counted
_RESTING = "site_counts:resting"  # (day, version of the protocol) that nothing is counted for while this is there
OFTEN, LONGEST_REST, REST = 300, 1800, 20  # seconds between two looks, seconds, times as long as it took
FEW = 5  # sites whose rows are looked up by their index


def keep() -> None:
    """Count everything for the sites in scope where something changed since; nothing in a small registry.

    Where that took long it is not done again for REST times as long, so that counting never takes more of the machine
    than what people do: pages say how old a count is. A new day, or another protocol, asks for counts of its own, which
    pages would have to make themselves: nobody rests from those.
    """
    asked_for = (today := timezone.localdate(), current_protocol.version())
    if not is_large() or cache.get(_RESTING) == asked_for:
        return
    plans = schedule.plans()
    site_ids = list(Site.objects.order_by().values_list("pk", flat=True))
    # What is asked for is part of the protocol.
    asked = f"{asked_for} {len(site_ids)} {watermarks.deleted(READ)}"
    began = time.monotonic()
    with watermarks.since_last("site counts", asked, READ, often=True) as changed:
        looked_at = timezone.now()
        stored = {kind: cache.get(_key_of_every_site(kind, today)) or {} for kind in KINDS} if site_ids else {}
        lost = any(site_id not in of_kind for of_kind in stored.values() for site_id in site_ids)
        anew = site_ids if lost or changed.patients is None else _sites_of(changed.patients, site_ids)
        for kind in KINDS if anew else ():
            cache.set(_key_of_every_site(kind, today), stored[kind] | _store(kind, anew, plans, today), KEPT)
        cache.set(_UNCHANGED, looked_at, KEPT)
    rest = min(REST * (time.monotonic() - began), LONGEST_REST) - OFTEN
    if rest > 0:
        cache.set(_RESTING, asked_for, rest)


def _sites_of(patients: Iterable[str], site_ids: list[int]) -> list[int]:
    """Those of some sites where patients are, or were before they moved."""
    concerned: set[int] = set()
    for model in (Patient, Transfer):
        rows = model.objects.filter(patient_id__in=patients).order_by()
        concerned.update(rows.values_list("site_id", flat=True).distinct())
    return [site_id for site_id in site_ids if site_id in concerned]


def _store(kind: Any, site_ids: list[int], plans: Any, today: Any) -> dict[int, Any]:
    """{site id: (when it was counted, what)} of some sites, counted now and kept."""
    now, counted = timezone.now(), on_replica(lambda: _counted(kind, site_ids, plans, today))
    made = {site_id: (now, counted.get(site_id)) for site_id in site_ids}
    if not current().blind:  # who is blind is not shown every row: others would read too few
        cache.set_many({_key(kind, site_id, today): of_site for site_id, of_site in made.items()}, KEPT)
    return made


def _counted(kind: Any, site_ids: list[int], plans: Any, today: Any) -> dict:
    with transaction.atomic():  # on the replica too there is a scope in a transaction alone
        if len(site_ids) > FEW:  # for the policies' conditions PostgreSQL expects too few rows, and would look each up
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_nestloop = off")
        return KINDS[kind](site_ids, plans, today)


def _key(kind: Any, site_id: Any, today: Any) -> str:
    return f"site_counts:{today}:{kind}:{site_id}"


def _key_of_every_site(kind: Any, today: Any) -> str:
    return f"site_counts:{today}:{kind}:every_site"


_asked = {"at": float("-inf"), "large": False}


def is_large() -> Any:
    """Whether there are so many patients that pages do not count them: an estimate that is asked for once a minute."""
    if time.monotonic() - _asked["at"] > 60:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'registry_patient'::regclass")
            _asked.update(at=time.monotonic(), large=cursor.fetchone()[0] >= LARGE)
    return _asked["large"]
