"""With Redis away nothing is lost and nothing refused: saves, sessions, counts, messages; the rest is done later."""

import http.client
import os
import secrets
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.cache import cache, caches
from django.db import transaction
from django.test import override_settings
from kombu.exceptions import OperationalError

from bench.shared.server import session_of
from registry import celery, tasks
from registry.models import Change, Postponed
from registry.services.operations import postponed
from sites.database import redis_cache
from sites.tenancy.scope import everything
from tests.guard.faults.saving import ANSWERS
from tests.guard.faults.test_faults import new_form, on_record, start_web
from tests.working import PATIENCE, a_worker, until

TIMEPOINTS = ("preop", "1m", "3m", "6m", "12m", "24m")


class Load:
    """Ten people who save one form after the other, and what became of each.

    patience  for how many seconds one who is answered 503 sends the form again; `repeated` counts it
    """

    def __init__(self, port, cast, patience=0):
        self.port, self.patience, self.repeated = port, patience, 0
        self.forms = {
            session_of(user): [(patient_id, at) for patient_id in mine for at in TIMEPOINTS] for user, (_, mine) in cast
        }
        self.statuses = {}
        self.sent = threading.Semaphore(0)

    def run(self):
        with ThreadPoolExecutor(len(self.forms)) as pool:
            list(pool.map(self._save, self.forms.items()))

    def _save(self, item):
        cookie, forms = item
        headers, body = new_form(cookie)
        for patient, timepoint in forms:
            until = time.monotonic() + self.patience
            while (answer := self._answer(f"/patients/{patient}/assessments/{timepoint}/", body, headers))[0] == 503:
                if time.monotonic() > until:
                    break
                self.repeated += 1
                time.sleep(0.3)
            self.statuses[patient, timepoint] = answer[0], answer[1].replace(patient, "P")
            self.sent.release()

    def _answer(self, path, body, headers):
        """(status, where it leads) of one POST."""
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        web.request("POST", path, body, headers)
        answer = web.getresponse()
        web.close()
        return answer.status, answer.headers.get("Location", "")

    def wait_for(self, count):
        for _ in range(count):
            assert self.sent.acquire(timeout=PATIENCE)


def all_stored(load):
    """The forms of a load that is over: each was answered as stored, and stands in the database once."""
    forms = [form for mine in load.forms.values() for form in mine]
    stored = {(302, f"/patients/P/assessments/{timepoint}/") for timepoint in TIMEPOINTS}
    assert set(load.statuses.values()) == stored and len(load.statuses) == len(forms) == 240
    with everything(), transaction.atomic():
        assert {str(on_record(*form)) for form in forms} == {str((ANSWERS, 1))}
    return forms


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_a_broker_that_goes_in_mid_load_costs_no_save(ten_sites, environment, own_broker, tmp_path, how):
    """Attempts = saved; errors, lost and doubled are 0. What follows from the saves is computed once it is back."""
    environment = environment | {"REDIS_URL": own_broker.url}
    process, port = start_web(environment)
    load = Load(port, list(ten_sites.items()))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load.run)
        load.wait_for(40)
        getattr(own_broker, how)()
        running.result(2 * PATIENCE)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    forms = all_stored(load)
    getattr(own_broker, {"stop": "start", "freeze": "thaw"}[how])()
    with a_worker(tmp_path, REDIS_URL=own_broker.url), sending_to(own_broker):
        tasks.sweep.delay()
        until(lambda: changes() == len(forms) * 5 // 6)  # one for each form after the first of a patient


def changes():
    with everything(), transaction.atomic():
        return Change.objects.count()


@contextmanager
def sending_to(broker):
    """This process sends to another broker meanwhile."""
    before = celery.app.conf.broker_url
    try:
        _send_to(broker.url)
        yield
    finally:
        _send_to(before)


def _send_to(url):
    celery.app.conf.broker_url = celery.app.conf.broker_read_url = celery.app.conf.broker_write_url = url
    celery.app._after_fork()  # forgets the connections
    redis_cache.circuit.answered()


def test_a_message_waits_in_the_database_and_is_sent_once(committed, own_broker):
    """A mail that could not be sent is kept, unreadable, and goes once the broker is back; a figure is not kept."""
    with sending_to(own_broker):
        own_broker.stop()
        with override_settings(MAIL=True), transaction.atomic():
            tasks.start_mail("Subject", "https://registry.example.org/secret", "a@example.org")
        tasks.prepare_comparison_files.delay("0")
        tasks.compute_awaited_outcomes.delay()
        (row,) = Postponed.objects.all()
        assert row.task == "registry.tasks.send_mail" and b"secret" not in bytes(row.arguments)
        tasks.sweep()
        assert Postponed.objects.count() == 1
        own_broker.start()
        redis_cache.circuit.answered()
        tasks.sweep()
        assert Postponed.objects.count() == 0
        with celery.app.connection_for_read() as connected:
            sent = connected.default_channel.client.lrange(settings.URGENT, 0, -1)
        assert [b"send_mail" in message for message in sent] == [True]


def test_what_was_postponed_is_sent_again_where_the_broker_goes_meanwhile(committed):
    for number in range(3):
        postponed.keep("registry.tasks.send_mail", [str(number)], {})
    sent = []

    def send(task, args, kwargs):
        if len(sent) == 2:
            raise OperationalError
        sent.append(args)

    with pytest.raises(OperationalError):
        postponed.send_all(send)
    assert Postponed.objects.count() == 3
    assert postponed.send_all(lambda *call: None) == 3
    assert Postponed.objects.count() == 0


@pytest.fixture
def lonely(tmp_path):
    """A cache whose Redis is not there."""
    with override_settings(
        CACHES=settings.CACHES | {"away": settings.CACHES["default"] | {"LOCATION": f"unix://{tmp_path}/no"}}
    ):
        yield caches["away"]
    redis_cache.circuit.answered()


def test_counts_and_lists_go_on_without_redis(lonely):
    lonely.add("count", 0, 60)
    assert [lonely.incr("count") for _ in range(3)] == [1, 2, 3]
    lonely.set("key", {"a": 1}, 60)
    assert lonely.get("key") == {"a": 1} and lonely.get("other", "none") == "none"
    assert lonely.get_many(["key", "other"]) == {"key": {"a": 1}}
    assert lonely.push("list", "text") is None and lonely.take("list", 5) == []
    assert not lonely.answers()


def test_redis_is_not_asked_again_and_again_while_it_is_away(lonely, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(redis_cache.time, "monotonic", lambda: now[0])
    circuit = redis_cache.circuit
    lonely.get("key")
    assert circuit.is_open
    now[0] += redis_cache.PAUSE + 1
    assert [circuit.is_open, circuit.is_open] == [False, True]  # one tries, the others wait for what comes of it
    assert lonely.alone.add("kept", 1) and cache.answers() and not circuit.is_open
    with pytest.MonkeyPatch.context() as patched:  # the same, of the cache whose Redis is there again
        patched.setattr(cache, "alone", lonely.alone)
        circuit.failed("")
        assert cache.answers() and lonely.alone.get("kept") is None


def test_answers_that_a_time_limit_left_unread_are_given_to_nobody_else(monkeypatch):
    waiting = f"waiting:{secrets.token_hex(8)}"
    assert cache.push(waiting, "a") == 1
    asked = cache.client.asked
    send = asked.send_packed_command

    def ended(command):
        send(command)
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr(asked, "send_packed_command", ended)
        with pytest.raises(SoftTimeLimitExceeded):
            cache.push(waiting, "b")
    assert cache.take(waiting, 5) == ["a", "b"]


@pytest.mark.parametrize("command", ["config set maxmemory 1", "replicaof 127.0.0.1 1", "config set requirepass x"])
def test_a_redis_that_answers_and_stores_nothing_is_away(own_broker, command):
    """Full, a replica, or with another password: each save was an error of the program."""
    its = settings.CACHES["default"] | {"LOCATION": own_broker.url.replace("redis+socket", "unix")}
    with override_settings(CACHES=settings.CACHES | {"own": its}):
        own = caches["own"]
        own.set("key", "stored", 60)
        assert own.answers()
        own.client.connections.execute_command(*command.split())
        own.client.connections.connection_pool.disconnect()
        assert not own.answers()
        own.set("other", 1, 60)
        assert own.incr("other") == 2 and own.push("list", "text") is None and own.count(["c"], 60) == [1]
        redis_cache.circuit.open_until -= redis_cache.PAUSE  # what still answers to a GET is not back by that
        assert own.get("other") == 2 and own.take("list", 5) == [] and redis_cache.circuit.open_until
        assert own.incr("other") == 3
        redis_cache.circuit.answered()
        with sending_to(own_broker):
            tasks.compute_awaited_outcomes.delay()  # which follows from what is stored, and raises nothing
        redis_cache.circuit.answered()
