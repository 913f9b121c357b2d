"""Runs as jobs: claims, heartbeats, cancellation, failures; with a real broker and a real worker, also a killed one."""

import os
import signal
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from registry import tasks
from registry.analysis.design import cohorts, plans
from registry.analysis.running import runs
from registry.models import ComparisonRun
from registry.services import jobs
from sites.models import Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.analysis.conftest import answers, patient, store
from tests.conftest import person
from tests.working import a_worker, has_looked_whether_to_stop, locked, until


@pytest.fixture
def bob(committed):
    north = Site.objects.create(code="N01", name="North Hospital")
    bob = person("Bob", Role.STATISTICIAN)
    levels = [("C3",), ("T6",), ("L1",)]
    visits = [
        {"preop": answers("45344", 30, pain_vas_mm=40 + i), "1m": answers("13315", 90, pain_vas_mm=i)} for i in range(9)
    ]
    store(north, [patient(lesion_levels=levels[i % 3], visits=visits[i]) for i in range(9)])
    return bob


@pytest.fixture
def access(bob):
    access = access_of(bob)
    with entered(access.scope()):
        yield access


@pytest.fixture
def run(access):
    return runs.request(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)


def stored(run):
    run.refresh_from_db()
    return run


def silent(run, seconds=3600):
    """As if the worker had not been heard of for so long."""
    ComparisonRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_a_queued_run_is_carried_out_once(run):
    assert runs.perform(run.pk)
    assert not runs.perform(run.pk)
    done = stored(run)
    assert (done.status, done.progress, done.attempts, done.error) == ("done", 1, 1, "")
    assert done.snapshot == done.result["method"]["snapshot"]
    assert done.result["cohort"]["n"] == 9


def test_a_result_never_changes(run):
    runs.perform(run.pk)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        ComparisonRun.objects.filter(pk=run.pk).update(result={"cohort": "another"})
    assert stored(run).result["cohort"]["n"] == 9


def test_a_running_run_is_left_alone_until_its_heartbeat_stops(run):
    ComparisonRun.objects.filter(pk=run.pk).update(status="running", attempts=1, heartbeat_at=timezone.now())
    assert not runs.perform(run.pk)
    silent(run, 31)
    assert runs.perform(run.pk)
    assert (stored(run).status, run.attempts) == ("done", 2)


def test_a_worker_that_was_given_up_cannot_write_over_its_successor(run):
    first = jobs.claim(ComparisonRun, run.pk, runs.STALE)
    silent(run, 31)
    assert runs.perform(run.pk)
    assert not first.end("failed", error="too late")
    assert (stored(run).status, run.error) == ("done", "")


def test_a_run_of_a_time_to_come_lost_its_worker_before_a_clock_was_set_back(run):
    jobs.claim(ComparisonRun, run.pk, runs.STALE)
    assert runs.recover() == []
    silent(run, -26 * 3600)
    assert runs.recover() == [run.pk]
    assert runs.perform(run.pk)


def test_nor_can_one_whose_run_was_begun_afresh(run, access):
    first = jobs.claim(ComparisonRun, run.pk, runs.STALE)
    runs.cancel(access=access, run=run)
    silent(run)
    runs.recover()
    runs.again(access=access, run=stored(run))
    assert run.attempts == 1 and stored(run).attempts == 0
    second = jobs.claim(ComparisonRun, run.pk, runs.STALE)
    assert not first.end("failed", error="too late")
    assert second.end("cancelled")


def test_a_heartbeat_goes_on_over_a_connection_that_breaks(run):
    heartbeat = jobs.Heartbeat(jobs.claim(ComparisonRun, run.pk, runs.STALE))
    heartbeat._write()
    connection.connection.close()
    heartbeat._write()  # in vain
    silent(run)
    heartbeat._write()
    assert timezone.now() - stored(run).heartbeat_at < timedelta(minutes=1)
    assert heartbeat.stop_with is None


def test_a_cancelled_run_is_not_begun(run, access):
    runs.cancel(access=access, run=run)
    assert not runs.perform(run.pk)
    assert (stored(run).status, run.result) == ("cancelled", None)


def test_a_plan_that_cannot_be_read_fails_with_a_sentence_and_may_run_again(run, access):
    good = run.plan
    ComparisonRun.objects.filter(pk=run.pk).update(plan=good | {"value_sets": ["XX"]})
    runs.perform(run.pk)
    assert stored(run).status == "failed"
    assert run.error.startswith("The plan cannot be carried out: value_sets: “XX” does not fit")
    ComparisonRun.objects.filter(pk=run.pk).update(plan=good)
    assert runs.again(access=access, run=run) == run
    assert runs.perform(run.pk)
    assert (stored(run).status, run.error, ComparisonRun.objects.count()) == ("done", "", 1)


def test_what_was_lost_is_sent_again_but_not_for_ever(run, access):
    fresh = runs.request(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.ALL)
    ComparisonRun.objects.filter(pk=run.pk).update(status="running", attempts=1)
    assert runs.recover() == []
    silent(run)
    assert runs.recover() == [run.pk]
    assert (stored(run).status, stored(fresh).status) == ("queued", "queued")
    assert runs.recover() == []  # it has just been sent
    ComparisonRun.objects.filter(pk=run.pk).update(status="running", attempts=jobs.MOST_ATTEMPTS)
    silent(run)
    assert runs.recover() == []
    assert stored(run).status == "failed" and run.error == runs.WORKER_LOST


def test_a_run_to_be_cancelled_whose_worker_is_lost_is_cancelled(run, access):
    ComparisonRun.objects.filter(pk=run.pk).update(status="running", attempts=1)
    runs.cancel(access=access, run=run)
    assert stored(run).cancel_requested
    silent(run)
    assert runs.recover() == []
    assert stored(run).status == "cancelled"


# With a worker


@pytest.mark.celery
def test_a_worker_carries_a_comparison_out(access, broker, tmp_path):
    run = tasks.start_comparison(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)
    with a_worker(tmp_path):
        until(lambda: stored(run).status == "done")
    assert (run.attempts, run.result["cohort"]["n"]) == (1, 9)


@pytest.mark.celery
def test_a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing(access, broker, tmp_path):
    with a_worker(tmp_path, "first") as first, locked("registry_patient"):
        run = tasks.start_comparison(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)
        until(lambda: stored(run).status == "running")
        beat = run.heartbeat_at
        until(lambda: stored(run).heartbeat_at > beat)  # it shows life while it waits inside its transaction
        os.killpg(first.pid, signal.SIGKILL)
    assert stored(run).status == "running"
    silent(run)
    tasks.sweep()
    assert stored(run).status == "queued"
    with a_worker(tmp_path, "second"):
        until(lambda: stored(run).status == "done")
        tasks.run_comparison.delay(str(run.pk))  # delivered once more: nothing happens
        time.sleep(2)
    assert (stored(run).status, run.attempts, ComparisonRun.objects.count()) == ("done", 2, 1)


@pytest.mark.celery
def test_a_running_comparison_is_cancelled(access, broker, tmp_path):
    with a_worker(tmp_path):
        with locked("registry_patient"):
            run = tasks.start_comparison(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)
            until(lambda: stored(run).status == "running")
            runs.cancel(access=access, run=run)
            has_looked_whether_to_stop(run)
        until(lambda: stored(run).status == "cancelled")
    assert run.result is None
