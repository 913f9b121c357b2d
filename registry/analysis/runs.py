"""The life of a comparison run. The row is the job: who claims it, how far it is, what came out.

Whatever carries the run's id may lose it or deliver it twice. A worker claims a run by one UPDATE, keeps a heartbeat,
and writes the result only while the claim is still its own; a run whose heartbeat has stopped is claimed again.
"""

import logging
import threading
from datetime import timedelta

from django.db import DatabaseError, connections
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from registry.analysis import cohorts, plans, presentation, runner
from registry.analysis.refusals import Refused
from registry.models import ComparisonRun
from registry.services import snapshots
from sites import audit
from sites.access import Can
from sites.scope import everything

log = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds between two signs of life
STALE = timedelta(seconds=30)  # a running run that has been silent for so long has lost its worker
UNSENT = timedelta(minutes=5)  # a queued run that nobody claimed for so long is sent again
MOST_ATTEMPTS = 3

Status = ComparisonRun.Status

# Why a run failed, as a page translates it.
NO_ANSWER = gettext_noop("The database did not answer. Run the comparison again; tell the operator if that fails too.")
NO_MEMORY = gettext_noop("The server ran out of memory. Tell the operator, or compare fewer timepoints.")
SNAPSHOT_BROKEN = gettext_noop("The snapshot is not what it was when it was made. Tell the operator.")
WORKER_LOST = gettext_noop("The worker was lost again and again while computing. Tell the operator, then run it again.")


class Cancelled(Exception):
    """Somebody asked the run to stop."""


class ClaimLost(Exception):
    """The run is somebody else's by now, or was deleted."""


# What people do


def request(*, access, plan, cohort, frozen=None):
    """A new run of a Plan and a Cohort, queued, on a Snapshot or (None) on the registry as it is when it runs.

    The caller sends it to a worker. Raises PermissionDenied.
    """
    access.require(Can.COMPARE)
    run = ComparisonRun.objects.create(
        plan=plan.to_json(),
        cohort=cohort.to_json(),
        frozen=frozen,
        requested_by_id=access.user_id,
        heartbeat_at=timezone.now(),
    )
    audit.record("comparison_requested", table=ComparisonRun._meta.db_table, row_id=run.pk)
    return run


def cancel(*, access, run):
    """Stop a run: at once if no worker has it, within about a second otherwise. Raises PermissionDenied."""
    access.require(Can.COMPARE)
    mine = ComparisonRun.objects.filter(pk=run.pk)
    if not mine.filter(status=Status.QUEUED).update(status=Status.CANCELLED, finished_at=timezone.now()):
        mine.filter(status=Status.RUNNING).update(cancel_requested=True)


def again(*, access, run):
    """The run to be sent once more: the same row where nothing came out, a new one where a result is there.

    Raises PermissionDenied.
    """
    access.require(Can.COMPARE)
    emptied = ComparisonRun.objects.filter(pk=run.pk, status__in=[Status.FAILED, Status.CANCELLED]).update(
        status=Status.QUEUED,
        attempts=0,
        progress=0,
        stage="",
        error="",
        cancel_requested=False,
        started_at=None,
        finished_at=None,
        heartbeat_at=timezone.now(),
    )
    if emptied:
        return run
    if run.status != Status.DONE:
        return run  # it is on its way already
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    return request(access=access, plan=plan, cohort=cohort, frozen=run.frozen)


def result_of(run):
    """The result of a run, its keys in the order of the contract, which jsonb does not keep; None before it is done."""
    return run.result and presentation.in_order(run.result)


# What workers do


def perform(run_id):
    """Claim the run and carry it out, to a result, a failure or a cancellation. Returns whether the claim was won.

    Every outcome is in the row; nothing is raised but what stops the process itself.
    """
    attempt = _claim(run_id)
    if attempt is None:
        return False
    reporter = _Reporter(run_id, attempt)
    try:
        with reporter:
            result, patients = _computed(ComparisonRun.objects.get(pk=run_id), reporter.report)
        outcome = {"result": result, "patients": patients, "snapshot": result["method"]["snapshot"]}
        _finish(run_id, attempt, Status.DONE, progress=1, stage="", **outcome)
    except Cancelled:
        _finish(run_id, attempt, Status.CANCELLED)
    except ClaimLost:
        log.warning("comparison %s: another worker has taken over", run_id)
    except Exception as error:
        log.exception("comparison %s failed", run_id)
        _finish(run_id, attempt, Status.FAILED, error=explained(error))
    return True


def _computed(run, on_progress):
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    with everything(user_id=run.requested_by_id, reason=f"comparison {run.pk}"):
        return runner.compare_and_tell(plan, cohort, on_progress, run.frozen)


def explained(error):
    """What a person is told of a failure; the log has the rest. Two lines are English and Japanese."""
    if isinstance(error, DatabaseError):
        return NO_ANSWER
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, snapshots.NotIntact):
        return SNAPSHOT_BROKEN
    if isinstance(error, Refused):
        return f"The plan cannot be carried out: {error.reason.en}.\nこの計画は実行できません：{error.reason.ja}。"
    if isinstance(error, ValueError):
        return f"The plan cannot be carried out: {error}."
    return (
        f"The comparison stopped because of a defect in the program ({type(error).__name__}). "
        "The operator finds the details in the worker's log under this run's number."
    )


def _lost():
    return Q(status=Status.RUNNING, heartbeat_at__lt=timezone.now() - STALE)


def _claim(run_id):
    """The number of this attempt if the run is now ours; None if it is not to be had. One UPDATE, so one winner."""
    now = timezone.now()
    with connections["default"].cursor() as cursor:
        cursor.execute(
            """
            UPDATE registry_comparisonrun
            SET status = 'running', attempts = attempts + 1, started_at = %(now)s, heartbeat_at = %(now)s,
                progress = 0, stage = '', error = ''
            WHERE id = %(id)s AND NOT cancel_requested
              AND (status = 'queued' OR (status = 'running' AND heartbeat_at < %(stale)s))
            RETURNING attempts
            """,
            {"id": run_id, "now": now, "stale": now - STALE},
        )
        row = cursor.fetchone()
    return row and row[0]


def _finish(run_id, attempt, status, **values):
    """End the run, unless it has meanwhile become somebody else's."""
    ComparisonRun.objects.filter(pk=run_id, status=Status.RUNNING, attempts=attempt).update(
        status=status, finished_at=timezone.now(), heartbeat_at=timezone.now(), **values
    )


class _Reporter:
    """Writes progress and heartbeat from a thread with a connection, hence transactions, of its own.

    They are seen while the analysis is still inside its transaction, and go on while one long test is computed.
    """

    def __init__(self, run_id, attempt):
        self.run_id, self.attempt = run_id, attempt
        self.share, self.stage = 0.0, ""
        self.stop_with = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._keep_writing, name=f"comparison {run_id}", daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.thread.join()

    def report(self, share, stage):
        """Called by the analysis; raises Cancelled or ClaimLost when it is to stop."""
        self.share, self.stage = share, stage
        if self.stop_with is not None:
            raise self.stop_with

    def _keep_writing(self):
        try:
            while not self.ended.wait(HEARTBEAT):
                self._write()
        finally:
            connections.close_all()

    def _write(self):
        try:
            mine = ComparisonRun.objects.filter(pk=self.run_id, status=Status.RUNNING, attempts=self.attempt)
            if not mine.update(heartbeat_at=timezone.now(), progress=self.share, stage=self.stage):
                self.stop_with = ClaimLost()
            elif mine.filter(cancel_requested=True).exists():
                self.stop_with = Cancelled()
        except DatabaseError:
            log.warning("comparison %s: no heartbeat", self.run_id, exc_info=True)


def recover():
    """Runs to be sent (again): those whose worker was lost, and those that were never claimed. Returns their ids.

    A run that lost its worker too often fails, and one that was to be cancelled is cancelled.
    """
    now, lost = timezone.now(), ComparisonRun.objects.filter(_lost())
    lost.filter(cancel_requested=True).update(status=Status.CANCELLED, finished_at=now)
    lost.filter(attempts__gte=MOST_ATTEMPTS).update(
        status=Status.FAILED,
        finished_at=now,
        error=WORKER_LOST,
    )
    lost.update(status=Status.QUEUED, heartbeat_at=now - UNSENT)
    unsent = ComparisonRun.objects.filter(status=Status.QUEUED, heartbeat_at__lte=now - UNSENT)
    ids = list(unsent.values_list("pk", flat=True))
    unsent.update(heartbeat_at=now)
    return ids
