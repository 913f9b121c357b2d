"""Marking a record as entered in error, and taking that back: a wrong patient, visit, event or own record.

Nothing is deleted. The mark hides the record, and what hangs on it, from every query whose scope does not ask for it
(`hides_errors` in registry/guards): no list, count, file, comparison or program sees it, whatever their code forgets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count

from registry.instruments.base import Label
from registry.models import AdverseEvent, Assessment, EnteredInError, OwnRecord, Patient, State
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import (
    Conflict,
    Locked,
    ReasonRequired,
    locked_for_update,
    require,
    store_update,
)
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current, with_errors

Kind = EnteredInError.Kind
MODELS = {
    Kind.PATIENT: Patient,
    Kind.ASSESSMENT: Assessment,
    Kind.ADVERSE_EVENT: AdverseEvent,
    Kind.OWN_RECORD: OwnRecord,
}
KINDS = {model: kind for kind, model in MODELS.items()}
LONGEST = EnteredInError._meta.get_field("reason").max_length
AGAIN = Label(
    "This was recorded once more in the meantime: mark that one as entered in error first.",
    "同じ記録がその後あらためて登録されています。先にそちらを誤登録としてください。",
)
OF_PATIENT = Label(
    "The patient is marked as entered in error: take that back first.",
    "この患者は誤登録とされています。先に患者の誤登録を取り消してください。",
)
MERGED = Label(
    "This record was merged into {number}: a data manager takes the merge back.",
    "この記録は{number}に統合されています。統合の取り消しはデータマネージャーが行います。",
)


@dataclass(frozen=True)
class HangsOn:
    """How much goes with a record: counts by what it is."""

    assessments: int = 0
    events: int = 0
    own_records: int = 0
    signed: int = 0


def hangs_on(row: Any) -> HangsOn:
    """The `HangsOn` of a record that is to be marked; only a patient has records of its own."""
    if not isinstance(row, Patient):
        return HangsOn(signed=int(row.state == State.LOCKED))
    signed = [row.baseline_state, row.surgery_state].count(State.LOCKED)
    counts = []
    for model in (Assessment, AdverseEvent, OwnRecord):
        states = dict(
            model.objects.order_by()
            .filter(site_id=row.site_id, patient_id=row.pk)
            .values_list("state")
            .annotate(Count("pk"))
        )
        signed += states.get(State.LOCKED, 0)
        counts.append(sum(states.values()))
    assessments, events, records = counts
    return HangsOn(assessments, events, records, signed)


def _said(reason: Any) -> str:
    reason = " ".join(reason.split())[:LONGEST]
    if not reason:
        raise ReasonRequired
    return reason


@transaction.atomic
def mark(*, access: Access, row: Any, version: Any, reason: Any) -> EnteredInError:
    """Mark a Patient, Assessment, AdverseEvent or OwnRecord as entered in error, and return the EnteredInError.

    version  of the record as it was seen
    reason   at most 300 characters; it stays in the audit trail
    Raises Conflict, Locked (something that would go is signed), ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, row.site_id)
    return marked(row=row, version=version, reason=reason)


def marked(*, row: Any, version: Any, reason: Any, merged_into: str = "") -> EnteredInError:
    """As `mark`, for a service that has asked who may; in a transaction, and by the person of the current scope."""
    reason = _said(reason)
    kind = KINDS[type(row)]
    patient_id = row.pk if kind == Kind.PATIENT else row.patient_id
    with with_errors():
        # Whoever marks the patient meanwhile, or takes that back, waits here.
        patient = Patient.objects.select_for_update().only("in_error").get(pk=patient_id)
        row = locked_for_update(type(row), row.pk, version)
        if row.in_error is not None or patient.in_error is not None:
            raise Conflict(row)
        if hangs_on(row).signed:
            raise Locked
        entry = EnteredInError.objects.create(
            site_id=row.site_id,
            patient_id=patient_id,
            form=kind,
            record=str(row.pk),
            code=str(getattr(row, "timepoint_id", None) or getattr(row, "form", "")),
            reason=reason,
            merged_into=merged_into,
            marked_by_id=current().user_id,
        )
        row.in_error = entry.pk
        store_update(row, ["in_error"], reason)
    return entry


@transaction.atomic
def take_back(*, access: Access, entry: Any, reason: Any) -> EnteredInError:
    """Let a marked record count again, with all that went with it, and return its EnteredInError.

    Raises InvalidAnswers where something stands in its place, Conflict where it was taken back already,
    ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, entry.site_id)
    if entry.merged_into:
        raise InvalidAnswers({"": [MERGED.format(number=entry.merged_into)]})
    return taken_back(entry=entry, reason=reason)


def taken_back(*, entry: Any, reason: Any) -> EnteredInError:
    """As `take_back`, for a service that has asked who may; in a transaction, by the person of the current scope."""
    reason = _said(reason)
    with with_errors():
        Patient.objects.select_for_update().only("pk").get(pk=entry.patient_id)
        entry = EnteredInError.objects.select_for_update().get(pk=entry.pk)
        if entry.taken_back_at is not None:
            raise Conflict(entry)
        row = locked_for_update(MODELS[entry.form], entry.record, None)
        if obstacle := _obstacle(entry, row):
            raise InvalidAnswers({"": [obstacle]})
        row.in_error = None
        store_update(row, ["in_error"], reason)
        entry.taken_back_by_id = current().user_id
        entry.taken_back_reason = reason
        entry.taken_back_at = entry.marked_at  # the database says when
        entry.save(update_fields=["taken_back_by", "taken_back_at", "taken_back_reason"])
    return entry


def _obstacle(entry: Any, row: Any) -> Label | None:
    """Why a record cannot count again, a Label; None if nothing stands against it."""
    if entry.form == Kind.PATIENT:
        return None
    if Patient.objects.filter(pk=entry.patient_id, in_error__isnull=False).exists():
        return OF_PATIENT
    twins = type(row).objects.filter(site_id=row.site_id, patient_id=row.patient_id, in_error=None)
    same = {
        Kind.ASSESSMENT: lambda: twins.filter(timepoint_id=row.timepoint_id),
        Kind.ADVERSE_EVENT: lambda: twins.filter(kind=row.kind, onset_date=row.onset_date),
        Kind.OWN_RECORD: twins.none,
    }
    return AGAIN if same[entry.form]().exists() else None


def of_patient(patient: Patient) -> list[EnteredInError]:
    """The marks on single records of a patient that hold now, newest first."""
    held = EnteredInError.objects.filter(site_id=patient.site_id, patient_id=patient.pk, taken_back_at=None)
    return list(held.exclude(form=Kind.PATIENT).select_related("marked_by"))


def patient_marked(patient_id: str) -> EnteredInError | None:
    """The mark on the patient with this number, if there is one and the scope reaches it."""
    held = EnteredInError.objects.filter(form=Kind.PATIENT, record=patient_id, taken_back_at=None)
    return held.select_related("marked_by", "site").first()


def patients_by_site(site_ids: Iterable[int]) -> dict[Any, Any]:
    """Site id to how many of its patients are marked; sites without any are left out."""
    held = EnteredInError.objects.order_by().filter(form=Kind.PATIENT, taken_back_at=None, site_id__in=site_ids)
    return dict(held.values_list("site_id").annotate(Count("pk")))
