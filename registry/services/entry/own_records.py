"""Repeating forms of the study's own: as many records of a patient as there is something to tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.instruments import catalogue
from registry.instruments.base import Instrument
from registry.models import OwnRecord, Patient, State
from registry.services.entry.patients import answers_of
from registry.services.records.cleaning import InvalidAnswers, clean
from registry.services.records.storing import (
    Conflict,
    check_may_change,
    check_not_signed,
    require,
    set_values,
    store_update,
)
from registry.services.review.queries import Said, Unlikely, settle
from registry.services.review.soft_checks import form_of_record
from sites.tenancy.access import Access, Can

SENT_AGAIN = timedelta(minutes=1)  # between two presses of one button


def instrument(code: str) -> Instrument:
    """The repeating form with this code, retired or not; KeyError if there is none."""
    return next((repeat for repeat in catalogue.current().repeats if repeat.code == code), None) or _unknown(code)


def _unknown(code: str) -> Any:
    raise KeyError(code)


def records_of(patient: Patient) -> list[tuple[Instrument, list[OwnRecord]]]:
    """[(Instrument, [OwnRecord])] of a patient: forms that are asked, and others that have records."""
    rows: dict[str, list[OwnRecord]] = {}
    for row in OwnRecord.objects.filter(site_id=patient.site_id, patient_id=patient.pk).order_by("pk"):
        rows.setdefault(row.form, []).append(row)
    current = catalogue.current()
    return [
        (repeat, rows.get(repeat.code, []))
        for repeat in current.repeats
        if current.asks(repeat.code) or repeat.code in rows
    ]


@transaction.atomic
def save_own_record(
    *,
    access: Access,
    patient: Patient,
    form: Any,
    raw: Any,
    missing: Any = None,
    complete: bool = False,
    record: Any = None,
    version: Any = None,
    reason: str = "",
    said: Any = None,
    today: Any = None,
) -> OwnRecord:
    """Save a record of the repeating form `form` (a code), or correct `record` (its number); returns the OwnRecord.

    said  what the person said about unlikely answers (queries.Said); None where nobody can be asked
    Raises KeyError, InvalidAnswers, Conflict, Locked, ReasonRequired, PermissionDenied, and Unlikely if there is
    something to ask.
    """
    require(access, Can.ENTER, patient.site_id)
    declared = instrument(form)
    row = None if record is None else _locked(patient, form, record, version)
    if row is None and not catalogue.current().asks(form):
        raise KeyError(form)
    finished = complete or (row is not None and row.state != State.DRAFT)
    answers = clean(
        declared.items, raw, missing or {}, complete=finished, today=today, known=lambda: answers_of(patient)
    )
    about = [item.name for item in declared.items]
    if row is not None:
        row = _corrected(row, answers, complete, reason)
        settle(patient, record=row, about=about, said=said)
        return row
    row = _begun(patient, form, answers, complete)
    _settle_new(patient, row, about, said)
    return row


def sent_already(access: Access, patient: Patient, form: str, answers: Any) -> OwnRecord | None:
    """The record that this person began just now with these very answers: a form that was sent twice, by two presses.

    The second waits for the first, so that it sees what the first stored.
    """
    Patient.objects.select_for_update().only("pk").get(pk=patient.pk)
    rows = OwnRecord.objects.filter(site_id=patient.site_id, patient_id=patient.pk, form=form)
    recent = rows.filter(updated_by_id=access.user_id, updated_at__gte=timezone.now() - SENT_AGAIN).order_by("-pk")
    latest = recent.first()
    if latest is None:
        return None
    items = instrument(form).items
    try:
        sent = clean(items, answers["raw"], answers["missing"] or {}, complete=False, known=lambda: answers_of(patient))
    except InvalidAnswers:
        return None
    alike = latest.missing == sent.missing and (latest.state != State.DRAFT) == bool(answers["complete"])
    return latest if alike and all(getattr(latest, name) == value for name, value in sent.values.items()) else None


def _settle_new(patient: Patient, row: OwnRecord, about: Any, said: Any) -> None:
    """`settle` of a record that has got its number just now, which nobody who is asked can know: they say “new”."""
    numbered = form_of_record(row)
    new = replace(numbered, record=None)

    def known(key: str) -> str:
        return key.replace(f"{new.code}:", f"{numbered.code}:", 1)

    if said is not None:
        said = Said(frozenset(map(known, said.asked)), {known(key): note for key, note in said.right.items()})
    try:
        settle(patient, record=row, about=about, said=said)
    except Unlikely as unlikely:
        raise Unlikely([replace(finding, form=new) for finding in unlikely.findings]) from None


def _locked(patient: Patient, form: str, record: int, version: int | None) -> OwnRecord:
    rows = OwnRecord.objects.select_for_update().order_by()
    row = rows.filter(patient_id=patient.pk, site_id=patient.site_id, form=form, pk=record).first()
    if row is None or row.version != version:
        raise Conflict(row)
    check_not_signed(row.state)
    return row


def _asked_by() -> int | None:
    return catalogue.current().version or None


def _begun(patient: Patient, form: str, answers: Any, complete: bool) -> OwnRecord:
    return OwnRecord.objects.create(
        patient=patient, site_id=patient.site_id, form=form, missing=answers.missing,
        state=State.COMPLETE if complete else State.DRAFT, asked_by=_asked_by() if complete else None,
        **answers.values,
    )  # fmt: skip


def _corrected(row: OwnRecord, answers: Any, complete: bool, reason: str) -> OwnRecord:
    check_may_change(row.state, reason)
    changed = set_values(row, answers)
    if complete and row.state == State.DRAFT:
        row.state, row.asked_by = State.COMPLETE, _asked_by()
        changed += ["state", "asked_by"]
    return store_update(row, changed, reason)
