"""Rotation of METASPINE_FIELD_KEYS: what an older key encrypted is encrypted with the first one.

Only keys and secrets are encrypted with them directly (a patient's key, an import's key, a second factor's secret), so
that identifiers and files stay as they are. Backups and the signatures of audit seals are what was written then: they
need the key of their time for as long as they are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.db.models import Func, Value
from django.db.models.functions import Substr

from registry.models import Identity, Import
from registry.services.records import identity
from sites import audit

BATCH = 500  # rows in one transaction: nobody waits for all of them


@dataclass(frozen=True)
class Rotation:
    """Rows that an older key encrypts, or encrypted until now."""

    patients: int = 0
    imports: int = 0
    second_factors: int = 0

    @property
    def total(self) -> int:
        return self.patients + self.imports + self.second_factors


def deployment_cipher() -> MultiFernet:
    """A Fernet key is what METASPINE_FIELD_KEYS holds, 32 bytes in urlsafe base64. The first encrypts, all decrypt."""
    return MultiFernet([_fernet(key) for key in settings.FIELD_KEYS])


@cache
def _fernet(key: Any) -> Fernet:
    return Fernet(key)


def outdated() -> Rotation:
    """How many rows still need a key other than the first."""
    return Rotation(_stale(Identity).count(), _stale(Import).count(), sum(map(_is_stale, _factors())))


def rotate() -> Rotation:
    """Encrypt everything with the first key, in transactions of its own; returns what was done.

    Interrupted, it has done what it did, and goes on when it is called again. Raises UnreadableIdentity or
    InvalidToken where a key that is needed is no longer configured.
    """
    done = Rotation(_rotate(Identity), _rotate(Import), _rotate_factors())
    with transaction.atomic():
        identity.fill_marks()
    if done.total:
        with transaction.atomic():
            audit.record("keys_rotated", detail=vars(done))
    return done


def _stale(model: Any) -> Any:
    """Rows whose `key` does not begin with the first key's id."""
    newest = Func(Value(identity.newest_key_id().hex()), Value("hex"), function="decode")
    return model.objects.order_by("pk").annotate(key_id=Substr("key", 1, identity.KEY_ID)).exclude(key_id=newest)


def _rotate(model: Any) -> int:
    done, stale = 0, _stale(model)
    while True:
        with transaction.atomic():
            rows = list(stale.only("key").select_for_update()[:BATCH])  # fewer where others saved some meanwhile
            for row in rows:
                row.key = identity.rewrapped(row.key, str(row.pk))
                row.save(update_fields=["key"])
        if not rows:
            return done
        done += len(rows)
        stale = _stale(model).filter(pk__gt=rows[-1].pk)


# -- Second factors: secrets inside a JSON object ---------------------------------------------------------------------


def _factors() -> Any:
    return Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk")  # public keys are no secret


def _secrets(factor: Any) -> Iterator[tuple[Any, str] | tuple[Any, int]]:
    """Path in the factor's data to each encrypted text: django-allauth keeps a secret, a seed, or a list of codes."""
    for name in ("secret", "seed"):
        if name in factor.data:
            yield factor.data, name
    codes = factor.data.get("migrated_codes", [])
    yield from ((codes, place) for place in range(len(codes)))


def _is_stale(factor: Any) -> bool:
    newest = _fernet(settings.FIELD_KEYS[0])
    return any(not _opens(newest, holder[place]) for holder, place in _secrets(factor))


def _opens(cipher: Any, token: Any) -> bool:
    try:
        cipher.decrypt(token)
    except InvalidToken:
        return False
    return True


@transaction.atomic
def _rotate_factors() -> int:
    cipher, stale = deployment_cipher(), [factor for factor in _factors().select_for_update() if _is_stale(factor)]
    for factor in stale:
        for holder, place in _secrets(factor):
            holder[place] = cipher.rotate(holder[place]).decode()
        factor.save(update_fields=["data"])
    return len(stale)
