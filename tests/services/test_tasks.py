"""Tasks as a worker runs them: outside of any transaction, with everything committed."""

import threading

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry import tasks
from registry.celery import app
from registry.instruments import catalogue, value_sets
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.models import Assessment, Change, Utility, Watermark
from registry.services import watermarks
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.review import soft_checks_bulk
from sites.models import Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import because, entered, everything
from tests.conftest import TODAY, person
from tests.working import PATIENCE, every_earlier_transaction_ended, until


@pytest.fixture
def patient(committed):
    north = Site.objects.create(code="N01", name="North Hospital")
    access = access_of(person("Alice", Role.COORDINATOR, north))
    raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
    with entered(access.scope()), transaction.atomic():
        patient = patients.enrol(access=access, site=north, raw=raw, consented=True, today=TODAY)
        for timepoint, date, state in (("preop", "2026-01-11", "45344"), ("1m", "2026-02-12", "13315")):
            raw = {"assessment_date": date} | {item.name: x for item, x in zip(DIMENSIONS, state, strict=True)}
            save_assessment(access=access, patient=patient, timepoint=timepoint, raw=raw)
    return patient


def outcomes():
    with everything(), transaction.atomic():
        return sorted(round(utility.hsuv, 3) for utility in Utility.objects.all()), Change.objects.count()


@pytest.mark.parametrize("task", ["compute_all_outcomes", "sweep"])
def test_a_task_computes_what_was_saved(patient, task):
    assert outcomes() == ([], 0)
    getattr(tasks, task)()
    assert outcomes() == ([0.210, 0.575], 1)
    getattr(tasks, task)()
    assert outcomes() == ([0.210, 0.575], 1)


def test_patients_in_the_list_are_computed_and_one_that_is_gone_is_passed_over(patient):
    for patient_id in (patient.pk, "N01-9999"):
        cache.push(tasks.AWAITED, patient_id)
    tasks.compute_awaited_outcomes()
    assert outcomes() == ([0.210, 0.575], 1)


@pytest.mark.parametrize("task", ["compute_all_outcomes", "sweep"])
def test_what_was_computed_is_looked_at_again_only_once_it_changed(patient, task):
    every_earlier_transaction_ended()
    for _ in range(2):  # the first looks at everybody, the second at what was stored while the first ran
        getattr(tasks, task)()
    spoilt = "UPDATE registry_utility SET hsuv = 0.5"  # which nothing that the product does would do
    with everything(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(spoilt)
    getattr(tasks, task)()
    assert outcomes()[0] == [0.5, 0.5]
    with everything(), because("looked again"), transaction.atomic():
        Assessment.objects.filter(timepoint_id="1m").update(eq_vas=50)
    getattr(tasks, task)()
    assert outcomes()[0] == [0.210, 0.575]
    with everything(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(spoilt)
    tasks.compute_all_outcomes(anew=True)
    assert outcomes()[0] == [0.210, 0.575]


def test_queries_that_the_checks_raise_are_no_change(patient, monkeypatch):
    with everything(), because("an unlikely one"), transaction.atomic():
        preop = Assessment.objects.get(timepoint_id="preop")
        preop.frankel, preop.barthel_mobility = "A", 15
        items = catalogue.items(catalogue.ASSESSMENT)
        preop.missing = {item.name: "unknown" for item in items if getattr(preop, item.name) is None}
        preop.state = "complete"
        preop.save(update_fields=["frankel", "barthel_mobility", "missing", "state"])
    looked_at, sweep = [], soft_checks_bulk.sweep
    monkeypatch.setattr(soft_checks_bulk, "sweep", lambda some: looked_at.append(some) or sweep(some))
    # Other workers' transactions, which write nothing here, are under way at any time: only what comes now is younger.
    monkeypatch.setattr(watermarks, "_NOW", watermarks._NOW.replace("pg_snapshot_xmin", "pg_snapshot_xmax"))
    raised = tasks.check_all_forms()
    assert raised[0] > 0
    tasks.check_all_forms()
    assert looked_at == [None]
    with everything(), because("mended"), transaction.atomic():
        Assessment.objects.filter(timepoint_id="1m").update(eq_vas=50)
    tasks.check_all_forms()
    assert looked_at == [None, (patient.pk,)]


def test_a_sweep_of_an_idle_registry_reads_no_form(patient):
    every_earlier_transaction_ended()

    def forms_read():
        with CaptureQueriesContext(connection) as captured:
            tasks.sweep()
        return any("FROM registry_assessment WHERE age(xmin)" in query["sql"] for query in captured)

    tasks.sweep()
    until(lambda: not forms_read())  # what else was written is counted by now
    with everything(), because("corrected"), transaction.atomic():
        Assessment.objects.filter(timepoint_id="1m").update(eq_vas=50)
    assert forms_read()
    assert not forms_read()
    cache.clear()  # with Redis' memory gone, rows tell
    assert forms_read()


@pytest.mark.parametrize(
    "mark", [{"cluster": 1}, {"xid": 2**40}, {"fingerprint": "of another value set"}], ids=lambda mark: next(iter(mark))
)
def test_a_watermark_of_another_cluster_value_set_or_time_to_come_counts_for_nothing(patient, mark):
    tasks.compute_all_outcomes()
    with everything(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE registry_utility SET hsuv = 0.5")
        Watermark.objects.update(**mark)
    tasks.compute_all_outcomes()
    assert outcomes()[0] == [0.210, 0.575]


def test_a_form_stored_by_a_transaction_that_ends_after_the_computation_is_seen(patient):
    """Its row is younger than what the computation began with, whenever it was written."""
    tasks.compute_all_outcomes()
    began, done = threading.Event(), threading.Event()

    def correct():
        try:
            with everything(), because("corrected"), transaction.atomic():
                Assessment.objects.filter(timepoint_id="1m").update(eq5d_mobility=5)
                began.set()
                done.wait(PATIENCE)
        finally:
            connection.close()

    thread = threading.Thread(target=correct)
    thread.start()
    assert began.wait(PATIENCE)
    tasks.compute_all_outcomes()
    assert outcomes()[0] == [0.210, 0.575]
    done.set()
    thread.join()
    tasks.compute_all_outcomes()
    assert outcomes()[0] == sorted([0.210, round(value_sets.get("JP").hsuv(53315), 3)])


def messages():
    """How many messages wait for a worker."""
    with app.connection_for_read() as broker:
        return broker.default_channel.client.llen(app.conf.task_default_queue)


def saved(*patient_ids):
    for patient_id in patient_ids:
        with transaction.atomic():
            tasks.start_patient_outcomes(patient_id)


def test_forms_saved_while_no_worker_is_free_are_announced_once(patient):
    before = messages()
    saved(patient.pk, "N01-0002", patient.pk)
    assert messages() == before + 1
    tasks.compute_awaited_outcomes()
    assert outcomes() == ([0.210, 0.575], 1)
    assert cache.take(tasks.AWAITED, 9) == []
    saved(patient.pk)
    assert messages() == before + 2
    cache.delete(tasks.AWAITED)


def test_nothing_is_announced_before_it_is_committed_or_when_it_is_not(patient):
    before = messages()
    with transaction.atomic():
        tasks.start_patient_outcomes(patient.pk)
        assert messages() == before
        transaction.set_rollback(True)
    assert messages() == before
    assert cache.take(tasks.AWAITED, 9) == []


def test_the_sweeper_takes_what_a_lost_message_left_in_the_list(patient):
    cache.push(tasks.AWAITED, patient.pk)
    tasks.sweep()
    assert cache.take(tasks.AWAITED, 9) == []
    assert outcomes() == ([0.210, 0.575], 1)


def test_a_list_longer_than_a_batch_is_announced_again(patient, monkeypatch):
    monkeypatch.setattr(tasks, "MANY", 2)
    for _ in range(3):
        cache.push(tasks.AWAITED, patient.pk)
    before = messages()
    tasks.compute_awaited_outcomes()
    assert messages() == before + 1
    tasks.compute_awaited_outcomes()
    assert (messages(), cache.take(tasks.AWAITED, 9)) == (before + 1, [])
