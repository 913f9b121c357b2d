"""Jobs take turns: whoever asks for many comparisons or exports holds up nobody else, and each is carried out once."""

import pytest
from django.db import transaction
from django.utils import timezone

from registry import tasks
from registry.analysis.design import cohorts, plans
from registry.analysis.running import runs
from registry.exports import jobs as exports
from registry.exports.choices import Choices
from registry.models import ComparisonRun, Export
from registry.services import jobs
from sites.models import Site
from sites.tenancy.access import Role, access_of
from tests.conftest import person
from tests.working import a_worker, until


@pytest.fixture
def people(committed):
    Site.objects.create(code="T01", name="Turns")
    return [access_of(person(name, Role.STATISTICIAN)) for name in ("Bob", "Dora")]


def compared(access):
    with transaction.atomic():
        return runs.request(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)


def statuses(*jobs_asked):
    return [type(job).objects.get(pk=job.pk).status for job in jobs_asked]


def test_a_second_of_one_person_waits_and_anothers_does_not(people, settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path
    bob, dora = people
    first, second, third, other = [compared(access) for access in (bob, bob, bob, dora)]
    running = {"status": "running", "started_at": timezone.now(), "heartbeat_at": timezone.now()}
    ComparisonRun.objects.filter(pk=first.pk).update(**running)
    assert not runs.perform(second.pk) and runs.perform(other.pk)
    assert statuses(first, second, third, other) == ["running", "queued", "queued", "done"]
    assert jobs.next_in_turn(ComparisonRun, first.pk) == second.pk
    with transaction.atomic():
        export = exports.request(access=bob, choices=Choices())
    assert exports.perform(export.pk)  # of exports it is the first
    settings.JOBS_PER_PERSON = 2
    assert runs.perform(second.pk)
    settings.JOBS_PER_PERSON = 1
    ComparisonRun.objects.filter(pk=first.pk).update(heartbeat_at=timezone.now() - 2 * runs.STALE)
    assert runs.perform(third.pk)  # one that lost its worker keeps nobody waiting


def test_a_small_export_that_a_person_waits_for_takes_no_turn(people, settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path
    with transaction.atomic():
        first, second = [exports.request(access=people[0], choices=Choices()) for _ in range(2)]
    Export.objects.filter(pk=first.pk).update(status="running", started_at=timezone.now())
    assert not exports.perform(second.pk)
    assert exports.perform(second.pk, reporting=False)


def test_all_that_a_person_asked_for_is_carried_out_in_the_end(people, tmp_path):
    with a_worker(tmp_path):
        asked = [compared(access) for access in (*[people[0]] * 4, people[1])]
        for run in asked:
            tasks.run_comparison.delay(str(run.pk))
        until(lambda: statuses(*asked) == ["done"] * 5)
    assert set(ComparisonRun.objects.values_list("attempts", flat=True)) == {1}
