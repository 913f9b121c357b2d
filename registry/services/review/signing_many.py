"""Signing of several patients with one password: each is a signature of its own, over what its page showed.

What stands against one patient (a change since the page was opened, a form that was begun) stands in no other's way.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from registry.models import Patient, Signature
from registry.services.review import signing
from registry.services.seen import Unseen
from sites.tenancy.access import Access


@dataclass(frozen=True)
class Asked:
    """A patient to sign: the note of the page that showed the answers (`signing.note`)."""

    patient: Patient
    seen: str


@dataclass(frozen=True)
class Outcome:
    """What became of one patient: the signature, or what changed since the page (`seen.Unseen`), or neither where
    forms or queries came that must be looked at first."""

    patient: Patient
    signature: Signature | None = None
    unseen: Unseen | None = None


def sign_each(*, access: Access, asked: Iterable[Asked], acknowledged: set[int], language: str) -> list[Outcome]:
    """Sign each patient by itself; the caller has asked for the password. Raises PermissionDenied, and signs none."""
    outcomes = []
    with transaction.atomic():
        for patient in sorted(asked, key=lambda wanted: wanted.patient.pk):  # locked in one order by everybody
            outcomes.append(_sign(access, patient, acknowledged, language))
    return outcomes


def _sign(access: Access, asked: Asked, acknowledged: set[int], language: str) -> Outcome:
    try:
        signature = signing.sign(
            access=access, patient=asked.patient, language=language, acknowledged=acknowledged, seen=asked.seen
        )
    except Unseen as unseen:
        return Outcome(asked.patient, unseen=unseen)
    except signing.NotReady:
        return Outcome(asked.patient)
    return Outcome(asked.patient, signature)
