"""Celery's signals turned into signs of life: of a worker's queues, and of each recurring task's last run."""

import logging
import time

from celery.signals import heartbeat_sent, task_failure, task_postrun, task_prerun
from django.conf import settings
from django.db import Error, connection

from registry.health import heartbeats

log = logging.getLogger(__name__)

EVERY = 30  # seconds; each time is a connection to the database, which costs more than what is said
_last = 0.0
_began: dict[str, float] = {}  # id of a task that runs in this process: when it began


@heartbeat_sent.connect
def worker_lives(sender, **kwargs):
    """The worker's main process has a connection to the broker and turns its loop."""
    global _last
    if time.monotonic() - _last < EVERY:
        return
    _last = time.monotonic()
    heartbeats.touch("worker")
    queues = list(sender.eventer.app.amqp.queues.consume_from)
    try:
        for name in queues:
            heartbeats.alive(heartbeats.QUEUE + name)
    except Error as error:
        log.warning("no sign of life could be stored: %s", str(error).splitlines()[0])
    finally:
        connection.close()


@task_prerun.connect
def task_begins(task_id, **kwargs):
    _began[task_id] = time.monotonic()


@task_failure.connect
def task_failed(task_id, exception, sender, **kwargs):
    _note(sender.name, task_id, f"{type(exception).__name__}: {exception}")


@task_postrun.connect
def task_ends(task_id, task, state, **kwargs):
    if state == "SUCCESS":
        _note(task.name, task_id, "")
    _began.pop(task_id, None)


def _note(name, task_id, error):
    """Only of what recurs: other tasks have rows of their own."""
    if name not in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}:
        return
    try:
        took = time.monotonic() - _began.get(task_id, time.monotonic())
        heartbeats.alive(heartbeats.TASK + name.rpartition(".")[2], took, error)
    except Error as failure:
        log.warning("the end of %s could not be stored: %s", name, str(failure).splitlines()[0])
