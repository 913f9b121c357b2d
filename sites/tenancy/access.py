"""Who may do what, where: the one permission table of the product.

A membership gives a person one role, at one site or (central roles) at all. Every check in the product asks `Access`;
the row-level-security scope of a request is computed from the same object.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites.tenancy.scope import Scope, all_site_ids


class Role(StrEnum):
    COORDINATOR = "coordinator"
    INVESTIGATOR = "investigator"
    MONITOR = "monitor"
    DATA_MANAGER = "data_manager"
    STATISTICIAN = "statistician"
    ADMIN = "admin"


ROLE_LABELS = {
    Role.COORDINATOR: _("Site coordinator"),
    Role.INVESTIGATOR: _("Investigator"),
    Role.MONITOR: _("Monitor"),
    Role.DATA_MANAGER: _("Data manager"),
    Role.STATISTICIAN: _("Statistician"),
    Role.ADMIN: _("Administrator"),
}

# Central roles have no site: they reach every one.
CENTRAL_ROLES = frozenset({Role.DATA_MANAGER, Role.STATISTICIAN, Role.ADMIN})


class Can(StrEnum):
    READ = "read"  # patients' records, without direct identifiers
    IDENTIFY = "identify"  # birth date, hospital number, initials
    ENTER = "enter"  # enrol, enter and correct
    SIGN = "sign"
    VERIFY = "verify"
    QUERY = "query"  # raise and close queries
    EXPORT = "export"
    IMPORT = "import"
    COMPARE = "compare"
    ADJUDICATE = "adjudicate"  # segment groups
    FREEZE = "freeze"  # snapshots
    ERASE = "erase"  # a patient's identifiers or record, once the site has recorded that consent was withdrawn
    RECONCILE = "reconcile"  # two records of one patient into one, a patient to another site
    ADMINISTER = "administer"


PERMISSIONS = {
    Role.COORDINATOR: {Can.READ, Can.IDENTIFY, Can.ENTER, Can.EXPORT, Can.IMPORT},
    Role.INVESTIGATOR: {Can.READ, Can.IDENTIFY, Can.ENTER, Can.EXPORT, Can.IMPORT, Can.SIGN},
    Role.MONITOR: {Can.READ, Can.VERIFY, Can.QUERY},
    Role.DATA_MANAGER: {
        Can.READ,
        Can.QUERY,
        Can.IMPORT,
        Can.ADJUDICATE,
        Can.FREEZE,
        Can.EXPORT,
        Can.COMPARE,
        Can.ERASE,
        Can.RECONCILE,
    },
    Role.STATISTICIAN: {Can.READ, Can.COMPARE, Can.EXPORT, Can.FREEZE},
    Role.ADMIN: {Can.ADMINISTER},
}


# Roles that may be kept from knowing the arms of the study. Whoever enters and signs treats the patient, and knows.
BLINDABLE = (Role.MONITOR, Role.DATA_MANAGER, Role.STATISTICIAN)
_read_blind_roles: Callable[[], frozenset] = frozenset
_read_telling_names: Callable[[], frozenset] = frozenset


def provide_blinding(roles: Callable[[], frozenset], names: Callable[[], frozenset]) -> None:
    """Let `roles` say whom the study keeps from knowing its arms, and `names` which items tell of them."""
    global _read_blind_roles, _read_telling_names
    _read_blind_roles, _read_telling_names = roles, names


@dataclass(frozen=True)
class Grant:
    """One running membership: `site_id` is None for a central role."""

    role: Role
    site_id: int | None


@dataclass(frozen=True)
class Access:
    """What one person may do today. Build it with `access_of(user)`."""

    user_id: Any  # None for the system itself
    grants: tuple[Grant, ...]
    all_site_ids: tuple[int, ...]
    within: frozenset[Can] = frozenset(Can)  # an API token leaves its owner only some abilities

    def _abilities(self, grant: Any) -> set[Can]:
        return PERMISSIONS[grant.role] & self.within

    def sites_for(self, *abilities: Any) -> tuple[int, ...]:
        """Ids of the sites where the person may do at least one of `abilities`, ascending."""
        ids: set[int] = set()
        for grant in self.grants:
            if self._abilities(grant).intersection(abilities):
                ids.update(self.all_site_ids if grant.site_id is None else (grant.site_id,))
        return tuple(sorted(ids))

    def may(self, ability: Any, site_id: Any = None) -> bool:
        """Whether the person may do this, anywhere or at one site."""
        return any(
            ability in self._abilities(grant) and (site_id is None or grant.site_id in (None, site_id))
            for grant in self.grants
        )

    def require(self, ability: Any, site_id: Any = None) -> None:
        """Raise PermissionDenied unless the person may do this."""
        if not self.may(ability, site_id):
            raise PermissionDenied(f"needs the permission “{ability}”")

    def may_everywhere(self, ability: Any) -> bool:
        """Whether a role for every site lets the person do this; a role for every site beside another does not."""
        return any(grant.site_id is None and ability in self._abilities(grant) for grant in self.grants)

    @property
    def of_owner(self) -> Any:
        """What a token's owner may do at the sites that the token reaches; the same access where there is no token."""
        return replace(self, within=frozenset(Can))

    @property
    def is_central(self) -> bool:
        return any(grant.site_id is None and grant.role != Role.ADMIN for grant in self.grants)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(grant.role for grant in self.grants)

    @property
    def is_blind(self) -> bool:
        """Whether every role by which the person reads records is one that must not know the arms."""
        reading = {grant.role for grant in self.grants if Can.READ in PERMISSIONS[grant.role]}
        return bool(reading) and reading <= set(BLINDABLE) and reading <= _read_blind_roles()

    @property
    def hidden_names(self) -> tuple[str, ...]:
        """Names of the items that the person must not know, because they tell of the arm; for most people, none."""
        return tuple(sorted(_read_telling_names())) if self.is_blind else ()

    def scope(self, request_id: str = "") -> Scope:
        """The row-level-security scope of this person's requests."""
        return Scope(
            read=self.sites_for(Can.READ),
            write=self.sites_for(Can.ENTER),
            identify=self.sites_for(Can.IDENTIFY),
            query=self.sites_for(Can.QUERY),
            verify=self.sites_for(Can.VERIFY),
            sign=self.sites_for(Can.SIGN),
            adjudicate=self.sites_for(Can.ADJUDICATE),
            administers=self.may(Can.ADMINISTER),
            blind=self.is_blind,
            hidden=self.hidden_names,
            user_id=self.user_id,
            request_id=request_id,
        )


NOBODY = Access(None, (), ())

# Every request asks this. Written out because the ORM takes several times longer to compose it than PostgreSQL to
# answer; `MembershipQuerySet.running` says the same, and a test holds the two together.
_RUNNING = """
    SELECT {columns} FROM study_sites_membership
    WHERE user_id = {user} AND starts_on <= %(day)s AND (ends_on IS NULL OR ends_on >= %(day)s) ORDER BY id
"""
RUNNING = _RUNNING.format(columns="role, site_id", user="%(user)s")


def running_beside(columns: Any, user: Any) -> str:
    """SQL of the same as one value beside a row, for who reads both: an array of the columns, which are text."""
    return f"ARRAY({_RUNNING.format(columns=f'ARRAY[{columns}]', user=user)})"


def read_beside(user: Any, day: date, running: Any) -> None:
    """Note with a person what was read with them by `running_beside`; `access_of` takes it, once."""
    user.grants_read = day, tuple(Grant(Role(role), site and int(site)) for role, site in running)


def _grants(user: Any, day: date | None) -> Any:
    """The running memberships of a day; None for today, whose were most often read with the person a moment ago."""
    known, grants = getattr(user, "grants_read", (None, ()))
    if known is not None:
        del user.grants_read  # whoever asks again is told what holds then
        if day in (None, known):
            return grants
    with connection.cursor() as cursor:
        cursor.execute(RUNNING, {"user": user.pk, "day": day or timezone.localdate()})
        return tuple(Grant(Role(role), site_id) for role, site_id in cursor.fetchall())


def access_of(user: Any, today: date | None = None) -> Access:
    """What `user` may do today; nothing for someone who is not signed in or no longer active."""
    if not user.is_authenticated or not user.is_active:
        return NOBODY
    grants = _grants(user, today)
    reaches_all = any(grant.site_id is None for grant in grants)
    return Access(user.pk, grants, all_site_ids() if reaches_all else ())
