"""Repeating forms of the study's own: as many records of a patient as there is something to tell."""

from typing import Any

from django.db import transaction

from registry.instruments import catalogue
from registry.instruments.base import Instrument
from registry.models import OwnRecord, Patient, State
from registry.services.entry.patients import answers_of
from registry.services.records.cleaning import clean
from registry.services.records.storing import (
    Conflict,
    check_may_change,
    check_not_signed,
    require,
    set_values,
    store_update,
)
from sites.tenancy.access import Access, Can


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
    today: Any = None,
) -> OwnRecord:
    """Save a record of the repeating form `form` (a code), or correct `record` (its number); returns the OwnRecord.

    Raises KeyError, InvalidAnswers, Conflict, Locked, ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, patient.site_id)
    declared, row = instrument(form), None
    if record is not None:
        row = (
            OwnRecord.objects.select_for_update().order_by().filter(patient_id=patient.pk, form=form, pk=record).first()
        )
        if row is None or row.version != version:
            raise Conflict(row)
        check_not_signed(row.state)
    elif not catalogue.current().asks(form):
        raise KeyError(form)
    finished = complete or (row is not None and row.state != State.DRAFT)
    answers = clean(
        declared.items, raw, missing or {}, complete=finished, today=today, known=lambda: answers_of(patient)
    )
    asked_by = catalogue.current().version or None
    if row is not None:
        check_may_change(row.state, reason)
    if row is None:
        state = State.COMPLETE if complete else State.DRAFT
        return OwnRecord.objects.create(
            patient=patient, site_id=patient.site_id, form=form, missing=answers.missing, state=state,
            asked_by=asked_by if complete else None, **answers.values,
        )  # fmt: skip
    changed = set_values(row, answers)
    if complete and row.state == State.DRAFT:
        row.state, row.asked_by = State.COMPLETE, asked_by
        changed += ["state", "asked_by"]
    return store_update(row, changed, reason)
