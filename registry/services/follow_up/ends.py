"""Withdrawal of consent and loss to follow-up: entered, corrected, taken back; each with its day and its reason."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.instruments.base import Label
from registry.instruments.core.follow_up_end import FOLLOW_UP_END, LOST, WITHDRAWN
from registry.models import FollowUpEnd, Patient, PatientLink
from registry.models.records.clinical import records_of
from registry.services.records.cleaning import REQUIRED, cleaned_and_checked
from registry.services.records.storing import Conflict, ReasonRequired, require, store_update
from sites.database.fast_rows import rows_of
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import because

ITEMS = FOLLOW_UP_END.items
BEFORE_CONSENT = Label("is before the consent", "同意取得日より前です")
AFTER_DEATH = Label("is after the death", "死亡日より後です")
END_BEFORE = Label("is after the end of follow-up that is recorded", "登録済みの追跡終了日より後です")
END_AFTER = Label("is before the end of follow-up that is recorded", "登録済みの追跡終了日より前です")


def end_of(patient: Patient) -> Any:
    """The patient's FollowUpEnd, or None while follow-up goes on."""
    return next(iter(records_of(FollowUpEnd, patient)), None)


def ends_of(patient_ids: Any) -> dict[Any, FollowUpEnd]:
    """Patient id to FollowUpEnd, for those of some patients that have one."""
    ends = rows_of(FollowUpEnd).where("patient_id = ANY (%s)", [list(patient_ids)])
    return {end.patient_id: end for end in ends}


@transaction.atomic
def end_follow_up(
    *, access: Access, patient: Patient, raw: Any, version: Any = None, reason: str = "", today: Any = None
) -> FollowUpEnd:
    """Record that follow-up ended, or correct what is recorded (with a reason), and return the FollowUpEnd.

    version  of the record that was read, or None for a new one
    Raises InvalidAnswers, Conflict, ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, patient.site_id)
    if raw.get("end_kind") == LOST:
        raw = {**raw, "end_data_use": ""}  # a form without scripts cannot take back what was ticked for a withdrawal
    row = _locked(patient, version)
    stored = Patient.objects.get(pk=patient.pk)  # who was read before the lock may have changed
    answers = cleaned_and_checked(
        ITEMS, raw, {}, lambda read, unread: _errors(stored, read.values, unread), complete=True, today=today
    )
    ask_no_more(patient)
    if row is None:
        return FollowUpEnd.objects.create(patient_id=patient.pk, site_id=patient.site_id, **answers.values)
    if not reason.strip():
        raise ReasonRequired
    changed = [name for name, value in answers.values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, answers.values[name])
    return store_update(row, changed, reason)


@transaction.atomic
def resume_follow_up(*, access: Access, patient: Patient, version: Any, reason: Any) -> None:
    """Take back that follow-up ended: its visits wait again. The trail keeps what was recorded, and why it went.

    Raises Conflict, ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, patient.site_id)
    if not reason.strip():
        raise ReasonRequired
    row = _locked(patient, version)
    if row is not None:
        with because(reason):
            row.delete()


def broken_by_end(patient: Patient, values: Any) -> dict:
    """{column: [Label]} where the answers `values` of a patient contradict the end of follow-up that is recorded."""
    consent, death = values.get("consent_date"), values.get("death_date")
    if not (consent or death) or (end := end_of(patient)) is None:
        return {}
    errors = {}
    if consent and end.end_date < consent:
        errors["consent_date"] = [END_BEFORE]
    if death and end.end_date > death:
        errors["death_date"] = [END_AFTER]
    return errors


def ask_no_more(patient: Patient) -> None:
    """The patient's links that are still open no longer work."""
    links = PatientLink.objects.filter(patient_id=patient.pk, site_id=patient.site_id)
    links.filter(submitted_at=None, revoked_at=None).update(revoked_at=timezone.now())


def _locked(patient: Patient, version: Any) -> FollowUpEnd | None:
    """The record, locked; Conflict unless it has `version` (None: unless there is none)."""
    Patient.objects.select_for_update().only("pk").get(pk=patient.pk)  # two that begin it at once wait for each other
    row = FollowUpEnd.objects.select_for_update().filter(pk=patient.pk).first()
    if (row.version if row else None) != version:
        raise Conflict(row)
    return row


def _errors(patient: Patient, values: Any, unread: Any) -> dict:
    errors, ended = {}, values.get("end_date")
    if ended and patient.consent_date and ended < patient.consent_date:
        errors["end_date"] = [BEFORE_CONSENT]
    elif ended and patient.death_date and ended > patient.death_date:
        errors["end_date"] = [AFTER_DEATH]
    if values.get("end_kind") == WITHDRAWN and values.get("end_data_use") is None and "end_data_use" not in unread:
        errors["end_data_use"] = [REQUIRED]
    return errors
