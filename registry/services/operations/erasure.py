"""Destroying a patient's identifiers, or the whole record, once the patient has withdrawn consent.

Two people have to act: the site records the withdrawal (`follow_up`), and somebody at the centre erases. The audit
trail keeps the fact, who, when and why, and for the legal retention period also what was recorded; of the identifiers
it has ciphertext alone, and the key of that ends with the patient's row in `Identity`.
"""

import logging
from typing import Any

from django.db import connection, transaction

from registry.instruments.base import Label
from registry.instruments.core.follow_up_end import STOP, WITHDRAWN
from registry.instruments.patient_forms import STATE_COLUMNS
from registry.models import AdverseEvent, Assessment, Attachment, Erasure, FollowUpEnd, Identity, Merge, Patient, State
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import ReasonRequired, require
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import everything

log = logging.getLogger(__name__)

Extent = Erasure.Extent

WRONG_NUMBER = Label("is not the number of this patient", "この患者の番号と一致しません")
NOT_WITHDRAWN = Label(
    "The site has not recorded that this patient withdrew consent.", "施設による同意撤回の記録がありません。"
)
MAY_BE_KEPT = Label(
    "By the site's record, the data collected so far may be kept and used.",
    "施設の記録では、それまでのデータは保存・利用してよいとされています。",
)
ALREADY = Label("This was erased before.", "すでに削除されています。")
UNKNOWN_EXTENT = Label("Choose what is erased.", "削除する範囲を選んでください。")


def erased(patient_id: str) -> list[Erasure]:
    """The Erasures of a patient that the scope shows, newest first."""
    return list(Erasure.objects.filter(patient_id=patient_id))


def obstacle(patient: Patient, extent: Any) -> Label | None:
    """Why this patient cannot be erased to this extent, a Label; None if nothing stands against it."""
    end = FollowUpEnd.objects.filter(pk=patient.pk).first()
    if end is None or end.end_kind != WITHDRAWN:
        return NOT_WITHDRAWN
    if extent == Extent.EVERYTHING and end.end_data_use != STOP:
        return MAY_BE_KEPT
    if Erasure.objects.filter(patient_id=patient.pk, extent=extent).exists():
        return ALREADY
    return None


def in_one_line(reason: str) -> str:
    """A reason as it is stored and as the audit trail has it: at most 300 characters."""
    return " ".join(reason.split())[:300]


def checked(*, access: Access | None, patient: Patient, extent: Any, typed: Any, reason: Any) -> str:
    """The reason as it is stored, where a person may ask for this erasure; raises as `erase`."""
    require(access, Can.ERASE, patient.site_id)
    errors = {}
    if typed.strip() != patient.pk:
        errors["typed"] = [WRONG_NUMBER]
    if extent not in Extent.values:
        errors["extent"] = [UNKNOWN_EXTENT]
    elif hindrance := obstacle(patient, extent):
        errors["extent"] = [hindrance]
    reason = in_one_line(reason)
    if not errors and not reason:
        raise ReasonRequired
    if errors:
        raise InvalidAnswers(errors)
    return reason


@transaction.atomic
def erase(*, access: Access | None, patient: Patient, extent: Any, typed: Any, reason: Any) -> Erasure:
    """Destroy a patient's identifiers or whole record for good, and return the Erasure.

    extent  a code of Extent
    typed   the patient's number once more, as the person typed it
    reason  at most 300 characters, without anything that identifies; it stays in the audit trail
    access  None for the system itself
    Raises PermissionDenied, ReasonRequired, and InvalidAnswers by the names `typed` and `extent`.
    """
    user_id = access.user_id if access is not None else None
    with everything(user_id=user_id, reason=in_one_line(reason), in_error=True):
        Patient.objects.select_for_update().only("pk").filter(pk=patient.pk).first()  # two at once: one after the other
        reason = checked(access=access, patient=patient, extent=extent, typed=typed, reason=reason)
        others = _merged_into(patient.pk)
        row = _erased(patient.pk, patient.site_id, extent, reason, user_id)
        for number, site_id in others:
            if not Erasure.objects.filter(patient_id=number, extent=extent).exists():
                _erased(number, site_id, extent, reason, user_id)
    return row


def _merged_into(patient_id: str) -> list[tuple[str, int]]:
    """(number, site id) of the records that were merged into a patient's: they are of the same person."""
    numbers = list(Merge.objects.filter(patient_id=patient_id, taken_back_at=None).values_list("merged", flat=True))
    rows = list(Patient.objects.filter(pk__in=numbers).values_list("pk", "site_id"))
    return rows + [further for number in numbers for further in _merged_into(number)]


def _erased(patient_id: str, site_id: Any, extent: Any, reason: str, user_id: Any) -> Erasure:
    attachments = Attachment.objects.filter(site_id=site_id, patient_id=patient_id)
    rows = {"registry_attachment": attachments.delete()[0]} if attachments.exists() else {}
    rows |= {"registry_identity": Identity.objects.filter(pk=patient_id).delete()[0]}
    if extent == Extent.EVERYTHING:
        rows |= _delete_record(patient_id)
    # A backup from before does not know of it: the log, kept elsewhere, tells what has to be erased again.
    transaction.on_commit(lambda: log.warning("erased: %s %s", patient_id, extent))
    return Erasure.objects.create(
        site_id=site_id, patient_id=patient_id, extent=extent, reason=reason, rows=rows, erased_by_id=user_id
    )


def _delete_record(patient_id: str) -> dict:
    """Delete every row of a patient; returns name of table to number of rows. The first go by cascade."""
    _unlock(patient_id)
    counts = {}
    with connection.cursor() as cursor:
        for table in ("registry_query", "registry_signature", "registry_patientlink"):
            cursor.execute(f"SELECT count(*) FROM {table} WHERE patient_id = %s", [patient_id])
            counts[table] = cursor.fetchone()[0]
    for model in (AdverseEvent, Assessment, FollowUpEnd):
        counts[model._meta.db_table] = model.objects.filter(patient_id=patient_id).delete()[0]
    counts[Patient._meta.db_table] = Patient.objects.filter(pk=patient_id).delete()[0]
    return counts


def _unlock(patient_id: str) -> None:
    """Signed forms are not removed, whoever asks (a trigger): they are unlocked first, with the reason on record."""
    for model, states in (
        (Patient, STATE_COLUMNS.values()),
        (Assessment, ("state",)),
        (AdverseEvent, ("state",)),
    ):
        key = "pk" if model is Patient else "patient_id"
        for state in states:
            model.objects.filter(**{key: patient_id, state: State.LOCKED}).update(**{state: State.COMPLETE})
