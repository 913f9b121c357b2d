"""Counts of the start pages: counted at once in a small registry, kept by the worker in a large one, equal in both."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone

from registry import tasks
from registry.analysis.design.variables import known
from registry.models import Patient
from registry.services import watermarks
from registry.services.entry import transfers
from registry.services.follow_up import ends, schedule
from registry.services.operations import site_counts
from sites.models import Site
from sites.tenancy.scope import current, entered, everything
from tests.conftest import TODAY


@pytest.fixture
def large(monkeypatch):
    cache.clear()
    monkeypatch.setattr(site_counts, "is_large", lambda: True)


@pytest.fixture
def both(enrolled, alice, charlie, north, south):
    enrolled(alice), enrolled(alice), enrolled(charlie)
    return [north.pk, south.pk]


def every_kind(site_ids):
    plans = schedule.plans()
    return {kind: site_counts.counts(kind, site_ids, plans, TODAY).by_site for kind in site_counts.KINDS}


def test_what_is_kept_equals_what_is_counted(both, as_system, monkeypatch):
    with as_system():
        counted = every_kind(both)
        monkeypatch.setattr(site_counts, "is_large", lambda: True)
        cache.clear()
        assert every_kind(both) == every_kind(both) == counted
    assert counted["enrolled"] == {both[0]: [2, 0, 0], both[1]: [1, 0, 0]}


def test_what_is_kept_of_many_sites_lies_together_and_equals_it(both, as_system, large, monkeypatch):
    with as_system():
        counted = every_kind(both)
        monkeypatch.setattr(site_counts, "FEW", 1)
        monkeypatch.setattr(site_counts.timezone, "localdate", lambda: TODAY)
        cache.clear()
        assert every_kind(both) == counted  # with nothing kept
        cache.clear()
        site_counts.keep()
        cache.delete_many([site_counts._key(kind, site_id, TODAY) for kind in site_counts.KINDS for site_id in both])
        monkeypatch.setattr(site_counts, "_store", None)  # nothing is counted any more
        assert every_kind(both) == counted


def test_a_page_of_a_large_registry_shows_what_was_kept_and_when(both, large, enrolled, alice, bob):
    client = Client()
    client.force_login(alice)
    assert b"Counted " in client.get("/").content  # of one site: the number of its patients
    client.force_login(bob)
    first = client.get("/")
    assert [line["enrolled"] for line in first.context["sites"]["lines"]] == [2, 1]
    assert b"Counted " in first.content
    enrolled(alice)
    assert [line["enrolled"] for line in client.get("/").context["sites"]["lines"]] == [2, 1]
    tasks.keep_counts()
    assert [line["enrolled"] for line in client.get("/").context["sites"]["lines"]] == [3, 1]


def test_a_small_registry_says_nothing_of_when_and_counts_anew(both, enrolled, alice, bob):
    client = Client()
    client.force_login(bob)
    assert b"Counted " not in client.get("/").content
    enrolled(alice)
    assert [line["enrolled"] for line in client.get("/").context["sites"]["lines"]] == [3, 1]


@pytest.fixture
def asked(committed, large, monkeypatch):
    """Kinds that are counted again, once all of a registry with a site was counted."""
    Site.objects.create(code="N01", name="North Hospital")
    for _ in range(2):
        tasks.keep_counts()
    kinds = []
    monkeypatch.setattr(site_counts, "_store", lambda kind, *rest: kinds.append(kind) or {})
    return kinds


def test_nothing_is_counted_again_while_nothing_changed(asked):
    tasks.keep_counts()
    assert asked == []
    cache.clear()  # as after a loss of what Redis held
    tasks.keep_counts()
    assert asked == list(site_counts.KINDS)


def test_only_the_sites_where_something_changed_are_counted_again(
    committed, large, enrolled, alice, charlie, dana, as_person, north, south, monkeypatch
):
    """A patient who moved is counted where she was as well."""
    moved, died = enrolled(alice), enrolled(charlie)
    monkeypatch.setattr(site_counts.timezone, "localdate", lambda: TODAY)
    tasks.keep_counts()
    counted, store, changed = set(), site_counts._store, []
    monkeypatch.setattr(
        site_counts, "_store", lambda kind, sites, *rest: counted.update(sites) or store(kind, sites, *rest)
    )

    # What else runs on the server may have more looked at than was written.
    monkeypatch.setattr(
        site_counts.watermarks, "since_last", lambda *_, **__: nullcontext(watermarks.Changed(tuple(changed)))
    )

    def counts_after(*patients):
        """(sites that are counted now, {site id: patients, operated, died} as it is kept then)."""
        counted.clear()
        changed[:] = [patient.pk for patient in patients]
        tasks.keep_counts()
        rows = cache.get(site_counts._key_of_every_site("enrolled", TODAY))
        with everything(), transaction.atomic():
            plans = schedule.plans()
            for kind in site_counts.KINDS:
                of_sites = cache.get(site_counts._key_of_every_site(kind, TODAY))
                anew = site_counts._counted(kind, [north.pk, south.pk], plans, TODAY)
                assert {pk: value for pk, (_at, value) in of_sites.items() if value is not None} == anew
        return set(counted), {site_id: value for site_id, (_at, value) in rows.items()}

    assert counts_after() == (set(), {north.pk: [1, 0, 0], south.pk: [1, 0, 0]})
    with everything(reason="heard of it"), transaction.atomic():
        Patient.objects.filter(pk=died.pk).update(vital_status="dead")
    assert counts_after(died) == ({south.pk}, {north.pk: [1, 0, 0], south.pk: [1, 0, 1]})
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=moved, to=south, version=moved.version, reason="moved house")
    sites, patients = counts_after(moved)
    assert (sites, patients) == ({north.pk, south.pk}, {north.pk: None, south.pk: [2, 0, 1]})


def test_counting_that_took_long_rests(committed, large, north, monkeypatch):
    clock = iter(range(0, 10_000, 60))  # every look at it a minute later: counting takes one
    monkeypatch.setattr(site_counts, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    rests = []
    monkeypatch.setattr(site_counts.cache, "set", _noting(cache.set, rests))
    tasks.keep_counts()
    assert rests == [20 * 60 - 300]
    with monkeypatch.context() as resting:
        resting.setattr(site_counts, "schedule", None)  # nothing is looked at until it has rested
        tasks.keep_counts()
    # Nobody rests from the counts of a new day, nor of another protocol: pages would have to make them.
    tomorrow = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr(site_counts.timezone, "localdate", lambda: tomorrow)
    tasks.keep_counts()
    monkeypatch.setattr(site_counts, "current_protocol", SimpleNamespace(version=lambda: 7))
    tasks.keep_counts()
    assert rests == [20 * 60 - 300] * 3


def _noting(put, rests):
    def noted(key, value, seconds=None, **rest):
        if key == site_counts._RESTING:
            rests.append(seconds)
        return put(key, value, seconds, **rest)

    return noted


def test_what_ends_follow_up_and_what_is_removed_is_counted(committed, large, enrolled, alice, as_person, monkeypatch):
    """A row that is gone has left no transaction's number behind, as a row that is written does."""
    patient = enrolled(alice)
    monkeypatch.setattr(known, "is_large", lambda: True)
    tasks.keep_counts()
    counted = []
    monkeypatch.setattr(site_counts, "_store", lambda kind, *rest: counted.append(kind) or {})
    monkeypatch.setattr(known, "_store", lambda: counted.append("known values"))

    def anew():
        counted.clear()
        tasks.keep_counts()
        return [kind for kind in ("waiting", "known values") if kind in counted]

    assert anew() == []
    with as_person(alice) as access:
        end = {"end_kind": "lost", "end_date": "2026-02-01", "end_reason": "moved"}
        row = ends.end_follow_up(access=access, patient=patient, raw=end, today=TODAY)
    assert anew() == ["waiting"]
    assert anew() == []
    with as_person(alice) as access:
        ends.resume_follow_up(access=access, patient=patient, version=row.version, reason="she came")
    assert anew() == ["waiting"]
    assert anew() == []
    with everything(), transaction.atomic():
        Patient.objects.filter(pk=patient.pk).delete()
    assert anew() == ["waiting", "known values"]
    assert anew() == []


def test_a_blind_readers_counts_are_not_kept_for_others(both, large, as_system):
    with as_system():
        scope = current()
    with entered(replace(scope, blind=True)):
        assert every_kind(both)["enrolled"] == {both[0]: [2, 0, 0], both[1]: [1, 0, 0]}
        assert cache.get(site_counts._key("enrolled", both[0], TODAY)) is None
    with entered(scope):
        every_kind(both)
        assert cache.get(site_counts._key("enrolled", both[0], TODAY)) is not None


def test_a_page_says_that_nothing_changed_since_it_was_counted_or_that_no_worker_counts(committed, bob, monkeypatch):
    cache.clear()
    monkeypatch.setattr(site_counts, "is_large", lambda: True)
    monkeypatch.setattr(site_counts.timezone, "localdate", lambda: TODAY)  # an hour later may be tomorrow
    client, hours = Client(), 3600
    client.force_login(bob)
    tasks.keep_counts()
    now = timezone.now()
    monkeypatch.setattr(site_counts.timezone, "now", lambda: now + timedelta(seconds=hours))
    assert b"No worker has counted since" in client.get("/").content
    monkeypatch.setattr(site_counts, "_store", None)  # nothing is counted: it is as it was
    tasks.keep_counts()
    assert client.get("/").context["sites"]["counted_at"] == now + timedelta(seconds=hours)
    assert b"No worker has counted since" not in client.get("/").content


def test_a_new_sampling_plan_is_counted_at_once(asked, monkeypatch):
    monkeypatch.setattr(site_counts, "current_protocol", SimpleNamespace(version=lambda: 7))
    tasks.keep_counts()
    assert "left_to_verify" in asked


def test_people_see_counts_of_their_own_sites_alone(both, large, alice):
    tasks.keep_counts()
    client = Client()
    client.force_login(alice)
    page = client.get("/")
    assert [line["site"].code for line in page.context["sites"]["lines"]] == ["N01"]


def test_enrolment_by_site_is_kept_and_equals_what_is_counted(both, enrolled, alice, bob, monkeypatch):
    client = Client()
    client.force_login(bob)
    counted = client.get("/enrolment/").context["enrolment"]
    assert [(line.site.code, line.n, sum(line.months)) for line in counted.sites] == [("N01", 2, 2), ("S01", 1, 1)]
    assert counted.at is None
    monkeypatch.setattr(site_counts, "is_large", lambda: True)
    cache.clear()
    enrolment = client.get("/enrolment/").context["enrolment"]
    assert (enrolment.sites, enrolment.months) == (counted.sites, counted.months)
    enrolled(alice)
    page = client.get("/enrolment/")
    assert page.context["enrolment"].sites == counted.sites
    assert b"Counted " in page.content
