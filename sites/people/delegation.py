"""The delegation log: who held which role at a site, from when until when, and by whom that was granted and ended.

Memberships say who held what; the audit trail says who gave and ended it. The trail of people and roles belongs to no
site, so that only administrators read it: this reads the names out of it, and nothing else, for those who may see the
log of a site.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from sites.models import AuditEvent, Membership, Site, User
from sites.tenancy.access import ROLE_LABELS, Access, Can, Role
from sites.tenancy.scope import current, everything


@dataclass(frozen=True)
class Delegation:
    """One membership. `granted_by` and `ended_by` are names, empty where the system did it (an import, a command)."""

    person: str
    email: str
    role: str
    starts_on: date
    ends_on: date | None
    state: str  # future, running or past
    granted_by: str
    granted_at: datetime | None
    ended_by: str
    ended_at: datetime | None


def sites_for(access: Access) -> list[Site]:
    """The sites whose log this person may read: administrators all, monitors and investigators their own."""
    if access.may(Can.ADMINISTER):
        return list(Site.objects.all())
    return list(Site.objects.filter(pk__in=access.sites_for(Can.VERIFY, Can.SIGN)))


def delegations(site: Any) -> list:
    """Every `Delegation` of a site (None: the central roles), those of today first."""
    today = timezone.localdate()
    rows = list(Membership.objects.filter(site=site).select_related("user"))
    granted, ended = _acts([row.pk for row in rows])
    log = []
    for row in rows:
        given_by, given_at = granted.get(row.pk, ("", None))
        ended_by, ended_at = ended.get(row.pk, ("", None)) if row.ends_on else ("", None)
        log.append(
            Delegation(
                row.user.name,
                row.user.email,
                str(ROLE_LABELS[Role(row.role)]),
                row.starts_on,
                row.ends_on,
                _state(row, today),
                given_by,
                given_at,
                ended_by,
                ended_at,
            )
        )
    order = ("running", "future", "past")
    return sorted(log, key=lambda delegation: (order.index(delegation.state), delegation.person, delegation.starts_on))


def _state(membership: Any, today: Any) -> str:
    if membership.starts_on > today:
        return "future"
    return "past" if membership.ends_on and membership.ends_on < today else "running"


def _acts(ids: Any) -> tuple[dict, dict]:
    """Membership to (name, time) of who granted it, and of who last set its end."""
    with everything(user_id=current().user_id, reason="delegation log"):
        events = list(
            AuditEvent.objects.filter(
                site_id=None,
                table_name="study_sites_membership",
                row_id__in=[str(membership_id) for membership_id in ids],
                action__in=["insert", "update"],
            ).order_by("pk")
        )
    names = dict(User.objects.filter(pk__in={event.user_id for event in events}).values_list("pk", "name"))
    granted, ended = {}, {}
    for event in events:
        who = (names.get(event.user_id or 0, ""), event.at)
        if event.action == "insert":
            granted[int(event.row_id)] = who
        if "ends_on" in (event.new or {}):
            ended[int(event.row_id)] = who
    return granted, ended
