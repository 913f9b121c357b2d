"""The life of an erasure that was asked for: it waits where somebody holds the record, and is carried out once.

The row is the job (`registry.services.jobs`). Claim, erasure and the row's own end are one transaction: what lost its
worker has erased nothing and waits as before. It is claimed when nobody else holds the record any more, so that its row
is free to be cancelled, and to be looked at by the sweeper, for as long as it waits.
"""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, connection, transaction

from registry.instruments.base import Label
from registry.models import Assessment, Attachment, Erasing, Identity, Patient
from registry.services import jobs
from registry.services.operations import erasure
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import require
from sites.tenancy.access import Access, Can, access_of
from sites.tenancy.scope import current, everything

STALE = timedelta(seconds=60)
PATIENCE = "2s"  # that a request waits for whoever holds the record
WORKERS_PATIENCE = "60s"  # a worker: after that it has other work to do, and the sweeper sends the erasure again
HELD = (Patient, Assessment, Identity, Attachment)  # tables that an import or a freezing keeps others from writing

BEING_ERASED = Label("This is being erased already.", "すでに削除を依頼済みです。")
NOT_ALLOWED = Label("Whoever asked for this may no longer erase.", "依頼した人には削除の権限がありません。")
GONE = Label("There is no such patient any more.", "この患者の記録はもうありません。")


def request(*, access: Access | None, patient: Patient, extent: Any, typed: Any, reason: Any) -> Erasing:
    """A new Erasing, queued; the caller has it carried out. Arguments and what is raised: as `erasure.erase`.

    One that failed gives way to it: who asks anew has another reason, and may erase today.
    """
    user_id = access.user_id if access is not None else None
    with everything(user_id=user_id, reason=erasure.in_one_line(reason), in_error=True):
        reason = erasure.checked(access=access, patient=patient, extent=extent, typed=typed, reason=reason)
        about = {"site_id": patient.site_id, "patient_id": patient.pk, "extent": extent, "reason": reason}
        try:
            with transaction.atomic():
                failed = Erasing.objects.filter(status__in=jobs.WITHOUT_RESULT)
                failed.filter(patient_id=patient.pk, extent=extent).delete()
                return Erasing.objects.create(requested_by_id=user_id, **about)
        except IntegrityError:
            raise InvalidAnswers({"extent": [BEING_ERASED]}) from None


def waiting(site_ids: Any) -> Any:
    """The Erasings of some sites, newest first, as a query: what waits, and what failed or was cancelled."""
    return Erasing.objects.filter(site_id__in=site_ids).select_related("site", "requested_by")


def cancel(*, access: Access, asked: Erasing) -> bool:
    """Ask for it no longer: its row goes. Returns whether that came before the erasure. Raises PermissionDenied."""
    require(access, Can.ERASE, asked.site_id)
    with everything(user_id=access.user_id, reason=asked.reason), transaction.atomic():
        return bool(Erasing.objects.filter(pk=asked.pk).delete()[0])


def again(*, access: Access | None, asked: Erasing) -> Erasing:
    """The Erasing that failed, queued once more; the caller sends it. Raises PermissionDenied."""
    require(access, Can.ERASE, asked.site_id)
    with everything(user_id=current().user_id, reason=asked.reason), transaction.atomic():
        jobs.requeue(Erasing.objects.filter(pk=asked.pk, status__in=jobs.WITHOUT_RESULT), error=None)
    return asked


def perform(pk: Any, *, at_once: bool = False) -> bool:
    """Claim an Erasing and carry it out. Returns whether it was carried out or failed, which its row says.

    at_once  whether a person waits for it: it goes on waiting for a worker sooner where somebody holds the record
    """
    with everything(reason="erase_patient"), transaction.atomic():
        asked = Erasing.objects.select_related("requested_by").filter(pk=pk).first()
        if asked is None or _is_held(asked.patient_id, PATIENCE if at_once else WORKERS_PATIENCE):
            return False
        claim = jobs.claim(Erasing, pk, STALE, error=None)
        if claim is None:
            return False
        foreseen = (InvalidAnswers, PermissionDenied, Patient.DoesNotExist)
        jobs.carry_out(claim, lambda _tell: _erase(asked), _explained, reporting=False, foreseen=foreseen)
    return True


def _is_held(patient_id: str, patience: str) -> bool:
    """Whether somebody held the record for so long. Where nobody did, nobody else does until the transaction ends."""
    tables = ", ".join(model._meta.db_table for model in HELD)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)", [patience])
            (usual, _here) = cursor.fetchone()
            cursor.execute(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")
            cursor.execute("SELECT 1 FROM registry_patient WHERE patient_id = %s FOR UPDATE", [patient_id])
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
    except OperationalError:
        return True
    return False


def _erase(asked: Erasing) -> None:
    access = access_of(asked.requested_by) if asked.requested_by is not None else None
    with transaction.atomic():  # what fails takes back this much, and the row says why
        with everything(user_id=asked.requested_by_id, reason=asked.reason, in_error=True):
            patient = Patient.objects.get(pk=asked.patient_id)
        about = {"extent": asked.extent, "typed": asked.patient_id, "reason": asked.reason}
        erasure.erase(access=access, patient=patient, **about)
        with everything(user_id=asked.requested_by_id, reason=asked.reason):
            asked.delete()


def _explained(error: Exception) -> dict[str, str]:
    """Why it failed, in both languages; the log has the rest."""
    if isinstance(error, InvalidAnswers):
        return jobs.in_words(next(label for labels in error.errors.values() for label in labels))
    if isinstance(error, PermissionDenied):
        return jobs.in_words(NOT_ALLOWED)
    return jobs.in_words(GONE) if isinstance(error, Patient.DoesNotExist) else jobs.unforeseen(error)


def recover() -> list:
    """Erasings to be sent (again), as `jobs.recover` says. Returns their ids."""
    with everything(reason="erase_patient"), transaction.atomic():
        return jobs.recover(Erasing, STALE, jobs.in_words(jobs.WORKER_LOST))
