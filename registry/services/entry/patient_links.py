"""Patients answer for themselves: a link that works once, and what becomes of the answers.

The answers are no record. They wait for somebody who enters data at the site; taken over, they are in that person's
draft of the form, and what is saved from there is the record.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.instruments import catalogue
from registry.instruments.base import Instrument, Item
from registry.instruments.extra.respondent import RESPONDENT
from registry.models import Assessment, Patient, PatientLink, State
from registry.protocol import evaluate
from registry.services.follow_up import ends, schedule
from registry.services.protocol import wording
from registry.services.records import drafts, extras
from registry.services.records.storing import Locked, as_json, locked_for_update, require
from registry.services.study import consents
from sites.database.fast_rows import rows_of
from sites.moments import day_of
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import Scope, current

INSTRUMENTS = (catalogue.EQ5D5L, catalogue.EQ_VAS, catalogue.PAIN_VAS)
ITEMS = catalogue.items(INSTRUMENTS)
DECLINED = "refused"  # the reason for a missing value where the patient would rather not say
VALID = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "3d": timedelta(days=3), "7d": timedelta(days=7)}


class NotUsable(Exception):
    """The link is of nothing that can still be answered: unknown, used, revoked, replaced or too old."""


class FollowUpEnded(Exception):
    """The patient died, withdrew consent or was lost to follow-up: nobody is asked any more."""


class ContactWithdrawn(FollowUpEnded):
    """The patient wants no further contact."""


class NothingToAsk(Exception):
    """Nothing of the visit can be asked in this language: the licensed wording is not loaded."""


class AlreadySettled(Exception):
    """Somebody has taken the answers over, or refused them, already."""


def hashed(token: Any) -> str:
    """What is kept of a token. It is 256 bits of chance: nothing slower is needed to keep it."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def create(
    *, access: Access, patient: Patient, timepoint: Any, language: str, respondent: Any, valid: Any
) -> tuple[PatientLink, str]:
    """(a new PatientLink, its token, which is nowhere else). An open link for the same form no longer works.

    valid  a code of VALID
    Raises PermissionDenied, NothingToAsk, FollowUpEnded (ContactWithdrawn), and Locked for a form that is signed.
    """
    require(access, Can.ENTER, patient.site_id)
    if not instruments_of(PatientLink(timepoint=timepoint, language=language)):
        raise NothingToAsk
    patient = locked_for_update(Patient, patient.pk, None)  # who ends follow-up at this moment is waited for
    if patient.vital_status == "dead" or ends.end_of(patient) is not None:
        raise FollowUpEnded
    if consents.is_withdrawn(patient, consents.CONTACT):
        raise ContactWithdrawn
    _form(patient.pk, timepoint)
    schedule.ensure_timepoint(timepoint)
    now = timezone.now()
    earlier = PatientLink.objects.filter(patient=patient, site_id=patient.site_id, timepoint=timepoint)
    earlier.filter(submitted_at=None, revoked_at=None).update(revoked_at=now)
    token = secrets.token_urlsafe(32)
    link = PatientLink.objects.create(
        patient=patient,
        site_id=patient.site_id,
        timepoint=timepoint,
        token_hash=hashed(token),
        language=language,
        respondent=respondent,
        created_by_id=access.user_id,
        expires_at=now + VALID[valid],
    )
    return link, token


def revoke(*, access: Access, link: Any) -> None:
    """The link no longer works. Nothing happens to answers that were sent already."""
    require(access, Can.ENTER, link.site_id)
    PatientLink.objects.filter(pk=link.pk, submitted_at=None, revoked_at=None).update(revoked_at=timezone.now())


# Whoever holds the link


def scope_of(token: Any) -> Scope:
    """The Scope that opens the row of this link and nothing else."""
    return Scope(link=hashed(token), request_id=current().request_id, reason="patient link")


def usable(*, lock: bool = False) -> PatientLink:
    """The PatientLink of the current scope. Raises NotUsable."""
    rows = PatientLink.objects.select_for_update() if lock else PatientLink.objects
    link = rows.filter(token_hash=current().link).first()
    if link is None or link.state != "open":
        raise NotUsable
    return link


def sent() -> PatientLink | None:
    """The PatientLink of the current scope if its answers were sent a moment ago, or None.

    For the second of two taps alone: later a used link is answered as an invented one is.
    """
    moment_ago = timezone.now() - timedelta(minutes=1)
    return PatientLink.objects.filter(token_hash=current().link, submitted_at__gt=moment_ago).first()


def askable(timepoint: str) -> tuple[Instrument, ...]:
    """What patients answer themselves at a visit, by the protocol: core instruments, and the study's own."""
    current_protocol = catalogue.current()
    own = [
        instrument for instrument in current_protocol.own.get("assessment", ()) if wording.is_of_patients(instrument)
    ]
    return tuple(
        current_protocol.as_asked(instrument, timepoint)
        for instrument in (*INSTRUMENTS, *own)
        if current_protocol.asks(instrument.code, timepoint)
    )


def instruments_of(link: Any) -> tuple[Instrument, ...]:
    """What a link asks, in its language's licensed wording; nothing whose wording is needed and not loaded."""
    have, needed = wording.loaded(link.language), wording.needed()
    return tuple(
        wording.worded(instrument, link.language)
        for instrument in askable(link.timepoint)
        if instrument.code in have or instrument.code not in needed
    )


def items_of(link: Any) -> tuple[Item, ...]:
    """The items that a link asks now: of what its answers so far leave to be asked."""
    conditions, answers = catalogue.current().conditions, values_of(link)
    return tuple(
        item
        for item in catalogue.items(instruments_of(link))
        if not item.show_if or evaluate.value(conditions[item.name]["show_if"], answers) is True
    )


def answered_items(link: Any) -> tuple[Item, ...]:
    """The items that a link has answers or refusals to, in their order, whatever is asked now."""
    own = catalogue.items(catalogue.current().own.get("assessment", ()))
    return tuple(item for item in (*ITEMS, *own) if item.name in link.answers)


def values_of(link: Any) -> dict[str, Any]:
    """The clean values of a link's answers by item name; None for what was refused."""
    return {item.name: value_of(item, link.answers[item.name]) for item in answered_items(link)}


def value_of(item: Item, given: Any) -> Any:
    """The clean value of a kept answer; None for a refusal. A text is kept in a list, so that it is no refusal."""
    if given == DECLINED:
        return None
    return item.clean(given[0] if item.kind == "text" else given)


def answer(link: Any, item: Item, raw: Any) -> None:
    """Keep the answer to one of `items_of(link)`. Raises InvalidValue."""
    value = as_json(item.clean(raw))
    _keep(link, item, [value] if item.kind == "text" else value)


def decline(link: Any, item: Item) -> None:
    """The patient would rather not answer this one."""
    _keep(link, item, DECLINED)


def _keep(link: Any, item: Item, value: Any) -> None:
    link.answers = link.answers | {item.name: value}
    link.opened_at = link.opened_at or timezone.now()
    link.save(update_fields=["answers", "opened_at"])


def unanswered(link: Any) -> Any:
    """The items that still have neither an answer nor a refusal."""
    return [item for item in items_of(link) if item.required and link.answers.get(item.name) is None]


def send(link: Any) -> None:
    """The answers go to the site, and the link is used up. ValueError where an item is left."""
    if unanswered(link):
        raise ValueError("every question needs an answer or a refusal")
    link.submitted_at = timezone.now()
    link.save(update_fields=["submitted_at"])


# The site


def arrived(site_ids: Iterable[int], limit: int) -> list[PatientLink]:
    """Answers that wait for somebody at these sites, the oldest first; at most `limit`."""
    waiting = "site_id = ANY (%s) AND settled_at IS NULL AND submitted_at IS NOT NULL ORDER BY submitted_at LIMIT %s"
    return rows_of(PatientLink).where(waiting, [list(site_ids), limit])


@transaction.atomic
def accept(*, access: Access, link: Any, version: Any = None, names_left: Any = ()) -> None:
    """Lay the answers into the person's draft of the form, where they can be looked at, completed and saved.

    version  of the form that the answers were looked at beside, None where there was none: what somebody saves after
             that is asked about before it is overwritten
    kept     names of the items whose value in the form stays
    Raises PermissionDenied, AlreadySettled, and Locked for a form that is signed.
    """
    link = _settling(access, link)
    row = _form(link.patient_id, link.timepoint)
    draft = drafts.draft_of(access, link.patient, link.timepoint)
    typed = {}
    for item in answered_items(link):
        if item.name in names_left:
            continue
        given = link.answers[item.name]
        typed[item.name] = [""] if given == DECLINED else _typed(item, given)
        typed[f"{item.name}_missing"] = [DECLINED if given == DECLINED else ""]
    if RESPONDENT.code in extras.switched_on():
        typed[RESPONDENT.code] = [link.respondent]
    if row is None and not (draft and not draft.discarded_at and any(draft.typed.get("assessment_date", ()))):
        typed["assessment_date"] = [day_of(link.submitted_at).isoformat()]
    drafts.keep(access=access, patient=link.patient, form=link.timepoint, typed=typed, version=version)
    _settle(access, link, "")


def _typed(item: Item, given: Any) -> list[str]:
    """A kept answer as a form's field sends it."""
    if item.kind == "codes":
        return given.split(";")
    return [given[0] if item.kind == "text" else str(given)]


@transaction.atomic
def refuse(*, access: Access, link: Any, reason: Any) -> None:
    """The answers are not used, and why. Raises PermissionDenied, AlreadySettled; ValueError without a reason."""
    if not reason.strip():
        raise ValueError("a reason is needed")
    _settle(access, _settling(access, link), reason.strip())


def _form(patient_id: str, timepoint: Any) -> Assessment | None:
    """The assessment that the answers are for, None where there is none yet. Raises Locked for one that is signed."""
    row = Assessment.objects.filter(patient_id=patient_id, timepoint_id=timepoint).first()
    if row is not None and row.state == State.LOCKED:
        raise Locked
    return row


def _settling(access: Access, link: Any) -> PatientLink:
    require(access, Can.ENTER, link.site_id)
    locked = PatientLink.objects.select_for_update(of=("self",)).select_related("patient").get(pk=link.pk)
    if locked.state != "arrived":
        raise AlreadySettled
    return locked


def _settle(access: Access, link: Any, refusal: Any) -> None:
    link.settled_at, link.settled_by_id, link.refusal = timezone.now(), access.user_id, refusal
    link.save(update_fields=["settled_at", "settled_by", "refusal"])
