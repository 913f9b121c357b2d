"""The life of a freezing: asked for, carried out once, and then a Snapshot with the freezing's own key.

The row is the job (`registry.services.jobs`). The snapshot comes into being in one transaction, so that one that was
cancelled or lost its worker leaves none; a worker that was lost after it left it whole, which the next one finds.
"""

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from registry.analysis.data import packed_snapshots
from registry.instruments.base import Label
from registry.models import Freezing, Snapshot
from registry.services import jobs
from registry.services.files import snapshots
from registry.services.files.snapshots import InvalidLabel
from registry.services.operations import site_counts
from sites.tenancy.access import Can, access_of

STALE = timedelta(seconds=60)
Status = Freezing.Status
UNDER_WAY = (Status.QUEUED, Status.RUNNING)

BEING_FROZEN = Label("“{label}” is being frozen already.", "「{label}」は作成中です。")
NOT_ALLOWED = Label(
    "Whoever asked for this may no longer freeze.", "依頼した人にはスナップショット作成の権限がありません。"
)


# What people do


def request(*, access, label, note=""):
    """A new Freezing, queued. The caller has it carried out. Raises PermissionDenied and InvalidLabel."""
    access.require(Can.FREEZE)
    label = snapshots.free_label(label)
    return _once(label, lambda: Freezing.objects.create(label=label, note=note.strip(), requested_by_id=access.user_id))


def cancel(*, access, freezing):
    """Stop a freezing: at once if no worker has it, within about a second otherwise. Raises PermissionDenied."""
    access.require(Can.FREEZE)
    jobs.cancel(Freezing.objects.filter(pk=freezing.pk))


def again(*, access, freezing):
    """The freezing, to be sent once more; as it is unless it failed or was cancelled. It freezes what is there then.

    Raises PermissionDenied and InvalidLabel.
    """
    access.require(Can.FREEZE)
    ended = Freezing.objects.filter(pk=freezing.pk, status__in=jobs.WITHOUT_RESULT)
    if ended.exists():
        snapshots.free_label(freezing.label)
        _once(freezing.label, lambda: jobs.requeue(ended, progress=0, stage="", error=None))
    return freezing


def _once(label, stored):
    try:
        with transaction.atomic():
            return stored()
    except IntegrityError:
        raise InvalidLabel(BEING_FROZEN.format(label=label)) from None


def is_small():
    """Whether the registry is so small that a request may wait until it is frozen."""
    return not site_counts.is_large()


def without_snapshot():
    """The freezings that have come to no snapshot, newest first, but those whose label has one by now."""
    waiting = Freezing.objects.exclude(status=Status.DONE).exclude(label__in=Snapshot.objects.values("label"))
    return waiting.select_related("requested_by")


# What workers do


def perform(freezing_id, *, reporting=True):
    """Claim the freezing and carry it out. Returns whether the claim was won; every outcome is in the row.

    reporting  as `jobs.carry_out`; what a request carries out takes no turn
    """
    claim = jobs.claim(Freezing, freezing_id, STALE, in_turn=reporting, progress=0, stage="", error=None)
    if claim is None:
        return False
    freezing = Freezing.objects.select_related("requested_by").get(pk=freezing_id)
    foreseen = (InvalidLabel, PermissionDenied)
    jobs.carry_out(claim, lambda tell: _frozen(freezing, tell), _explained, reporting=reporting, foreseen=foreseen)
    return True


def _frozen(freezing, tell):
    if not Snapshot.objects.filter(pk=freezing.pk).exists():
        packed_snapshots.freeze(
            access=access_of(freezing.requested_by),
            label=freezing.label,
            note=freezing.note,
            pk=freezing.pk,
            tell=lambda share, stage: tell(progress=share, stage=stage),
        )
    return {"progress": 1, "stage": ""}


def _explained(error):
    """Why it failed, in both languages; the log has the rest."""
    if isinstance(error, InvalidLabel):
        return jobs.in_words(error.reason)
    return jobs.in_words(NOT_ALLOWED) if isinstance(error, PermissionDenied) else jobs.unforeseen(error)


def recover():
    """Freezings to be sent (again), as `jobs.recover` says. Returns their ids."""
    return jobs.recover(Freezing, STALE, jobs.in_words(jobs.WORKER_LOST))
