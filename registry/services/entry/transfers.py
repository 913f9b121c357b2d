"""Moving a patient to another site, with everything that is the patient's: records, queries, signatures, identifiers.

The number stays. The old site no longer reads the patient, but for what its audit trail holds until then, which stays
at that site; from then on the trail is the new site's. Both have an event, and the row of `Transfer`.
"""

from typing import Any

from django.db import connection, transaction

from registry.instruments.base import Label
from registry.models import Erasure, FollowUpEnd, Patient, SuspectedPair, Transfer
from registry.models.records.moves import LONGEST_REASON
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import ReasonRequired, locked_for_update, require
from sites import audit
from sites.models import Site
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import everything

SAME_SITE = Label("is the patient's site already", "すでにこの施設の患者です")
ENDED = Label(
    "Consent was withdrawn: the patient stays where that is recorded.", "同意が撤回されているため、移せません。"
)
ERASED = Label("The patient's identifiers were erased there.", "識別情報が削除されているため、移せません。")


def obstacle(patient: Patient) -> Label | None:
    """Why this patient cannot be moved, a Label; None if nothing stands against it."""
    if Erasure.objects.filter(patient_id=patient.pk).exists():
        return ERASED
    end = FollowUpEnd.objects.filter(pk=patient.pk).first()
    return ENDED if end is not None and end.end_kind == "withdrawn" else None


@transaction.atomic
def transfer(*, access: Access, patient: Patient, to: Site, version: Any, reason: Any) -> Transfer:
    """Move a patient to the site `to`, and return the Transfer.

    version  of the patient as it was seen
    reason   at most 300 characters, without anything that identifies
    Raises PermissionDenied, Conflict, ReasonRequired, and InvalidAnswers by the names `to` and "".
    """
    for site_id in (patient.site_id, to.pk):
        require(access, Can.RECONCILE, site_id)
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise ReasonRequired
    if to.pk == patient.site_id:
        raise InvalidAnswers({"to": [SAME_SITE]})
    with everything(user_id=access.user_id if access else None, reason=reason, in_error=True):
        row = locked_for_update(Patient, patient.pk, version)
        if hindrance := obstacle(row):
            raise InvalidAnswers({"": [hindrance]})
        with connection.cursor() as cursor:
            cursor.execute("SELECT move_patient(%s, %s)", [patient.pk, to.pk])
            number = cursor.fetchone()[0]
        # A question about two records is asked of where they are.
        SuspectedPair.objects.filter(first=patient.pk).update(first_site=to)
        SuspectedPair.objects.filter(second=patient.pk).update(second_site=to)
        audit.record_for_sites(
            "patient_transferred",
            [row.site_id, to.pk],
            table=Patient._meta.db_table,
            row_id=patient.pk,
            detail={"from": row.site.code, "to": to.code},
        )
        return Transfer.objects.get(pk=number)


def of_patient(patient_id: str) -> list[Transfer]:
    """The Transfers of a patient that the scope shows, newest first."""
    return list(Transfer.objects.filter(patient_id=patient_id).select_related("site", "to_site", "transferred_by"))


def sites_with_trail(patient: Patient) -> list[int]:
    """Ids of the sites whose trail has events about a patient: the present one, and those before."""
    before = Transfer.objects.filter(patient_id=patient.pk).values_list("site_id", flat=True)
    return [patient.site_id, *before]
