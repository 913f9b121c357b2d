"""The life of a comparison run. The row is the job (`registry.services.jobs`): how far it is, what came out.

The result is written only while the claim is still the worker's own.
"""

from datetime import timedelta

from django.db import DatabaseError
from django.utils.translation import gettext_noop

from registry.analysis.design import cohorts, plans
from registry.analysis.design.errors import Refused
from registry.analysis.presentation import tables
from registry.analysis.results.result import Result
from registry.analysis.running import runner
from registry.models import ComparisonRun
from registry.services import jobs
from registry.services.files import snapshots
from sites import audit
from sites.database.replica import on_replica
from sites.tenancy.access import Can
from sites.tenancy.scope import everything

STALE = timedelta(seconds=30)  # a running run that has been silent for so long has lost its worker

Status = ComparisonRun.Status

# Why a run failed, as a page translates it.
NO_ANSWER = gettext_noop("The database did not answer. Run the comparison again; tell the operator if that fails too.")
NO_MEMORY = gettext_noop("The server ran out of memory. Tell the operator, or compare fewer timepoints.")
SNAPSHOT_BROKEN = gettext_noop("The snapshot is not what it was when it was made. Tell the operator.")
WORKER_LOST = gettext_noop("The worker was lost again and again while computing. Tell the operator, then run it again.")


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
    )
    audit.record("comparison_requested", table=ComparisonRun._meta.db_table, row_id=run.pk)
    return run


def cancel(*, access, run):
    """Stop a run: at once if no worker has it, within about a second otherwise. Raises PermissionDenied."""
    access.require(Can.COMPARE)
    jobs.cancel(ComparisonRun.objects.filter(pk=run.pk))


def again(*, access, run):
    """The run to be sent once more: the same row where nothing came out, a new one where a result is there.

    Raises PermissionDenied.
    """
    access.require(Can.COMPARE)
    ended = ComparisonRun.objects.filter(pk=run.pk, status__in=jobs.WITHOUT_RESULT)
    if jobs.requeue(ended, progress=0, stage="", error=""):
        return run
    if run.status != Status.DONE:
        return run  # it is on its way already
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    return request(access=access, plan=plan, cohort=cohort, frozen=run.frozen)


def result_of(run):
    """The Result of a run, in the order of the contract, which jsonb does not keep; None before it is done."""
    return run.result and Result.from_json(tables.in_order(run.result))


# What workers do


def perform(run_id):
    """Claim the run and carry it out, to a result, a failure or a cancellation. Returns whether the claim was won.

    Every outcome is in the row; nothing is raised but what stops the process itself.
    """
    claim = jobs.claim(ComparisonRun, run_id, STALE, in_turn=True, progress=0, stage="", error="")
    if claim is None:
        return False
    run = ComparisonRun.objects.get(pk=run_id)
    jobs.carry_out(claim, lambda tell: _computed(run, tell), explained)
    return True


def _computed(run, tell):
    """The values of the row of a run that is done."""
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)

    def compare():
        with everything(user_id=run.requested_by_id, reason=f"comparison {run.pk}"):
            return runner.compare_and_tell(
                plan, cohort, lambda share, stage: tell(progress=share, stage=stage), run.frozen
            )

    result, patients = on_replica(compare)
    snapshot = result["method"]["snapshot"]
    return {"result": result, "patients": patients, "snapshot": snapshot, "progress": 1, "stage": ""}


def explained(error):
    """What a person is told of a failure; the log has the rest. Two lines are English and Japanese."""
    if isinstance(error, DatabaseError):
        return NO_ANSWER
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, snapshots.Lacking):
        return f"{error.reason.en}\n{error.reason.ja}"
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


def recover():
    """Runs to be sent (again), as `claims.recover` says. Returns their ids."""
    return jobs.recover(ComparisonRun, STALE, WORKER_LOST)
