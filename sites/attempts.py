"""Rate limits of guesses at passwords, codes, links and tokens: counted in the database, by person and by address.

A guess is counted before it is looked at, and taken back where it was right. Each counter is its own: what succeeds
takes back its own attempt and nothing else. The person's counter is one for every spelling of the address, and for
signing in, confirming and signing alike. The database keeps them, so that a lost cache neither clears nor closes any.
"""

import hashlib
import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal.ratelimit import parse_rates
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from sites import audit
from sites.models import Attempt

LONGEST = timedelta(hours=1)  # that an attempt is kept: no rate looks back further


class TooMany(Exception):
    """There were too many attempts for one person or from one address: nothing is looked at for a while."""


@dataclass(frozen=True)
class Taken:
    """Attempts that were counted. `new`: whether it was no repetition of an earlier guess."""

    ids: tuple[int, ...]

    @property
    def new(self) -> bool:
        return bool(self.ids)

    def undo(self) -> None:
        """Take them back: the guess was right."""
        Attempt.objects.filter(pk__in=self.ids).delete()


def take(kind: Any, request: Any, *, person: Any = None, user: Any = None, guess: str = "") -> Taken:
    """Count one attempt at a secret of this kind and return it as Taken. Raises TooMany: then it is not looked at.

    kind    a key of settings.ACCOUNT_RATE_LIMITS, whose value says how many are let through: by `ip`, the network
            address that the request comes from, and by `key`, the person
    person  whose secret it is, in one spelling; None where nobody knows, as with an invitation
    user    the User, where there is one: a lockout is on record with the person
    guess   the text itself where a repetition of it is no further guess, as of a token
    """
    ids: list[int] = []
    for rate in _rates(kind, person):
        of = f"{kind}/{rate.per}"
        name = _network(get_adapter().get_client_ip(request)) if rate.per == "ip" else str(person)
        pk = _count(of, name, guess, rate.amount, timedelta(seconds=rate.duration))
        if pk is None:
            Taken(tuple(ids)).undo()
            _locked(of, name, user, timedelta(seconds=rate.duration))
            raise TooMany(kind)
        ids.append(pk)
    return Taken(tuple(filter(None, ids)))


def _rates(kind: Any, person: Any) -> Any:
    """The person's rate first, so that whoever waits for the same person holds nothing else meanwhile."""
    rates = parse_rates(settings.ACCOUNT_RATE_LIMITS[kind])
    return sorted((rate for rate in rates if rate.per == "ip" or person is not None), key=lambda rate: rate.per == "ip")


def _count(kind: Any, name: Any, guess: Any, most: Any, window: Any) -> Any:
    """Id of the new Attempt, 0 for the same guess again, None at the limit."""
    subject, guess = _hashed(f"{kind} {name}"), guess and hashlib.sha256(guess.encode()).hexdigest()
    if kind.endswith("/key"):
        _one_at_a_time(subject)
    within = Attempt.objects.filter(kind=kind, subject=subject, at__gt=timezone.now() - window)
    if guess and within.filter(guess=guess).exists():
        return 0
    if within.count() >= most:
        return None
    return Attempt.objects.create(kind=kind, subject=subject, guess=guess).pk


def _one_at_a_time(subject: Any) -> None:
    """Guesses at one person's secret wait for each other; those of a hospital, which shares an address, do not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"attempt {subject}"])


def _locked(kind: Any, name: Any, user: Any, window: Any) -> None:
    """Put a lockout on record, once for as long as it lasts, with the person where there is one."""
    if _count("locked", f"{kind} {name}", "once", 1, window):
        detail = {"kind": kind.partition("/")[0], "by": "address" if kind.endswith("/ip") else "person"}
        audit.record("sign_in_locked", table="study_sites_user", row_id=user.pk if user else "", detail=detail)


def _hashed(name: Any) -> str:
    return salted_hmac("sites.attempts", name, algorithm="sha256").hexdigest()


def _network(address: Any) -> Any:
    """An address as it counts: of IPv6 the network, of which one customer has every address."""
    with suppress(ValueError):
        network = ipaddress.ip_address(address)
        if network.version == 6:
            return str(ipaddress.ip_network((network, 64), strict=False))
    return address


def forget() -> None:
    """Delete the attempts that count no more."""
    Attempt.objects.filter(at__lt=timezone.now() - LONGEST).delete()
