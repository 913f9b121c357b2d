"""Records that may be one patient, of two sites or of an import that could ask nobody: told to the data manager alone.

The blind index (`identity_marks`) tells which identifiers are equal, and not what they are: in the system's own scope,
each night and after an import, one statement joins it with itself, and pairs of numbers are all that is kept.
"""

from collections.abc import Collection
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from registry.models import Patient, SuspectedPair
from registry.models.records.moves import LONGEST_REASON
from registry.services.records import identity
from registry.services.records.storing import Conflict, ReasonRequired, require
from sites import audit
from sites.tenancy.access import Access, Can

State = SuspectedPair.State
MOST = 20  # records alike in everything that is compared: more are a day typed for want of a better one


def look(new: Collection[str] | None = None, within: Collection[str] = ()) -> int:
    """Open a question for each new pair; returns how many are new. Call it in the system's scope.

    new     numbers of patients of whom every pair has one; None for all
    within  numbers of patients who are compared with their own site's too: nobody there could be asked
    """
    identity.fill_marks()
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, {"new": None if new is None else list(new), "within": list(within), "most": MOST})
        rows = cursor.fetchall()
    pairs = [
        SuspectedPair(first=first, first_site_id=first_site, second=second, second_site_id=second_site)
        for first, first_site, second, second_site in rows
    ]
    known = SuspectedPair.objects.count()
    SuspectedPair.objects.bulk_create(pairs, ignore_conflicts=True)
    return SuspectedPair.objects.count() - known


# Born on the same day, of the same sex: by initials, or by the tumour where one lacks them.
_PAIRS = """
WITH marked AS (
    SELECT i.patient_id, i.site_id, i.birth_mark, i.initials_mark, p.sex, p.primary_tumour,
           count(*) OVER (PARTITION BY i.birth_mark, p.sex, i.initials_mark, p.primary_tumour) AS alike
    FROM registry_identity AS i JOIN registry_patient AS p USING (patient_id)
    WHERE i.birth_mark IS NOT NULL AND p.in_error IS NULL
)
SELECT a.patient_id, a.site_id, b.patient_id, b.site_id
FROM marked AS a JOIN marked AS b ON b.birth_mark = a.birth_mark AND b.patient_id > a.patient_id
WHERE a.sex IS NOT DISTINCT FROM b.sex AND a.alike <= %(most)s AND b.alike <= %(most)s
  AND (a.site_id <> b.site_id OR a.patient_id = ANY (%(within)s) OR b.patient_id = ANY (%(within)s))
  AND (%(new)s::text[] IS NULL OR a.patient_id = ANY (%(new)s) OR b.patient_id = ANY (%(new)s))
  AND CASE WHEN a.initials_mark IS NULL OR b.initials_mark IS NULL THEN a.primary_tumour = b.primary_tumour
      ELSE a.initials_mark = b.initials_mark END
"""


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
    table = Patient._meta.db_table
    for number, site_id in ((pair.first, pair.first_site_id), (pair.second, pair.second_site_id)):
        audit.record("pair_decided", site_id=site_id, table=table, row_id=number, detail={"decision": state})
    return pair
