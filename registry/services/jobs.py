"""Jobs that are rows (`registry.models.jobs`). A worker claims the row, shows life while it works, and ends it.

Whatever carries the row's id may lose it or deliver it twice. One UPDATE decides who has the job; it counts for as long
as the heartbeat goes on, and what has lost its worker is claimed again.
"""

import logging
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, Error, connection, connections, models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language, gettext

from registry.instruments.base import Label
from registry.models.jobs import StagedJob

log = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds between two signs of life
UNSENT = timedelta(minutes=5)  # a queued job that nobody claimed for so long is sent again
MOST_ATTEMPTS = 3

Status = StagedJob.Status  # every such row has these codes
WITHOUT_RESULT = (Status.FAILED, Status.CANCELLED)

NO_ANSWER = Label(
    "The database did not answer. Try again; tell the operator if that fails too.",
    "データベースが応答しませんでした。再度実行し、それでも失敗する場合は管理者に連絡してください。",
)
WORKER_LOST = Label(
    "The worker was lost again and again. Tell the operator.",
    "処理が繰り返し中断しました。管理者に連絡してください。",
)
DEFECT = Label(
    "A defect in the program ({kind}). The operator finds the details in the worker's log.",
    "プログラムの不具合です（{kind}）。詳細は管理者がログで確認できます。",
)


def in_words(reason: Label) -> dict[str, str]:
    """Why a job failed, as its row has it: a reason by language."""
    return {"en": reason.en, "ja": reason.ja}


def why_failed(error: dict[str, str] | str | None) -> str:
    """Why a job failed, in the language of the page: by language, English with Japanese below it, or for gettext."""
    if isinstance(error, dict):
        return Label(error["en"], error["ja"]).in_language(get_language() or "en")
    english, _newline, japanese = (error or "").partition("\n")
    return japanese if japanese and (get_language() or "").startswith("ja") else gettext(english) if english else ""


def unforeseen(error: Exception) -> dict[str, str]:
    """Why a job failed that met what nobody foresaw; the log has the rest."""
    return in_words(NO_ANSWER if isinstance(error, DatabaseError) else DEFECT.format(kind=type(error).__name__))


class Cancelled(Exception):
    """Somebody asked the job to stop."""


class ClaimLost(Exception):
    """The job is somebody else's by now, or was deleted."""


@dataclass(frozen=True)
class Claim:
    """The right to carry out the job that a row of `model` is, in the attempt that began then."""

    model: type[models.Model]
    pk: object
    began: datetime

    @property
    def row(self) -> Any:
        """The row as a query; empty once the claim is lost."""
        return self.model._default_manager.filter(pk=self.pk, status=Status.RUNNING, started_at=self.began)

    def end(self, status: Any, **values: Any) -> bool:
        """End the job, unless it has meanwhile become somebody else's. Returns whether it was still ours."""
        now = timezone.now()
        return bool(self.row.update(**{"status": status, "finished_at": now, "heartbeat_at": now} | values))

    def hold(self) -> None:
        """Lock the row until the transaction ends, which is to end the job. Raises Cancelled or ClaimLost."""
        row = self.row.select_for_update().first()
        if row is None:
            raise ClaimLost
        if row.cancel_requested:
            raise Cancelled


def claim(model: Any, pk: Any, stale: Any, *, in_turn: bool = False, **fresh: Any) -> Claim | None:
    """A Claim if the job waits, or ran and has been silent for `stale`; None if it is not to be had.

    in_turn  whether it goes on waiting while as many of its person's as the setting allows are carried out, so that
             whoever asks for a hundred holds up nobody else; `next_in_turn` follows when one of them ends
    fresh    values of the row's further columns for an attempt that begins
    """
    now = timezone.now()
    if in_turn and _of_same_person(model, pk).filter(heartbeat_at__gte=now - stale, status=Status.RUNNING).count() >= (
        settings.JOBS_PER_PERSON
    ):
        return None
    free = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, heartbeat_at__lt=now - stale)
    beginning = {"status": Status.RUNNING, "started_at": now, "heartbeat_at": now, "attempts": F("attempts") + 1}
    taken = model.objects.filter(free, pk=pk, cancel_requested=False).update(**beginning, **fresh)
    return Claim(model, pk, now) if taken else None


def _of_same_person(model: Any, pk: Any) -> Any:
    """The jobs of whoever asked for this one, without it."""
    return model.objects.filter(requested_by__in=model.objects.filter(pk=pk).values("requested_by")).exclude(pk=pk)


def next_in_turn(model: Any, pk: Any) -> Any:
    """The id of the job that has waited longest of those of the same person, or None."""
    waiting = _of_same_person(model, pk).filter(status=Status.QUEUED, cancel_requested=False)
    return waiting.order_by("requested_at", "pk").values_list("pk", flat=True).first()


def requeue(rows: Any, **fresh: Any) -> bool:
    """Have the job of a query, of rows that are not under way, carried out (again); whoever calls sends it. Returns
    whether there was one.

    fresh  values of the row's further columns
    """
    beginning = {"status": Status.QUEUED, "attempts": 0, "cancel_requested": False, "heartbeat_at": timezone.now()}
    return bool(rows.update(**beginning, started_at=None, finished_at=None, **fresh))


def cancel(rows: Any) -> None:
    """Stop the jobs of a query: at once where no worker has them, within about a second otherwise."""
    if not rows.filter(status=Status.QUEUED).update(status=Status.CANCELLED, finished_at=timezone.now()):
        rows.filter(status=Status.RUNNING).update(cancel_requested=True)


class Heartbeat:
    """Writes progress and signs of life from a thread with a connection, hence transactions, of its own.

    They are seen while the job is still inside its transaction, and go on while one long step is computed.
    """

    def __init__(self, claimed: Any) -> None:
        self.claim = claimed
        self.values: dict[str, Any] = {}
        self.stop_with: Exception | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._keep_writing, name=f"job {claimed.pk}", daemon=True)

    def __enter__(self) -> Any:
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended.set()
        self.thread.join()

    def tell(self, **values: Any) -> None:
        """How far the job is, as values of its columns. Raises Cancelled or ClaimLost when it is to stop."""
        self.values = values
        if self.stop_with is not None:
            raise self.stop_with

    def _keep_writing(self) -> None:
        try:
            while not self.ended.wait(HEARTBEAT):
                self._write()
        finally:
            connections.close_all()

    def _write(self) -> None:
        try:
            if not self.claim.row.update(heartbeat_at=timezone.now(), **self.values):
                self.stop_with = ClaimLost()
            elif self.claim.row.filter(cancel_requested=True).exists():
                self.stop_with = Cancelled()
        except Error:
            log.warning("job %s: no heartbeat", self.claim.pk, exc_info=True)
            connection.close()  # it may be broken; the next one opens another


def carry_out(claimed: Any, work: Any, explained: Any, *, reporting: bool = True, foreseen: Any = ()) -> None:
    """Do the work of a claimed job and end it as done, cancelled or failed: every outcome is in the row.

    work       called with a function that takes how far it is, as values of the row's columns, and raises to stop;
               returns the values of the row that is done, or None where it has ended the job itself (`Claim.hold`)
    explained  an exception to the value of the row's `error`
    reporting  whether progress is written meanwhile and a wish to cancel heard: for what a worker does. Nobody sees the
               row of a claim inside a transaction, so that there it is not
    foreseen   exceptions that tell a person everything: the log needs no traceback
    """
    try:
        seen = reporting and not connection.in_atomic_block
        with Heartbeat(claimed) if seen else nullcontext() as heartbeat:
            values = work(heartbeat.tell if heartbeat else _untold)
        if values is not None:
            claimed.end(Status.DONE, **values)
    except Cancelled:
        claimed.end(Status.CANCELLED)
    except ClaimLost:
        log.warning("job %s: another worker has taken over", claimed.pk)
    except Exception as error:
        if not isinstance(error, foreseen):
            log.exception("job %s failed", claimed.pk)
        claimed.end(Status.FAILED, error=explained(error))


def _untold(**values: Any) -> None:
    """Progress that nobody waits for."""


def recover(model: Any, stale: Any, error: Any) -> list:
    """Jobs to be sent (again): those that lost their worker, and those that were never claimed. Returns their ids.

    A sign of life of a time to come is one of a clock that was set back: it counts for nothing.
    One that lost its worker too often fails with `error`, and one that was to be cancelled is cancelled.
    """
    now = timezone.now()
    to_come = Q(heartbeat_at__gt=now + stale)
    lost = model.objects.filter(Q(heartbeat_at__lt=now - stale) | to_come, status=Status.RUNNING)
    lost.filter(cancel_requested=True).update(status=Status.CANCELLED, finished_at=now)
    lost = lost.filter(cancel_requested=False)  # whoever asks from now on is heard the next time
    lost.filter(attempts__gte=MOST_ATTEMPTS).update(status=Status.FAILED, finished_at=now, error=error)
    lost.update(status=Status.QUEUED, heartbeat_at=now - UNSENT)
    unsent = model.objects.filter(Q(heartbeat_at__lte=now - UNSENT) | to_come, status=Status.QUEUED)
    ids = list(unsent.values_list("pk", flat=True))
    unsent.update(heartbeat_at=now)
    return ids
