"""Records of two sites that may be one patient: found by what both sites know, and told to the data manager alone.

Identifiers are encrypted one by one, and nothing tells which are equal. So a worker opens them once a day, in the
system's own scope (some 30 µs a patient), compares keyed hashes of them, and keeps nothing but pairs of numbers.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry.models import Identity, Patient, SuspectedPair
from registry.models.moves import LONGEST_REASON
from registry.services.entry.known_patients import folded
from registry.services.records import identity
from registry.services.records.storing import Conflict, ReasonRequired, require
from sites import audit
from sites.tenancy.access import Access, Can

State = SuspectedPair.State
MOST = 20  # records that share one person's marks: more are a day typed for want of a better one, not one patient


def look() -> int:
    """Open a question for each new pair; returns how many are new. Call it in the system's scope."""
    pairs = [
        SuspectedPair(first=one.pk, second=other.pk, first_site_id=one.site_id, second_site_id=other.site_id)
        for one, other in _pairs()
    ]
    known = SuspectedPair.objects.count()
    SuspectedPair.objects.bulk_create(pairs, ignore_conflicts=True)
    return SuspectedPair.objects.count() - known


def _pairs() -> Iterator[tuple[Any, Any]]:
    """Pairs of Patients of two sites with the same marks, the smaller number first."""
    alike: dict[bytes, list[tuple[Any, str]]] = defaultdict(list)
    rows = Identity.objects.filter(birth_date__isnull=False, patient__in_error=None).select_related("patient")
    for row in rows.iterator():
        try:
            values = identity.opened(row.pk, row.key, {"birth_date": row.birth_date, "initials": row.initials})
        except identity.UnreadableIdentity:
            continue
        patient = row.patient
        alike[_hashed(values["birth_date"].isoformat(), patient.sex)].append((patient, folded(values["initials"])))
    for group in alike.values():
        if len(group) <= MOST:
            for (one, ours), (other, theirs) in combinations(sorted(group, key=lambda entry: entry[0].pk), 2):
                if one.site_id != other.site_id and _may_be_one(one, ours, other, theirs):
                    yield one, other


def _hashed(*marks: Any) -> bytes:
    """Marks as a keyed hash: what is compared in memory is no identifier either."""
    text = "\x1f".join(str(mark) for mark in marks)
    return hmac.new(settings.FIELD_KEYS[0].encode(), text.encode(), hashlib.sha256).digest()


def _may_be_one(one: Patient, ours: str, other: Patient, theirs: str) -> bool:
    """Of two born on the same day, of the same sex: by initials, or by the tumour where one lacks them."""
    if ours and theirs:
        return ours == theirs
    return one.primary_tumour is not None and one.primary_tumour == other.primary_tumour


def open_pairs(access: Access) -> Any:
    """The SuspectedPairs that wait for this person."""
    sites = access.sites_for(Can.RECONCILE)
    return SuspectedPair.objects.filter(state=State.OPEN, first_site_id__in=sites, second_site_id__in=sites)


@transaction.atomic
def decide(*, access: Access, pair: SuspectedPair, state: Any, reason: Any) -> SuspectedPair:
    """Say whether two records are two patients or one (State.TWO or State.ONE), for a reason.

    Each site's trail gets the decision about its own record alone. Raises PermissionDenied, ReasonRequired, Conflict.
    """
    for site_id in (pair.first_site_id, pair.second_site_id):
        require(access, Can.RECONCILE, site_id)
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise ReasonRequired
    pair = SuspectedPair.objects.select_for_update().get(pk=pair.pk)
    if pair.state != State.OPEN:
        raise Conflict(pair)
    pair.state, pair.reason = state, reason
    pair.decided_by_id, pair.decided_at = access.user_id, timezone.now()
    pair.save()
    for number, site_id in ((pair.first, pair.first_site_id), (pair.second, pair.second_site_id)):
        table = Patient._meta.db_table
        audit.record("pair_decided", site_id=site_id, table=table, row_id=number, detail={"decision": state})
    return pair
