"""Somebody must always be able to administer the registry."""

from typing import Any

from sites.models import Membership
from sites.tenancy.access import Role


def lasting(today: Any) -> Any:
    """Memberships of active people who administer today and whose access has no end, locked until the commit.

    The lock makes two administrators who end each other's membership at once wait for each other.
    """
    return (
        Membership.objects.running(today)
        .filter(role=Role.ADMIN, ends_on=None, user__is_active=True)
        .select_for_update(of=("self",))
    )


def none_would_last(today: Any, *, without: Any) -> bool:
    """Whether there are lasting administrators today but none but those that `without` (a Q on Membership) selects."""
    ids = set(lasting(today).values_list("pk", flat=True))
    gone = set(Membership.objects.filter(without, pk__in=ids).values_list("pk", flat=True))
    return bool(gone) and gone == ids
